"""Clip art: drawings by many hands and what these wrote about them, from the Open Clip Art Library in Debian."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xmlib import paths
from xmlib.data import cache, duplicates, texts
from xmlib.data.image_text import SPLITS, Items, Size, assemble, check_seed, mirror, one_of, opened
from xmlib.data.openclipart import debian, openclipart_files
from xmlib.data.openclipart.openclipart_files import PACKAGES, Clip
from xmlib.data.pictures import image_features
from xmlib.data.splits import Splits
from xmlib.errors import InputError

WHOLE = Size(valid=300, test=400)
PROFILES = {"toy": Size(valid=8, test=12, of=60), "quick": WHOLE, "medium": WHOLE, "full": WHOLE}
SAME_WORDS = 0.7  # see `duplicates`; below it all flags of one continent become one group


def load(
    profile: str = "quick", seed: int = 23, *, split: str = "grouped", mirrored: bool = False, shuffled: bool = False,
    complementary: float = 0.0,
    cache_folder: Path | None = None, processes: int = 0,
) -> Splits:  # fmt: skip
    """The pairs, built from two Debian packages on first use (some minutes) and kept in the cache.

    `mirrored`: every training pair comes once more, its picture mirrored left to right; that needs the packages again.
    `split`, `shuffled`, `complementary`: see `image_text.assemble`. Labels are the folders that the drawings lie in.
    `cache_folder`: default `paths.DATA`. Raises InputError for an unknown option, and where the packages are not there:
    fetching them takes `xm data download openclipart`.
    """
    size = PROFILES[one_of("profile", profile, PROFILES)]
    one_of("split", split, SPLITS)
    check_seed(seed)
    home = folder_of(cache_folder)
    drawn, described = _folders(size, home)
    make = partial(_build, home, drawn, described, size.of, processes)
    known = cache.built(home, "openclipart", lambda: cache.published(drawn) and cache.published(described), make)
    items = Items(known["ids"], known["texts"], np.array(known["labels"]), np.array(known["groups"], np.int64))
    decided = {"items": settings(), "size": size._asdict(), "seed": seed} | mirror(mirrored)
    again = drawn.with_name(f"mirrored-{drawn.name}")
    if mirrored:
        make = partial(_draw_again, home, again, drawn, processes)
        cache.built(home, "openclipart", lambda: cache.published(again), make)
    parts = dict.fromkeys(("train", "valid", "test"), opened(drawn))
    return assemble(
        "openclipart",
        profile,
        seed,
        items,
        parts,
        size,
        split=split,
        shuffled=shuffled,
        complementary=complementary,
        settings=decided,
        folder=drawn,
        more=[opened(again)] if mirrored else [],
    )


def is_built(profile: str = "quick", cache_folder: Path | None = None) -> bool:
    """Whether pictures and texts are in the cache."""
    return all(cache.published(folder) for folder in _folders(PROFILES[profile], folder_of(cache_folder)))


def _folders(size: Size, home: Path) -> tuple[Path, Path]:
    """Where pictures and texts belong."""
    drawn = cache.key([openclipart_files.VERSION, image_features.settings(), size.of])
    return home / f"pictures-{drawn}", home / f"texts-{cache.key([settings(), size.of])}"


def folder_of(cache_folder: Path | None = None) -> Path:
    """Where the data set is kept."""
    return Path(cache_folder or paths.DATA) / "openclipart"


def download(cache_folder: Path | None = None) -> Path:
    """The folder with the two Debian packages, fetched by apt-get if they are not there. Raises InputError."""
    packages = folder_of(cache_folder) / "packages"
    try:
        openclipart_files.find(packages)
    except InputError:
        debian.download(PACKAGES, packages)
    return packages


def settings() -> list[Any]:
    """Everything that decides pictures, texts and groups besides the packages: the key of the cache."""
    code = [openclipart_files.VERSION, duplicates.VERSION, texts.VERSION]
    return [code, SAME_WORDS, image_features.settings()]


def _build(home: Path, drawn: Path, described: Path, count: int, processes: int) -> dict[str, Any]:
    """Unpack the pictures for a while, compute their features, and write down texts and groups beside them."""
    packages = home / "packages"
    clips = openclipart_files.clips(packages)
    clips = clips[:: len(clips) // count][:count] if count else clips
    ids = [clip.id for clip in clips]
    manifest = cache.published(drawn)
    if manifest is None:
        manifest = _compute(home, drawn, ids, processes)
    names = set(manifest["names"])
    kept = [clip for clip in clips if clip.id in names]
    columns = {name: [getattr(clip, name) for clip in kept] for name in Clip._fields}
    groups = group(kept, np.load(drawn / "thumbnails.npy", mmap_mode="r"))
    listed = {"ids": columns["id"], "texts": columns["text"], "labels": columns["label"], "groups": groups.tolist()}
    cache.publish(described, {}, listed)
    return cache.published(described)


def _draw_again(home: Path, folder: Path, drawn: Path, processes: int) -> dict[str, Any]:
    """The same pictures as in the folder `drawn`, mirrored."""
    return _compute(home, folder, cache.published(drawn)["names"], processes, mirrored=True)


def _compute(home: Path, folder: Path, ids: list[str], processes: int, mirrored: bool = False) -> dict[str, Any]:
    """Unpack the pictures for a while and compute their features into `folder`."""
    with tempfile.TemporaryDirectory(dir=home, prefix=cache.PART) as unpacked:
        files = openclipart_files.unpack(home / "packages", ids, Path(unpacked))
        return image_features.build(folder, files, ids, {}, processes, mirrored)


def group(clips: list[Clip], thumbnails: np.ndarray) -> np.ndarray:
    """Group numbers (n,): the same title or numbered names, and near duplicates by words, by drawing or by both."""
    side = duplicates.SMALL
    blocks = thumbnails.reshape(len(thumbnails), side, 2, side, 2, 3)
    ink = duplicates.same_ink(blocks.mean(axis=(2, 4)))
    words = duplicates.same_words([clip.text for clip in clips])
    return duplicates.groups(duplicates.related(words, ink, SAME_WORDS), [clip.relatives() for clip in clips])
