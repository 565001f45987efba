"""Pictures with texts out of packages: features and texts are made once and kept, for every data set in the same way.

What they are made of has an `id`, a `text` and a `label`. Pictures lie in one folder of the cache, texts in another.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xmlib.data import cache
from xmlib.data.image_text import Items, Size, assemble, mirror, opened
from xmlib.data.pictures import image_features
from xmlib.data.splits import Splits

Folders = tuple[Path, Path]  # of the pictures and of the texts
Unpack = Callable[[list[str], Path], list[Path]]  # files of the pictures with these ids, written below a folder


def pairs(
    name: str, profile: str, seed: int, size: Size, folders: Folders, build: Callable[[], dict[str, Any]],
    unpack: Unpack, *, processes: int, mirrored: bool, settings: dict[str, Any], **how: Any,
) -> Splits:  # fmt: skip
    """The splits of a data set, built by `build` on first use, and those of mirrored pictures likewise.

    `how`: for `image_text.assemble`, as are all whose names it knows.
    """
    drawn, described = folders
    home, again = drawn.parent, drawn.with_name(f"mirrored-{drawn.name}")
    known = cache.built(home, name, lambda: cache.published(drawn) and cache.published(described), build)
    if mirrored:
        make = partial(compute, again, known["ids"], unpack, processes, mirrored)
        cache.built(home, name, lambda: cache.published(again), make)
    return assemble(
        name, profile, seed, items(known), dict.fromkeys(("train", "valid", "test"), opened(drawn)), size,
        settings=settings | mirror(mirrored), folder=drawn, more=[opened(again)] if mirrored else [], **how,
    )  # fmt: skip


def items(known: dict[str, Any]) -> Items:
    """The items of a folder that `describe` has written."""
    return Items(known["ids"], known["texts"], np.array(known["labels"]), np.array(known["groups"], np.int64))


def draw(folder: Path, things: Sequence[Any], unpack: Unpack, processes: int) -> tuple[list[Any], np.ndarray]:
    """The things whose pictures can be used, and their thumbnails; features are computed if they are not there."""
    manifest = cache.published(folder) or compute(folder, [thing.id for thing in things], unpack, processes)
    names = set(manifest["names"])
    return [thing for thing in things if thing.id in names], np.load(folder / "thumbnails.npy", mmap_mode="r")


def compute(folder: Path, ids: list[str], unpack: Unpack, processes: int, mirrored: bool = False) -> dict[str, Any]:
    """Unpack the pictures for a while and compute their features into `folder`; the manifest."""
    for left in folder.parent.glob(f"{cache.PART}*"):
        shutil.rmtree(left)  # of a build that was killed; no other one is under way
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=cache.PART) as unpacked:
        return image_features.build(folder, unpack(ids, Path(unpacked)), ids, {}, processes, mirrored)


def describe(folder: Path, things: Sequence[Any], groups: np.ndarray, **more: Any) -> dict[str, Any]:
    """Write down ids, texts, labels and groups of the things, and whatever else is given; the manifest."""
    listed = {f"{name}s": [getattr(thing, name) for thing in things] for name in ("id", "text", "label")}
    cache.publish(folder, {}, {**listed, "groups": groups.tolist(), **more})
    return cache.published(folder)
