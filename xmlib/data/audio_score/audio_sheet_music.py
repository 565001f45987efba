"""The original pairs: audio_sheet_music.npz, as released with the paper."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from xmlib.data.audio_score.pairs import content_digest
from xmlib.data.own import arrays, given
from xmlib.data.splits import Split, Splits, View
from xmlib.errors import InputError

PARTS = {"train": "tr", "valid": "va", "test": "te"}
KEYS = [f"{side}_{part}" for part in PARTS.values() for side in "XY"]
PICTURES = ((80, 100), (40, 50))  # the larger ones are halved
SOUND = (92, 42)


def load(file: str | Path, profile: str = "quick", seed: int = 23) -> Splits:
    """The pairs of the released file; profile and seed change nothing and are kept for the record.

    Pictures come out 1×40×50 in [0, 1], excerpts 1×92×42 as they are. The file does not tell the pieces apart, so every
    pair is a group of its own. Raises InputError for a file that is missing, damaged, or not of this form.
    """
    found = _read(given.path(file))
    pictures = {part: _pictures(found[f"X_{part}"], f"X_{part} in {file}") for part in PARTS.values()}
    sounds = {part: _sounds(found[f"Y_{part}"], f"Y_{part} in {file}") for part in PARTS.values()}
    splits: dict[str, Any] = {}
    first = 0
    for name, part in PARTS.items():
        n = len(pictures[part])
        if n != len(sounds[part]):
            raise InputError(f"{file} has {n} pictures in X_{part} but {len(sounds[part])} excerpts in Y_{part}.")
        if n == 0:
            raise InputError(f"{file} has no pairs in X_{part} and Y_{part}.")
        ids = [f"{part}-{i}" for i in range(n)]
        splits[name] = Split(_view(pictures[part]), _view(sounds[part]), ids, np.arange(first, first + n))
        first += n
    digest = content_digest(KEYS, *pictures.values(), *sounds.values())
    return Splits("audio_score", profile, seed, {"dataset_file": Path(file).name}, digest, **splits)


def _view(array: np.ndarray) -> View:
    return View(len(array), array.shape[1:], lambda chosen: array[chosen])


def _read(file: Path) -> dict[str, np.ndarray]:
    """The six arrays."""
    if not os.path.isfile(file):
        raise InputError(f"dataset_file {file} is not there; give the path of the released audio_sheet_music.npz.")
    if not zipfile.is_zipfile(file):
        raise InputError(f"{file} is no .npz file, or only the beginning of one; fetch audio_sheet_music.npz again.")
    there = arrays.keys(file)
    if missing := [key for key in KEYS if key not in there]:
        raise InputError(
            f"{file} lacks {', '.join(missing)} (it has: {', '.join(there) or 'nothing'}); "
            f"audio_sheet_music.npz has {', '.join(KEYS)}."
        )
    return {key: _numbers(arrays.load(file, key), key, file) for key in KEYS}


def _numbers(array: np.ndarray, key: str, file: Path) -> np.ndarray:
    if array.dtype.kind not in "uif":
        raise InputError(f"{key} in {file} is of type {array.dtype}; it must be numbers.")
    return array


def _pictures(array: np.ndarray, where: str) -> np.ndarray:
    """(n, 1, 40, 50) float32 in [0, 1], the larger ones with every 2×2 pixels averaged."""
    array = _items(array, PICTURES, where)
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 255.0)
    if low < 0 or not 1 < high <= 255:
        raise InputError(f"{where} has values from {low:g} to {high:g}; pictures go from 0 (black) to 255 (white).")
    scaled = array.astype(np.float32) / np.float32(255)
    if scaled.shape[1:] == PICTURES[0]:
        scaled = (scaled[:, ::2, ::2] + scaled[:, ::2, 1::2] + scaled[:, 1::2, ::2] + scaled[:, 1::2, 1::2]) / 4
    return scaled[:, None]


def _sounds(array: np.ndarray, where: str) -> np.ndarray:
    """(n, 1, 92, 42) float32."""
    return _items(array, (SOUND,), where).astype(np.float32)[:, None]


def _items(array: np.ndarray, shapes: tuple[tuple[int, int], ...], where: str) -> np.ndarray:
    """(n, height, width) of finite numbers, a channel axis of 1 taken away."""
    items = array[:, 0] if array.ndim == 4 and array.shape[1] == 1 else array
    if items.ndim != 3 or items.shape[1:] not in shapes:
        wanted = " or ".join(f"n × {a} × {b}" for a, b in shapes)
        raise InputError(f"{where} has shape {' × '.join(map(str, array.shape))}; it must be {wanted}.")
    if not np.isfinite(items).all():
        raise InputError(f"{where} has values that are not finite (NaN or infinite); repair or fetch the file again.")
    return items
