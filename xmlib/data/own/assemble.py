"""From pictures and texts of any origin to three splits: image features, tf-idf, small pictures to look at."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xmlib import paths
from xmlib.data.image_text import check_seed
from xmlib.data.own.divide import divide
from xmlib.data.own.items import NAMED, Items, only
from xmlib.data.pictures import image_features
from xmlib.data.preparation import Texts
from xmlib.data.splits import Pictures, Split, Splits, View
from xmlib.errors import InputError

VERSION = 2  # raise it when splits may come out differently


def splits_of(
    items: Items,
    name: str,
    profile: str,
    seed: int,
    settings: dict[str, Any],
    *,
    missing: str = "stop",
    cache_folder: Path | None = None,
    processes: int = 0,
    **sharing: Any,
) -> Splits:
    """Train, validation and test pairs; view 1 is (1280,) image features, view 2 tf-idf weights of length 1.

    One row for each text; a picture with several texts comes back in each of their rows, and `image_of_text` of a split
    numbers the pictures (None where every picture has one text). The splits are drawn first (`sharing`: see `divide`);
    the vocabulary comes from the training texts alone. Features are kept in `cache_folder`. A file that is no usable
    picture is a missing one: `missing` is "stop" or "skip". `profile` changes nothing and is kept for the record.
    """
    check_seed(seed)
    split_of_image = divide(items, seed, **sharing)  # bad input is to show before the long work on the pictures
    home = Path(cache_folder or paths.DATA) / "pictures"
    features, thumbnails, kept = image_features.of_files(items.paths, home, processes)
    if len(kept) < len(items.paths):
        items = only(items, kept, _unusable(items, kept, missing))
        split_of_image = divide(items, seed, **sharing)
    rows = {part: np.flatnonzero(split_of_image[items.image_of_text] == part) for part in ("train", "valid", "test")}
    weights = Texts().fit([items.texts[i] for i in rows["train"]]).transform(items.texts)
    parts: dict[str, Any] = {part: _part(items, chosen, features, thumbnails, weights) for part, chosen in rows.items()}
    decided = {**settings, **sharing, "features": image_features.settings(), "assembly": [VERSION]}
    digest = _digest(decided, items, split_of_image)
    return Splits(name, profile, seed, {**decided, "skipped": items.skipped}, digest, **parts)


def _unusable(items: Items, kept: list[int], missing: str) -> str:
    """What to print of pictures that could not be used; raises InputError if they are not to be skipped."""
    lost = sorted(set(range(len(items.paths))) - set(kept))
    first = ", ".join(items.ids[i] for i in lost[:NAMED]) + (", …" if len(lost) > NAMED else "")
    found = f"{len(lost)} of {len(items.paths)} files are no pictures that can be used ({first})"
    if missing == "stop":
        raise InputError(f"{found}; repair or remove them, or set missing to 'skip' to go on without them.")
    return found


def _part(items: Items, rows: np.ndarray, features: np.ndarray, thumbnails: np.ndarray, weights: Any) -> Split:
    images = items.image_of_text[rows]
    view1 = View(len(rows), features.shape[1:], lambda chosen: features[images[chosen]])
    view2 = View(len(rows), weights.shape[1:], lambda chosen: weights[rows[chosen]].toarray())
    labels = np.array([items.labels[i] for i in images]) if any(items.labels) else None
    said, shown = [items.texts[i] for i in rows], Pictures(thumbnails, images)
    part = Split(view1, view2, _ids(items, rows), items.groups[images], labels, said, pictures=shown)
    part.image_of_text = _numbered(images)  # type: ignore[attr-defined]
    return part


def _ids(items: Items, rows: np.ndarray) -> list[str]:
    """The picture of each row, with the number of the text where it has several."""
    images = items.image_of_text
    number, several = pd.Series(images).groupby(images).cumcount(), np.bincount(images) > 1
    return [items.ids[images[i]] + (f"#{number[i]}" if several[images[i]] else "") for i in rows.tolist()]


def _numbered(images: np.ndarray) -> np.ndarray | None:
    """The pictures of a split counted from 0 in order of appearance; None where every row has its own."""
    number, seen = pd.factorize(images)
    return None if len(seen) == len(images) else number


def _digest(decided: dict[str, Any], items: Items, split_of_image: np.ndarray) -> str:
    """SHA-256 of all that the pairs are made of; the bytes of the files stand for the features.

    The last digits of features depend on the processor, and two machines should agree that they have the same pairs.
    """
    content = [
        decided, image_features.hash_of(items.paths), items.ids, items.labels, items.texts,
        items.groups.tolist(), items.image_of_text.tolist(), split_of_image.tolist(),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
