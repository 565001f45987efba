"""What every data set hands out: three splits of pairs, cut when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xmlib.errors import InputError

if TYPE_CHECKING:
    from xmlib.data.audio_score.augment import Augmentation


SMALL, LARGE = 1e-6, 1e12  # below, nothing is left beside ridge and batch norm's ε; above, float32 squares overflow
AT_ONCE = 100  # items that are looked at together


class View:
    """One side of the pairs: `view[i]` is one item, `view[slice or array]` a batch, float32 (word numbers: int64).

    `shape`: of one item. `cut`: gives the batch for an array of item numbers. `cut_on_device`: the same for a tensor of
    item numbers, on its device; None where batches are cut on the processor alone.
    """

    def __init__(
        self,
        length: int,
        shape: tuple[int, ...],
        cut: Callable[[np.ndarray], np.ndarray],
        cut_on_device: Callable[[Any], Any] | None = None,
    ) -> None:
        self.length, self.shape, self.cut, self.cut_on_device = length, shape, cut, cut_on_device

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        chosen = np.arange(self.length)[index]
        return self.cut(chosen) if chosen.ndim else self.cut(chosen[None])[0]


class Pictures:
    """Pictures to look at: `pictures[i]` is one, (h, w, 3) uint8 RGB, `pictures[slice or array]` a batch of them.

    `images`: (m, h, w, 3), may be mapped from a file; `rows`: which of them, in which order.
    """

    def __init__(self, images: np.ndarray, rows: np.ndarray) -> None:
        self.images, self.rows, self.shape = images, rows, images.shape[1:]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        return np.array(self.images[self.rows[index]])  # a copy: the file stays as it is


@dataclass
class Split:
    """Pairs of one split. `groups`: pairs with the same number come from related pieces.

    `rows`: a structured array with what else is known of each pair, None where nothing is; `tunes`: what is known
    of the pieces, `rows["tune"]` points into it. `labels`: class of each pair; `pictures`: to be looked at.
    `image_of_text`: which picture of the split a row has, counted from 0; None where every row has its own.
    `augmentation`: cuts the pairs changed, for training; None where the data set has none.
    """

    view1: View
    view2: View
    ids: list[str]
    groups: np.ndarray
    labels: np.ndarray | None = None
    texts: list[str] | None = None
    rows: np.ndarray | None = field(default=None, repr=False)
    tunes: list[dict[str, Any]] = field(default_factory=list, repr=False)
    pictures: Pictures | None = field(default=None, repr=False)
    image_of_text: np.ndarray | None = field(default=None, repr=False)
    augmentation: Augmentation | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass
class Splits:
    """A data set. `settings`: all it was made from; `digest`: hash of its content (arrays, rows, order).

    `folder`: where it lies in the cache, None if it is not from there. `packages`: versions of those that made it, if
    that was on another machine.
    """

    name: str
    profile: str
    seed: int
    settings: dict[str, Any]
    digest: str
    train: Split
    valid: Split
    test: Split
    folder: Path | None = None
    packages: dict[str, str] = field(default_factory=dict)

    def check_values(self) -> None:
        """Raises `InputError` for NaN and infinite values, and for a view whose numbers are far from 1 altogether."""
        for name in ("train", "valid", "test"):
            for view in ("view1", "view2"):
                largest = _largest(getattr(self, name), view, f"{view} of the {name} split")
                if largest > LARGE or (largest < SMALL and name == "train"):
                    raise InputError(
                        f"The numbers in {view} of the {name} split are {largest:.0e} at most, and encoders take "
                        f"numbers of about 1 (above {SMALL:g}, below {LARGE:g}): multiply that view by a constant."
                    )


def _largest(split: Split, view: str, where: str) -> float:
    """The largest absolute value in a view; raises `InputError` where one is not finite."""
    largest = 0.0
    for start in range(0, len(split), AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, len(split)))
        sizes = np.abs(getattr(split, view)[rows]).reshape(len(rows), -1).max(1, initial=0)
        bad = ~np.isfinite(sizes)
        if bad.any():
            item = split.ids[rows[bad][0]]
            raise InputError(
                f"{where} holds NaN or infinite values, first in item {item!r}: mend that item or leave it out."
            )
        largest = max(largest, float(sizes.max()))
    return largest
