"""Icons of interfaces: drawings of the same things by several hands, and what these call them, from npm packages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xmlib import paths
from xmlib.data import cache, drawn, duplicates, image_text, texts
from xmlib.data.icons import icon_files, icon_texts, npm
from xmlib.data.icons.icon_files import COLLECTIONS
from xmlib.data.icons.icon_texts import Icon
from xmlib.data.image_text import SPLITS, Items, Size, check_seed, one_of
from xmlib.data.pictures import image_features
from xmlib.data.splits import Splits
from xmlib.errors import InputError

WHOLE = Size(valid=1000, test=1000)
SOME = Size(valid=200, test=300)  # where collections are named: so many can be held out of the smallest one too
PROFILES = {"toy": Size(valid=8, test=12, of=60), "quick": WHOLE, "medium": WHOLE, "full": WHOLE}
SAME_WORDS = 0.8  # see `duplicates`; below it a chain of synonyms ties most drawings together
OF_A_CLASS = 3  # drawings of different things, in the sample of the profile toy


def load(
    profile: str = "quick", seed: int = 23, *, collections: str = "", test_collections: str = "", train_pairs: int = 0,
    split: str = "grouped", mirrored: bool = False, shuffled: bool = False,
    complementary: float = 0.0, cache_folder: Path | None = None,
    processes: int = 0,
) -> Splits:  # fmt: skip
    """The pairs, built from five packages of npm on first use (ten minutes of one core) and kept in the cache.

    `collections`: whose drawings are for training and validation, names such as "tabler lucide", all if empty;
    `test_collections`: whose are for testing, if others. Where either is given, 200 pairs are for validation and 300
    for testing, and the test pairs of some collections are the same whatever is trained on. `train_pairs`: so many,
    drawn from all; 0 for all. `mirrored`: every training pair comes once more, its picture mirrored left to right; that
    needs the packages again. `split`, `shuffled`, `complementary`: see `image_text.assemble`.
    Labels are classes that the categories of the collections are put into. `cache_folder`: default `paths.DATA`.
    Raises InputError for an unknown option, and where the packages are not there: fetching them takes
    `xm data download icons`.
    """
    size = PROFILES[one_of("profile", profile, PROFILES)]
    one_of("split", split, SPLITS)
    check_seed(seed)
    _check_count(train_pairs)
    trained = names_of(collections)
    tested = names_of(test_collections) if test_collections else trained
    held = SOME if size == WHOLE and (collections or test_collections) else size
    home = folder_of(cache_folder)
    unpack, folders = partial(icon_files.unpack, home / "packages"), _folders(size, home)
    hands = {"collections": trained, "test_collections": tested}
    return drawn.pairs(
        "icons", profile, seed, held, folders, partial(_build, *folders, size.of, unpack, processes), unpack,
        processes=processes, mirrored=mirrored, split=split, shuffled=shuffled, complementary=complementary,
        settings={"items": settings(), "size": held._asdict(), "seed": seed, **hands, "train_pairs": train_pairs},
        chosen=partial(choose, trained=trained, tested=tested, train_pairs=train_pairs),
    )  # fmt: skip


def names_of(collections: str) -> list[str]:
    """The collections named in a text, all if it is empty, in their own order. Raises InputError for another name."""
    asked = collections.replace(",", " ").split()
    for name in asked:
        one_of("collection", name, COLLECTIONS)
    return [name for name in COLLECTIONS if name in asked or not asked]


def _check_count(train_pairs: Any) -> None:
    if isinstance(train_pairs, bool) or not isinstance(train_pairs, int) or train_pairs < 0:
        raise InputError(f"train_pairs {train_pairs!r} is not a count; give a whole number, such as 1000.")


def is_built(profile: str = "quick", cache_folder: Path | None = None) -> bool:
    """Whether pictures and texts are in the cache."""
    return all(cache.published(folder) for folder in _folders(PROFILES[profile], folder_of(cache_folder)))


def facts(cache_folder: Path | None = None) -> dict[str, Any]:
    """What was found in the packages when the pairs were built: drawings and logos by collection. Needs them built."""
    return cache.published(_folders(WHOLE, folder_of(cache_folder))[1])["found"]


def _folders(size: Size, home: Path) -> tuple[Path, Path]:
    """Where pictures and texts belong. Which drawings a sample has depends on their texts."""
    sample = [size.of, icon_texts.VERSION] if size.of else 0
    pictures = cache.key([icon_files.VERSION, icon_files.versions(), image_features.settings(), sample])
    return home / f"pictures-{pictures}", home / f"texts-{cache.key([settings(), size.of])}"


def folder_of(cache_folder: Path | None = None) -> Path:
    """Where the data set is kept."""
    return Path(cache_folder or paths.DATA) / "icons"


def download(cache_folder: Path | None = None) -> Path:
    """The folder with the packages, those that are not there fetched by npm. Raises InputError."""
    folder = folder_of(cache_folder) / "packages"
    npm.download(icon_files.packages(), folder)
    return folder


def settings() -> list[Any]:
    """Everything that decides pictures, texts and groups: the key of the cache."""
    code = [icon_files.VERSION, icon_texts.VERSION, duplicates.VERSION, texts.VERSION]
    return [code, SAME_WORDS, icon_files.versions(), image_features.settings()]


def _build(pictures: Path, described: Path, count: int, unpack: drawn.Unpack, processes: int) -> dict[str, Any]:
    """Compute the features of all drawings, and write down texts and groups beside them."""
    drawings, logos = icon_files.drawings(pictures.parent / "packages")
    icons = icon_texts.icons(drawings)
    if count:
        icons = _sample(icons, count)
    kept, thumbnails = drawn.draw(pictures, icons, unpack, processes)
    drawn_by = {name: sum(icon.collection == name for icon in kept) for name in COLLECTIONS}
    return drawn.describe(described, kept, group(kept, thumbnails), found={"drawings": drawn_by, "logos": logos})


def _sample(icons: Sequence[Icon], count: int) -> list[Icon]:
    """Drawings of three different things in each of the first classes, so that words and classes recur."""
    members: dict[str, dict[str, Icon]] = {}
    for icon in icons:
        members.setdefault(icon.label, {}).setdefault(icon.head, icon)
    chosen = [list(members[label].values())[:OF_A_CLASS] for label in sorted(members)]
    return sorted(icon for found in chosen[: count // OF_A_CLASS] for icon in found)


def group(icons: Sequence[Icon], thumbnails: np.ndarray) -> np.ndarray:
    """Group numbers (n,): the same thing drawn by any hand, and near duplicates by words, by drawing or by both.

    The drawings are black, so one channel of the thumbnails (n, 96, 96, 3) tells them apart.
    """
    side = duplicates.SMALL
    blocks = np.asarray(thumbnails[..., 0]).reshape(len(thumbnails), side, 2, side, 2)
    ones, others = duplicates.near([icon.text for icon in icons], blocks.mean(axis=(2, 4)), SAME_WORDS)
    return duplicates.groups_of(len(icons), ones, others, [icon.relatives() for icon in icons])


def choose(
    items: Items, size: Size, split: str, seed: int, *, trained: Sequence[str], tested: Sequence[str],
    train_pairs: int = 0,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Row numbers of the parts train, valid and test, held out as in `image_text.choose`, of some collections only.

    Test pairs are of the collections `tested`, drawn before all else; the others are of those `trained`. Nothing that
    is related to a test pair is in another part, by whatever hand. Raises InputError when there are too few items.
    """
    hands = np.array([id.partition("/")[0] for id in items.ids])
    test = _held(items, np.isin(hands, tested), size.test, split, seed)
    free = np.isin(hands, trained) & ~_related(items, test, split)
    valid = _held(items, free, size.valid, split, seed ^ 1)
    train = np.flatnonzero(free & ~_related(items, valid, split))
    if train_pairs > len(train):
        raise InputError(f"train_pairs {train_pairs} is more than the {len(train)} there are; give 0 for all of them.")
    if train_pairs:  # the first of one order, so that fewer pairs are among those that are more
        train = np.sort(np.random.RandomState([seed, 2]).permutation(train)[:train_pairs])
    return {"train": train, "valid": valid, "test": test}


def _held(items: Items, allowed: np.ndarray, count: int, split: str, seed: int) -> np.ndarray:
    """So many of the allowed rows, whole groups or classes."""
    rows = np.flatnonzero(allowed)
    some = Items([items.ids[i] for i in rows], [items.texts[i] for i in rows], items.labels[rows], items.groups[rows])
    return rows[image_text.choose(some, Size(0, count), split, seed)["test"]]


def _related(items: Items, rows: np.ndarray, split: str) -> np.ndarray:
    """Which items (n,) may not be in another part than these rows."""
    if split == "random":
        return np.isin(np.arange(len(items.ids)), rows)
    same_thing = np.isin(items.groups, items.groups[rows])
    return same_thing | np.isin(items.labels, items.labels[rows]) if split == "zero_shot" else same_thing
