"""Encoders: one view in, d numbers a pair out (Dorfer et al., 2018: `models/audio_score_*`, `iapr_*`)."""

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn

FILTERS = (24, 48, 96, 96)  # of the four blocks at width 1
HIDDEN = 1024  # units in both hidden layers at width 1
BN_EPS = 1e-4  # Lasagne's default; PyTorch's is 1e-5


class ConvEncoder(nn.Module):
    """Convolutional encoder of one-channel pictures: (n, 1, h, w) in, (n, d) out.

    Four blocks of two 3×3 convolutions, each with batch norm and ELU, and a 2×2 max-pool; then a 1×1 convolution
    to `d` maps with batch norm and the mean over positions. `width` scales the released 24/48/96/96 filters, rounded
    down to multiples of 8, since vector units compute so many channels at once.
    No non-linearity follows the last layer: CCA wants unbounded features.
    `bfloat16`: all but the last convolution and what follows it are computed in half precision, for speed on a GPU;
    weights and the statistics of batch norm stay float32.
    """

    def __init__(self, d: int = 32, width: float = 1.0, bfloat16: bool = False):
        super().__init__()
        self.bfloat16 = bfloat16
        channels = [1, *filters(width)]
        blocks = [_block(a, b) for a, b in zip(channels, channels[1:], strict=False)]
        self.layers = nn.Sequential(*blocks, nn.Conv2d(channels[-1], d, 1, bias=False), nn.BatchNorm2d(d, eps=BN_EPS))
        self.apply(init_as_released)
        self.to(memory_format=torch.channels_last)  # about 1.5 times faster on a CPU

    def forward(self, view: Tensor) -> Tensor:
        with torch.autocast(view.device.type, torch.bfloat16) if self.bfloat16 else nullcontext():
            maps = self.layers[:-2](view.contiguous(memory_format=torch.channels_last))
        return self.layers[-2:](maps.float()).mean(dim=(2, 3))  # of (n, d, h/16, w/16)


def filters(width: float) -> tuple[int, ...]:
    """The filters of the four blocks at this width: the released ones times it, rounded down to multiples of 8."""
    return tuple(8 * max(1, int(width * released / 8 + 1e-9)) for released in FILTERS)


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    """conv → BN → ELU, twice, → max-pool. ELU never decreases, so pooling before it gives the same for less work."""
    return nn.Sequential(
        *_conv(channels_in, channels_out),
        nn.ELU(inplace=True),
        *_conv(channels_out, channels_out),
        nn.MaxPool2d(2),
        nn.ELU(inplace=True),
    )


def _conv(channels_in: int, channels_out: int) -> tuple[nn.Module, nn.Module]:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)  # batch norm brings its own bias
    return conv, nn.BatchNorm2d(channels_out, eps=BN_EPS)


def linear_encoder(features: int, d: int, dropout: float = 0.0) -> nn.Module:
    """One linear layer, (n, features) in, (n, d) out: the released encoder of pretrained image features.

    `dropout`: share of the features that training leaves out at random; 0 as released.
    """
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(features, d)).apply(init_as_released)


def mlp_encoder(features: int, d: int, width: float = 1.0, dropout: float = 0.0) -> nn.Module:
    """Two dense layers with batch norm and ELU, then one to `d`: the released encoder of tf-idf vectors.

    `width` scales the released 1,024 hidden units, rounded down to multiples of 8. `dropout`: share of the words that
    training leaves out at random; 0 as released.
    """
    hidden = 8 * max(1, int(width * HIDDEN / 8 + 1e-9))
    dense = [*_dense(features, hidden), *_dense(hidden, hidden)]
    return nn.Sequential(nn.Dropout(dropout), *dense, nn.Linear(hidden, d)).apply(init_as_released)


def _dense(units_in: int, units_out: int) -> tuple[nn.Module, ...]:
    dense = nn.Linear(units_in, units_out, bias=False)  # batch norm brings its own bias
    return dense, nn.BatchNorm1d(units_out, eps=BN_EPS), nn.ELU(inplace=True)


def init_as_released(module: nn.Module) -> None:
    """He uniform with gain 1, bound √(3 / fan_in): Lasagne's `HeUniform()`, not PyTorch's default √(1 / fan_in)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        bound = math.sqrt(3 / module.weight[0].numel())
        nn.init.uniform_(module.weight, -bound, bound)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
