"""IAPR TC-12 as released with the paper: features of photographs and tf-idf vectors of their captions, in iapr.npz."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from xmlib.data import download
from xmlib.data.audio_score.pairs import content_digest
from xmlib.data.image_text import one_of
from xmlib.data.own import arrays, given
from xmlib.data.splits import Split, Splits, View
from xmlib.errors import InputError

KEYS = ("images", "tfidf")
PAIRS = 19996  # in the released file
VALID, TEST = 1000, 2000
REPEATED = 4  # the first training pairs come once more at the end: 17,000 of 19,996
SHUFFLE = 23  # seed of the released order
PROFILES = {"toy": 500, "quick": 0, "medium": 0, "full": 0}  # how many training pairs are used, 0 for all


def load(
    profile: str = "quick", seed: int = 23, *, dataset_file: str | Path = "", released_scaling: bool = False,
    cache_folder: Path | None = None,
) -> Splits:  # fmt: skip
    """The pairs of the released file: view 1 of 4,096 image features, view 2 of 2,048 word weights.

    The split is the released one whatever the seed, which is kept for the record: rows in the order of
    `RandomState(23).permutation(19996)`, 1,000 for validation, then 2,000 for the test, the rest for training, its
    first 4 once more at the end. Images are divided by their maximum, word weights brought to [0, 1]; both are fitted
    on the training rows, with `released_scaling` on all rows, test included, as in the released code. `dataset_file`:
    by default where `xm data download iapr` puts it. Captions and classes are not in the file.
    Raises InputError for a file that is missing, damaged, or not of this form.
    """
    few = PROFILES[one_of("profile", profile, PROFILES)]
    file = given.path(dataset_file) if dataset_file else download.place("iapr", cache_folder)
    images, words = _read(file)
    if len(images) < len(words):
        raise InputError(f"{file} has {len(images)} rows of images but {len(words)} of tfidf; give one a text.")
    if len(words) <= VALID + TEST + REPEATED:
        raise InputError(
            f"{file} has {len(words)} pairs; {VALID} go to validation and {TEST} to the test, so give more."
        )
    rows = split(len(words))
    fitted = slice(None) if released_scaling else rows["train"]
    top = float(images[fitted].max())
    low, high = float(words[fitted].min()), float(words[fitted].max())
    if not top > 0 or not high > low:
        raise InputError(f"{file} has images or word weights that are all the same; nothing can be learned from them.")
    if few:
        rows = {"train": rows["train"][:few], "valid": rows["valid"][: few // 5], "test": rows["test"][: few // 5]}
    parts: dict[str, Any] = {name: _part(images, words, chosen, name, top, low, high) for name, chosen in rows.items()}
    decided = {"dataset_file": file.name, "released_scaling": released_scaling, "few": few}
    digest = content_digest([str(decided), *KEYS], images[: len(words)], words)
    return Splits("iapr", profile, seed, decided, digest, **parts)


def split(count: int) -> dict[str, np.ndarray]:
    """Row numbers of the released split of so many pairs."""
    order = np.random.RandomState(SHUFFLE).permutation(count)
    train = order[VALID + TEST :]
    return {"train": np.r_[train, train[:REPEATED]], "valid": order[:VALID], "test": order[VALID : VALID + TEST]}


def _part(
    images: np.ndarray, words: np.ndarray, rows: np.ndarray, name: str, top: float, low: float, high: float
) -> Split:
    def cut_images(chosen: np.ndarray) -> np.ndarray:
        return images[rows[chosen]].astype(np.float32) / np.float32(top)

    def cut_words(chosen: np.ndarray) -> np.ndarray:
        return (words[rows[chosen]].astype(np.float32) - np.float32(low)) / np.float32(high - low)

    seen = set(rows[:-REPEATED].tolist()) if name == "train" else set()
    again = [name == "train" and i >= len(rows) - REPEATED and row in seen for i, row in enumerate(rows.tolist())]
    ids = [f"{row}{' again' if twice else ''}" for row, twice in zip(rows.tolist(), again, strict=True)]
    view1, view2 = View(len(rows), images.shape[1:], cut_images), View(len(rows), words.shape[1:], cut_words)
    return Split(view1, view2, ids, rows.astype(np.int64))  # the two copies of a pair form one group


def _read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The arrays `images` and `tfidf`, finite numbers in two dimensions."""
    if not os.path.isfile(file):
        raise InputError(
            f"{file} is not there; run: xm data download iapr, or give the path of the released iapr.npz "
            "as dataset_file."
        )
    if not zipfile.is_zipfile(file):
        raise InputError(f"{file} is no .npz file, or only the beginning of one; fetch iapr.npz again.")
    there = arrays.keys(file)
    if missing := [key for key in KEYS if key not in there]:
        has = ", ".join(there) or "nothing"
        raise InputError(f"{file} lacks {', '.join(missing)} (it has: {has}); iapr.npz has images and tfidf.")
    images, words = (_numbers(arrays.load(file, key), key, file) for key in KEYS)
    return images, words


def _numbers(array: np.ndarray, key: str, file: Path) -> np.ndarray:
    if array.dtype.kind not in "uif" or array.ndim != 2 or 0 in array.shape:
        shape = " × ".join(map(str, array.shape))
        raise InputError(f"{key} in {file} is of type {array.dtype} and shape {shape}; it must be rows of numbers.")
    if not np.isfinite(array).all():
        raise InputError(f"{key} in {file} has values that are not finite (NaN or infinite); fetch the file again.")
    return array
