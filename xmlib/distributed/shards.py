"""Vectors of many items in a folder of files, written by one job or by several, which may be killed at any time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from xmlib import files
from xmlib.data import cache
from xmlib.errors import InputError

SHARD = 50_000  # items: with 128 numbers each 25 MB, some seconds of work that a kill can cost


def write(
    folder: Path, n: int, embed: Callable[[int, int], np.ndarray], version: str, share: tuple[int, int] = (0, 1)
) -> list[Path]:
    """The files that were missing and are there now: shard after shard of the vectors of n items.

    `embed(start, stop)`: the vectors (stop − start, k) of those items. `version`: says all that decides them, such as
    the digests of model and items. `share`: (number of this job from 0, number of jobs). A shard is there whole or not
    at all. Raises `InputError` where the folder has vectors of another version or of other items.
    """
    asked = {"items": n, "shard": SHARD, "version": version}
    manifest = cache.read_json(folder / cache.MANIFEST)
    if manifest is None:
        cache.write_json(folder / cache.MANIFEST, asked)
    elif manifest != asked:
        raise InputError(f"{folder} has vectors of {manifest}, not of {asked}: choose another folder or remove it.")
    made = []
    for number in range(share[0], _count(n), share[1]):
        file = _file(folder, number)
        if not file.exists():
            vectors = embed(number * SHARD, min((number + 1) * SHARD, n))
            files.write(file, partial(np.save, arr=vectors, allow_pickle=False))
            made.append(file)
    return made


def opened(folder: Path, version: str) -> list[np.ndarray]:
    """All shards in order, mapped from their files.

    Raises `InputError` where there are none, some are missing, of another length, or of another version.
    """
    manifest = cache.read_json(folder / cache.MANIFEST)
    if manifest is None:
        raise InputError(f"There are no vectors in {folder}: write them first.")
    if manifest["version"] != version:
        raise InputError(f"{folder} has vectors of version {manifest['version']}, not {version}: write them anew.")
    numbers, n, size = range(-(-manifest["items"] // manifest["shard"])), manifest["items"], manifest["shard"]
    if missing := [number for number in numbers if not _file(folder, number).exists()]:
        raise InputError(
            f"Of {len(numbers)} shards in {folder} {len(missing)} are missing, first {_file(folder, missing[0]).name}: "
            "the command that wrote the others goes on from there."
        )
    shards = [np.load(_file(folder, number), mmap_mode="r", allow_pickle=False) for number in numbers]
    for number, shard in enumerate(shards):
        if len(shard) != min(size, n - number * size):
            raise InputError(f"{_file(folder, number)} has {len(shard)} items of another run: remove it.")
    return shards


def _count(n: int) -> int:
    return -(-n // SHARD)


def _file(folder: Path, number: int) -> Path:
    return folder / f"vectors-{number:06d}.npy"
