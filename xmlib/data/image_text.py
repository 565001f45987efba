"""Pairs of a picture and a text: cut into splits by group, the words weighed by what training texts say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xmlib.data import cache, texts
from xmlib.data.splits import Pictures, Split, Splits, View
from xmlib.errors import InputError

VERSION = 2  # raise it when splits may come out differently
SPLITS = ("grouped", "random", "zero_shot")
LARGE = 20  # one group or class may fill 1/20 or 1/4 of the test set; a larger one stays in training
LARGE_CLASS = 4


class Size(NamedTuple):
    """Pairs for validation and for testing; the rest are for training. `of`: how many items take part, 0 for all."""

    valid: int
    test: int
    of: int = 0


@dataclass(frozen=True)
class Items:
    """What is known of n items: `texts`, `labels` (classes) and `groups` of near duplicates."""

    ids: list[str]
    texts: list[str]
    labels: np.ndarray
    groups: np.ndarray


class Artwork(NamedTuple):
    """Pictures of items: their `ids`, features (n, 1280), thumbnails (n, h, w, 3), hash of the files' bytes."""

    ids: list[str]
    features: np.ndarray
    thumbnails: np.ndarray
    content: str


def assemble(
    name: str, profile: str, seed: int, items: Items, artwork: Mapping[str, Artwork], size: Size, *, split: str,
    shuffled: bool, settings: dict[str, Any], folder: Path | None = None, more: Sequence[Artwork] = (),
    chosen: Callable[..., dict[str, np.ndarray]] | None = None, complementary: float = 0.0,
) -> Splits:  # fmt: skip
    """The splits of a data set. `artwork`: of the parts "train", "valid" and "test"; an item needs a picture in each.

    View 1: picture features less their training mean; view 2: tf-idf weights fitted on the training texts. A view is
    divided by one number, the standard deviation of its training values. `shuffled` gives every training
    picture the text of another, drawn at random: scores on the test set must then be those of chance. `more`: other
    pictures of the same items; with each the training pairs come once more, after the others. `chosen`: gives the rows
    in place of `choose`. `complementary`: the share of pairs, in every part, whose picture is another one's of the same
    class, so that picture and text say different things; see `exchanged`.
    """
    items = _drawn(items, [*artwork.values(), *more])
    rows = (chosen or choose)(items, size, split, seed)
    order = rows["train"]
    if shuffled:
        order = np.random.RandomState([seed, 1]).permutation(order)
    said = {part: [items.texts[i] for i in (order if part == "train" else rows[part])] for part in rows}
    matrices, vocabulary = texts.tfidf(said["train"], said["valid"], said["test"])
    draw = np.random.RandomState([seed, 2])
    shown = {part: exchanged(rows[part], items.labels, complementary, draw) for part in rows}
    mean, spread = _scale(_features(items, artwork["train"], shown["train"]))
    parts = {}
    for part, matrix in zip(rows, matrices, strict=True):
        features = (_features(items, artwork[part], shown[part]) - mean) / spread
        words = matrix / matrices[0].std()
        parts[part] = _part(items, artwork[part], rows[part], shown[part], features, words, said[part])
    decided = {**settings, "split": split, "shuffled": shuffled, "assembly": [VERSION, texts.VERSION]}
    decided |= {"complementary": complementary} if complementary else {}
    contents = {part: artwork[part].content for part in rows}
    for number, second in enumerate(more, 2):
        features = (_features(items, second, shown["train"]) - mean) / spread
        words = matrices[0] / matrices[0].std()
        again = _part(items, second, rows["train"], shown["train"], features, words, said["train"])
        parts["train"] = _joined(parts["train"], again, number)
        contents[f"more{number}"] = second.content
    digest = _digest(decided, contents, parts, vocabulary)
    return Splits(name, profile, seed, decided, digest, parts["train"], parts["valid"], parts["test"], folder)


def _drawn(items: Items, artwork: Sequence[Artwork]) -> Items:
    """The items that have a picture in every artwork."""
    ids = set.intersection(*(set(one.ids) for one in artwork))
    kept = [i for i, id in enumerate(items.ids) if id in ids]
    named, said = [items.ids[i] for i in kept], [items.texts[i] for i in kept]
    return Items(named, said, items.labels[kept], items.groups[kept])


def _features(items: Items, artwork: Artwork, rows: np.ndarray) -> np.ndarray:
    place = {id: i for i, id in enumerate(artwork.ids)}
    return artwork.features[[place[items.ids[i]] for i in rows]]


def _scale(train: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """The mean of every feature, and one standard deviation for all."""
    return train.mean(0), (train - train.mean(0)).std()


def exchanged(rows: np.ndarray, labels: np.ndarray, share: float, draw: np.random.RandomState) -> np.ndarray:
    """The rows whose pictures stand in these rows' places, (n,): a share of every class passes its pictures round.

    Every picture is used once, and by its own class. Of a class in which fewer than two would be chosen all stay.
    Raises InputError for a share that is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise InputError(f"complementary = {share} is no share of the pairs; give a number from 0 to 1.")
    found = rows.copy()
    for label in np.unique(labels[rows]) if share else ():
        members = draw.permutation(np.flatnonzero(labels[rows] == label))
        some = members[: round(share * len(members))]
        found[some] = rows[np.roll(some, 1)]
    return found


def _part(
    items: Items, artwork: Artwork, rows: np.ndarray, shown: np.ndarray, features: np.ndarray, matrix: np.ndarray,
    said: list[str],
) -> Split:  # fmt: skip
    """The pairs of these rows with the pictures of the rows `shown`."""
    place = {id: i for i, id in enumerate(artwork.ids)}
    view1 = View(len(rows), features.shape[1:], lambda chosen: features[chosen])
    view2 = View(len(rows), matrix.shape[1:], lambda chosen: matrix[chosen])
    pictures = Pictures(artwork.thumbnails, np.array([place[items.ids[i]] for i in shown]))
    ids = [items.ids[i] for i in rows]
    return Split(view1, view2, ids, items.groups[rows], items.labels[rows], said, pictures=pictures)


def mirror(mirrored: bool) -> dict[str, bool]:
    """What the settings of a data set say of that option: nothing where it is off."""
    return {"mirrored": True} if mirrored else {}


def _joined(one: Split, other: Split, number: int) -> Split:
    """The pairs of one split, then those of another with the same items, whose ids get a number."""
    n = len(one)

    def view(name: str) -> View:
        first, then = getattr(one, name), getattr(other, name)

        def cut(chosen: np.ndarray) -> np.ndarray:
            found = np.empty((len(chosen), *first.shape), np.float32)
            found[chosen < n], found[chosen >= n] = first[chosen[chosen < n]], then[chosen[chosen >= n] - n]
            return found

        return View(n + len(other), first.shape, cut)

    shown = np.concatenate([split.pictures[np.arange(len(split))] for split in (one, other)])
    return Split(
        view("view1"), view("view2"), one.ids + [f"{id} ({number})" for id in other.ids],
        np.concatenate([one.groups, other.groups]), np.concatenate([one.labels, other.labels]),
        one.texts + other.texts, pictures=Pictures(shown, np.arange(len(shown))),
    )  # fmt: skip


def _digest(settings: dict, contents: dict, parts: dict[str, Split], vocabulary: list[str]) -> str:
    """SHA-256 of all that the pairs are made of. Features are represented by the files and the network they come from:

    their last digits depend on the processor, and two machines should agree that they have the same pairs.
    """
    digest = hashlib.sha256(json.dumps([settings, contents, vocabulary], sort_keys=True).encode())
    for part, split in parts.items():
        rows = [split.ids, split.texts, split.labels.tolist(), split.groups.tolist()]
        digest.update(json.dumps([part, *rows]).encode())
    return digest.hexdigest()


def choose(items: Items, size: Size, split: str, seed: int) -> dict[str, np.ndarray]:
    """Row numbers of the parts train, valid and test, drawn with the seed.

    `grouped`: no group is in two parts. `random`: groups are torn apart. `zero_shot`: no class is in two parts, and no
    group either; training items from a group of test or validation are left out. Test is drawn first, then validation.
    A group larger than 1/20 of the test set (zero_shot: a class larger than a quarter) is not drawn: it would decide
    the scores alone. Raises InputError when there are too few items.
    """
    if split not in SPLITS:
        raise InputError(f"split {split!r} is unknown; choose one of: {', '.join(SPLITS)}.")
    if size.valid + size.test >= len(items.ids):
        raise InputError(f"there are {len(items.ids)} items, too few for {size.valid} + {size.test} and training.")
    draw = np.random.RandomState(seed)
    if split == "random":
        order = draw.permutation(len(items.ids))
        parts = {"test": order[: size.test], "valid": order[size.test : size.test + size.valid]}
        parts["train"] = order[size.test + size.valid :]
    elif split == "grouped":
        parts = _by_group(items.groups, size, draw)
    else:
        parts = _by_class(items, size, draw)
    return {part: np.sort(parts[part]) for part in ("train", "valid", "test")}


def _by_group(groups: np.ndarray, size: Size, draw: np.random.RandomState) -> dict[str, np.ndarray]:
    members = [np.flatnonzero(groups == number) for number in draw.permutation(np.unique(groups))]
    members = [rows for rows in members if len(rows) <= max(1, size.test // LARGE)]
    test = _fill(members, size.test)
    valid = _fill([rows for rows in members if not np.isin(rows, test).any()], size.valid)
    return {"test": test, "valid": valid, "train": np.setdiff1d(np.arange(len(groups)), [*test, *valid])}


def _by_class(items: Items, size: Size, draw: np.random.RandomState) -> dict[str, np.ndarray]:
    members = [np.flatnonzero(items.labels == label) for label in draw.permutation(np.unique(items.labels))]
    members = [rows for rows in members if len(rows) <= size.test // LARGE_CLASS]
    test, held = _whole(members, size.test)
    rest = [rows[~np.isin(items.groups[rows], items.groups[test])] for rows in members[held:]]
    valid, more = _whole(rest, size.valid)
    taken = np.concatenate(members[: held + more])  # what is left over of the last classes is in no part
    related = np.isin(items.groups, items.groups[np.concatenate([test, valid])])
    return {"test": test, "valid": valid, "train": np.setdiff1d(np.flatnonzero(~related), taken)}


def _fill(members: list[np.ndarray], wanted: int) -> np.ndarray:
    """Exactly so many rows from whole groups; a group that does not fit any more is passed over."""
    found: list[int] = []
    for rows in members:
        if len(found) + len(rows) <= wanted:
            found += rows.tolist()
    _enough(len(found), wanted)
    return np.array(found)


def _whole(members: list[np.ndarray], wanted: int) -> tuple[np.ndarray, int]:
    """Exactly so many rows from the first classes, of which it takes how many; the last one may be cut."""
    sizes = np.cumsum([len(rows) for rows in members])
    _enough(sizes[-1] if len(sizes) else 0, wanted)
    needed = int(np.searchsorted(sizes, wanted)) + 1
    return np.concatenate(members[:needed])[:wanted], needed


def _enough(found: int, wanted: int) -> None:
    if found < wanted:
        raise InputError(
            f"only {found} of {wanted} items can be held out: the others are in groups too large for that."
        )


def opened(folder: Path) -> Artwork:
    """The pictures in a folder of `image_features.build`, mapped into memory."""
    features, thumbnails = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("features", "thumbnails"))
    manifest = cache.published(folder)
    return Artwork(manifest["names"], features, thumbnails, manifest["content"])


def check_seed(seed: Any) -> None:
    """Raise InputError unless the seed is one."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(f"seed {seed!r} is not a whole number from 0 to 2³²−1; give one, such as 23.")


def one_of(what: str, value: Any, known: Any) -> Any:
    """The value, if it is one of the known ones; else InputError."""
    if value not in known:
        raise InputError(f"{what} {value!r} is unknown; choose one of: {', '.join(known)}.")
    return value
