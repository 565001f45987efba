"""The finished pairs: plain arrays mapped into memory, snippets cut out when asked for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from xmlib.data.audio_score import on_device
from xmlib.data.audio_score.augment import Augmentation
from xmlib.data.audio_score.engrave import HEIGHT, WIDTH
from xmlib.data.audio_score.on_device import Resident
from xmlib.data.audio_score.synthesize import EXCERPT
from xmlib.data.splits import Split, View

VERSION = 1  # raise it when files, rows or cutting may come out differently
ROW = np.dtype([  # one pair
    ("tune", "<i4"), ("note", "<i4"),  # which of `Split.tunes`; which of the tune's sounding notes
    ("group", "<i4"),
    ("pitch", "<i2"), ("height", "<i2"),  # MIDI number; scale steps above the middle staff line
    ("onset", "<f8"),  # seconds from the tune's beginning
    ("onset_column", "<f8"),  # where among the excerpt's 42 frames the onset falls: in (20, 21]
    ("column", "<i8"), ("frame", "<i8"),  # first row of the snippet in strips, of the excerpt in frames
])  # fmt: skip

SOUNDING = np.dtype([(name, ROW[name]) for name in ("onset", "onset_column", "frame")])  # a pair in one rendering


def open_splits(folder: Path, manifest: dict[str, Any]) -> dict[str, Split]:
    """The three splits of a finished folder."""
    rows = np.load(folder / "rows.npy")
    strips, frames = (Resident(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ("strips", "frames"))
    split_of = np.array([tune["split"] for tune in manifest["tunes"]])[rows["tune"]]
    splits = {name: _split(rows[split_of == name], strips, frames, manifest["tunes"])
              for name in ("train", "valid", "test")}  # fmt: skip
    splits["train"].augmentation = _augmentation(folder, splits["train"].rows, strips, frames, manifest["tunes"])
    return splits


def _split(rows: np.ndarray, strips: Resident, frames: Resident, tunes: list[dict[str, Any]]) -> Split:
    view1 = View(
        len(rows), (1, HEIGHT // 2, WIDTH // 2), lambda i: cut_pictures(strips.array, rows["column"][i]),
        on_device.cutter(on_device.pictures, strips, rows["column"]),
    )  # fmt: skip
    view2 = View(
        len(rows), (1, frames.array.shape[1], EXCERPT), lambda i: cut_sounds(frames.array, rows["frame"][i]),
        on_device.cutter(on_device.sounds, frames, rows["frame"]),
    )  # fmt: skip
    pieces = [_piece(tune, strips.array, frames.array) for tune in tunes]
    return Split(view1, view2, pair_ids(rows, tunes), rows["group"].astype(np.int64), rows=rows, tunes=pieces)


def _augmentation(
    folder: Path, rows: np.ndarray, strips: Resident, frames: Resident, tunes: list[dict[str, Any]]
) -> Augmentation:
    """Of the training rows; without further renderings the only one is that of the rows."""
    further = folder / "sounding.npy"
    sounding = np.load(further) if further.exists() else rows[list(SOUNDING.names)][:, None]
    places = [[played["frames"] for played in tune.get("renderings", [tune])] for tune in tunes]
    strip, sound = (np.array([of[tune] for tune in rows["tune"]]) for of in ([t["strip"] for t in tunes], places))
    return Augmentation(strips, frames, rows["column"], strip, sounding, sound)


def _piece(tune: dict[str, Any], strips: np.ndarray, frames: np.ndarray) -> dict[str, Any]:
    """A tune with its picture `strip` (80, width) and spectrogram `frames` (92, length), and where each begins."""
    (left, right), (first, last) = tune["strip"], tune["frames"]
    begin = {"first_column": left, "first_frame": first}  # to be taken from a row's `column` and `frame`
    return {**tune, **begin, "strip": strips[left:right].T, "frames": frames[first:last].T}


def pair_ids(rows: np.ndarray, tunes: list[dict[str, Any]]) -> list[str]:
    """collection/file/tune#note of each row."""
    return [f"{tunes[tune]['id']}#{note}" for tune, note in rows[["tune", "note"]].tolist()]


def cut_pictures(strips: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(n, 1, 40, 50) float32 in [0, 1]: 100 columns from each start, every 2×2 pixels averaged."""
    return halve(strips[columns[:, None] + np.arange(WIDTH)]).swapaxes(1, 2)[:, None]


def halve(block: np.ndarray) -> np.ndarray:
    """(n, a/2, b/2) float32 in [0, 1]: means of 2×2 pixels of (n, a, b) uint8."""
    pairs = block[:, 0::2].astype(np.uint16) + block[:, 1::2]
    return (pairs[:, :, 0::2] + pairs[:, :, 1::2]).astype(np.float32) / np.float32(4 * 255)


def cut_sounds(frames: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(n, 1, 92, 42) float32: 42 frames from each start."""
    return frames[starts[:, None] + np.arange(EXCERPT)].swapaxes(1, 2)[:, None].astype(np.float32, order="C")


def content_digest(ids: list[str], *arrays: np.ndarray) -> str:
    """SHA-256 of ids and arrays."""
    digest = hashlib.sha256(json.dumps(ids).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
