"""Pairs cut by PyTorch out of strips and frames that stay on a device: the numbers of `pairs`, to the last bit.

Meant for a GPU, which then waits for no copy; a processor cuts pictures three times as fast with NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from xmlib.data.audio_score.engrave import HEIGHT, WIDTH
from xmlib.data.audio_score.synthesize import EXCERPT

if TYPE_CHECKING:  # whoever only builds pairs does without
    import torch
    from torch import Tensor


class Resident:
    """An array, and its copy on every device that has asked for one."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.copies: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """The copy on that device."""
        import torch

        place = torch.empty(0, device=device).device  # of "cuda" and "cuda:0" the same
        if place not in self.copies:
            self.copies[place] = torch.from_numpy(np.array(self.array)).to(place)
        return self.copies[place]


def cutter(cut: Callable[[Tensor, Tensor], Tensor], source: Resident, starts: np.ndarray) -> Callable[[Tensor], Tensor]:
    """What gives the batch for a tensor of item numbers, on the device of that tensor."""
    begin = Resident(starts)
    return lambda items: cut(source.on(items.device), begin.on(items.device)[items])


def pictures(strips: Tensor, columns: Tensor) -> Tensor:
    """(n, 1, 40, 50) float32 in [0, 1]: 100 columns from each start, every 2×2 pixels averaged."""
    block = strips.unfold(0, WIDTH, 1)[columns].float()  # (n, 80, 100)
    pairs = block[:, :, 0::2] + block[:, :, 1::2]
    white = block.new_tensor(4 * 255.0)  # a plain number would be inverted and multiplied by, which rounds otherwise
    return ((pairs[:, 0::2] + pairs[:, 1::2]) / white)[:, None]


def sounds(frames: Tensor, starts: Tensor) -> Tensor:
    """(n, 1, 92, 42) float32: 42 frames from each start."""
    return frames.unfold(0, EXCERPT, 1)[starts][:, None].float()


def changed(
    strips: Tensor, frames: Tensor, columns: np.ndarray, across: np.ndarray, down: np.ndarray, excerpts: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Both views at the places of `augment.Places`, as there, but each matrix of shares in one go."""
    import torch

    at = [torch.from_numpy(p).to(strips.device, non_blocking=True) for p in (columns, across, down, excerpts)]
    ink = 255 - strips[at[0]].float()  # (n, width, 80)
    halved = _means_of_two(at[1], ink.shape[1]) @ ink  # (n, 50, 80)
    white = 255 - _means_of_two(at[2], HEIGHT) @ halved.transpose(1, 2)
    return white.clamp(min=0)[:, None] / 255, frames[at[3]].transpose(1, 2)[:, None].float()


def _means_of_two(positions: Tensor, size: int) -> Tensor:
    """(n, m, size): what `augment.means_of_two` gives."""
    import torch

    share = (1 - (positions[:, :, None] - torch.arange(size, device=positions.device)).abs()).clamp(min=0)
    return ((share[:, 0::2] + share[:, 1::2]) / 2).float()
