"""Clip art: drawings by many hands and what these wrote about them, from the Open Clip Art Library in Debian."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xmlib import paths
from xmlib.data import cache, drawn, duplicates, texts
from xmlib.data.image_text import SPLITS, Size, check_seed, one_of
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
    unpack, folders = partial(openclipart_files.unpack, home / "packages"), _folders(size, home)
    return drawn.pairs(
        "openclipart", profile, seed, size, folders, partial(_build, *folders, size.of, unpack, processes), unpack,
        processes=processes, mirrored=mirrored, split=split, shuffled=shuffled, complementary=complementary,
        settings={"items": settings(), "size": size._asdict(), "seed": seed},
    )  # fmt: skip


def is_built(profile: str = "quick", cache_folder: Path | None = None) -> bool:
    """Whether pictures and texts are in the cache."""
    return all(cache.published(folder) for folder in _folders(PROFILES[profile], folder_of(cache_folder)))


def _folders(size: Size, home: Path) -> tuple[Path, Path]:
    """Where pictures and texts belong."""
    pictures = cache.key([openclipart_files.VERSION, image_features.settings(), size.of])
    return home / f"pictures-{pictures}", home / f"texts-{cache.key([settings(), size.of])}"


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


def _build(pictures: Path, described: Path, count: int, unpack: drawn.Unpack, processes: int) -> dict[str, Any]:
    """Unpack the pictures for a while, compute their features, and write down texts and groups beside them."""
    clips = openclipart_files.clips(pictures.parent / "packages")
    clips = clips[:: len(clips) // count][:count] if count else clips
    kept, thumbnails = drawn.draw(pictures, clips, unpack, processes)
    return drawn.describe(described, kept, group(kept, thumbnails))


def group(clips: list[Clip], thumbnails: np.ndarray) -> np.ndarray:
    """Group numbers (n,): the same title or numbered names, and near duplicates by words, by drawing or by both."""
    side = duplicates.SMALL
    blocks = thumbnails.reshape(len(thumbnails), side, 2, side, 2, 3)
    ink = duplicates.same_ink(blocks.mean(axis=(2, 4)))
    words = duplicates.same_words([clip.text for clip in clips])
    return duplicates.groups(duplicates.related(words, ink, SAME_WORDS), [clip.relatives() for clip in clips])
