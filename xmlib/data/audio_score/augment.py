"""Training pairs that differ whenever they are drawn: another rendering, the onset earlier or later, the staff moved.

The amounts are those of the authors' later code, audio_sheet_retrieval. There the 5 pixels are of a window of 160
rows, here of 80; its scaling takes the nearest pixel, ours is linear between pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xmlib.data.audio_score import on_device
from xmlib.data.audio_score.engrave import HEIGHT, WIDTH
from xmlib.data.audio_score.on_device import Resident
from xmlib.data.audio_score.synthesize import EXCERPT
from xmlib.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ONSET = 1  # frames to either side, at strength 1
STAFF = 5  # pixels up or down, of 80
SCALE = 0.05  # of the picture, larger or smaller
STRONGEST = 4.0  # beyond it the staff leaves the picture
TOGETHER = 50  # items resampled at once: the memory of more is given back to the system each time, and zeroed again


class Changes(NamedTuple):
    """What is done to the items of a batch: arrays with one number an item."""

    rendering: np.ndarray  # which of the tune's, from 0
    onset: np.ndarray  # frames by which the onset comes later in the excerpt
    staff: np.ndarray  # pixels by which the staff lies lower, before halving
    scale: np.ndarray  # of the picture, around the notehead's column and the middle staff line


class Places(NamedTuple):
    """Where the items of a batch are read."""

    columns: np.ndarray  # (n, width) of the strips: somewhat more than a snippet
    across: np.ndarray  # (n, 100): where among those each column of the snippet lies
    down: np.ndarray  # (n, 80): where among the rows of the strip each row of the snippet lies
    frames: np.ndarray  # (n, 42) of the spectrograms


class Augmentation:
    """Cuts changed pairs of a training split; strips and frames stay uint8 and float16 until then.

    `column`: (n,) first column of each snippet; `strip`: (n, 2) first column and end of its tune's picture;
    `sounding`: (n, renderings) with the fields `onset`, `onset_column` and `frame` of pairs.ROW;
    `sound`: (n, renderings, 2) first frame and end of each rendering.
    """

    def __init__(
        self,
        strips: Resident,
        frames: Resident,
        column: np.ndarray,
        strip: np.ndarray,
        sounding: np.ndarray,
        sound: np.ndarray,
    ) -> None:
        self.strips, self.frames, self.column, self.strip = strips, frames, column, strip
        self.sounding, self.sound = sounding, sound
        self.renderings = sounding.shape[1]

    def draw(self, n: int, rng: np.random.Generator, strength: float = 1.0) -> Changes:
        """Changes of n items, drawn evenly; at strength 0 the rendering alone.

        Raises InputError for a strength below 0 or above `STRONGEST`.
        """
        if not 0 <= strength <= STRONGEST:
            raise InputError(f"augment = {strength:g} is no strength; choose a number from 0 to {STRONGEST:g}.")
        frames, pixels = round(strength * ONSET), round(strength * STAFF)
        return Changes(
            rng.integers(self.renderings, size=n),
            rng.integers(-frames, frames + 1, size=n),
            rng.integers(-pixels, pixels + 1, size=n),
            1 + strength * SCALE * rng.uniform(-1, 1, size=n),
        )

    def cut(self, rows: np.ndarray, changes: Changes) -> tuple[np.ndarray, np.ndarray]:
        """Both views of those rows, changed: (n, 1, 40, 50) in [0, 1] and (n, 1, 92, 42), float32.

        With rendering 0 and no change they are what the views of the split hold, to the last bit.
        """
        places = self._places(rows, changes)
        parts = [slice(i, i + TOGETHER) for i in range(0, len(rows), TOGETHER)]
        pictures = [self._pictures(Places(*(each[part] for each in places))) for part in parts]
        sounds = self.frames.array[places.frames].swapaxes(1, 2)[:, None]
        return np.concatenate(pictures), sounds.astype(np.float32, order="C")

    def cut_on(self, device: torch.device, rows: np.ndarray, changes: Changes) -> tuple[Tensor, Tensor]:
        """The same up to rounding, cut on that device, where strips and frames stay."""
        return on_device.changed(self.strips.on(device), self.frames.on(device), *self._places(rows, changes))

    def _places(self, rows: np.ndarray, changes: Changes) -> Places:
        """A picture is scaled around the notehead's column and the middle staff line, then moved."""
        scale = changes.scale[:, None]
        margin = int(np.ceil(WIDTH / 2 * (1 / scale.min() - 1)))
        columns = self.column[rows, None] + np.arange(-margin, WIDTH + margin)
        begin = self.sounding["frame"][rows, changes.rendering] - changes.onset
        return Places(
            _inside(columns, self.strip[rows]),  # the ends of a strip are white
            margin + WIDTH // 2 + (np.arange(WIDTH) - WIDTH // 2) / scale,
            HEIGHT // 2 + (np.arange(HEIGHT) - HEIGHT // 2 - changes.staff[:, None]) / scale,
            _inside(begin[:, None] + np.arange(EXCERPT), self.sound[rows, changes.rendering]),
        )

    def _pictures(self, places: Places) -> np.ndarray:
        """Resampled along both axes by a matrix an item, in ink rather than white, so that no paper is white paper."""
        ink = (255 - self.strips.array[places.columns]).astype(np.float32)  # (n, width, 80)
        halved = means_of_two(places.across, ink.shape[1]) @ ink  # (n, 50, 80)
        white = 255 - means_of_two(places.down, HEIGHT) @ halved.swapaxes(1, 2)
        return white.clip(0)[:, None] / np.float32(255)  # sums of shares may exceed 1 by a rounding


def _inside(indices: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Indices (n, m) moved to the nearest from the first to before the end of `bounds`, (n, 2)."""
    first, end = bounds.T[:, :, None]
    return indices.clip(first, end - 1)


def means_of_two(positions: np.ndarray, size: int) -> np.ndarray:
    """(n, m, size) float32: what each of `size` pixels gives to the means of two neighbouring output pixels.

    `positions`: (n, 2m), where each output pixel lies among the `size`; linear between pixels, nothing outside.
    """
    n, outputs = positions.shape
    weights = np.zeros((n, outputs // 2, size), np.float32)
    item, output = np.ogrid[:n, : outputs // 2]
    below = np.floor(positions).astype(int)
    for pixel, share in ((below, below + 1 - positions), (below + 1, positions - below)):
        share = np.where((pixel >= 0) & (pixel < size), share / 2, 0).astype(np.float32)
        pixel = pixel.clip(0, size - 1)
        for k in (0, 1):  # one at a time, since both may read the same pixel
            weights[item, output, pixel[:, k::2]] += share[:, k::2]
    return weights
