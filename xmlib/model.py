"""A two-view model: one encoder a view, and a head that brings both into one space."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from xmlib.encoders import init_as_released


class LinearHead(nn.Module):
    """A learned linear map per view on centred features, then unit length: the freely learned embedding.

    In training the features are centred by the batch mean, in evaluation by the stored mean, which `refit` sets to that
    of all training pairs. The released code uses the mean of the last batch there.
    """

    def __init__(self, d: int):
        super().__init__()
        self.map1, self.map2 = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
        self.apply(init_as_released)
        self.register_buffer("mean1", torch.zeros(d))
        self.register_buffer("mean2", torch.zeros(d))

    def forward(self, h1: Tensor, h2: Tensor) -> tuple[Tensor, Tensor]:
        """Unit-length embeddings (n, d) of encoder outputs `h1`, `h2` (n, d)."""
        if self.training:
            mean1, mean2 = h1.mean(0), h2.mean(0)
            self.mean1, self.mean2 = mean1.detach(), mean2.detach()
            return _unit(self.map1(h1 - mean1)), _unit(self.map2(h2 - mean2))
        return self.embed1(h1), self.embed2(h2)

    def embed1(self, h1: Tensor) -> Tensor:
        """Unit-length embeddings (n, d) of the first view alone, with the stored mean."""
        return _unit(self.map1(h1 - self.mean1))

    def embed2(self, h2: Tensor) -> Tensor:
        """Unit-length embeddings (n, d) of the second view alone."""
        return _unit(self.map2(h2 - self.mean2))

    @torch.no_grad()
    def refit(self, h1: Tensor, h2: Tensor) -> None:
        """Store the means of encoder outputs (n, d)."""
        self.mean1, self.mean2 = h1.mean(0), h2.mean(0)


def _unit(h: Tensor) -> Tensor:
    return functional.normalize(h, dim=1)


class UnitHead(nn.Module):
    """Scales rows to unit length and has nothing to learn, as in the released code of Thomas and Kovashka (2020)."""

    def forward(self, h1: Tensor, h2: Tensor) -> tuple[Tensor, Tensor]:
        """Unit-length embeddings (n, d) of encoder outputs `h1`, `h2` (n, d)."""
        return _unit(h1), _unit(h2)

    def embed1(self, h1: Tensor) -> Tensor:
        """Unit-length embeddings (n, d) of the first view alone."""
        return _unit(h1)

    def embed2(self, h2: Tensor) -> Tensor:
        """Unit-length embeddings (n, d) of the second view alone."""
        return _unit(h2)

    def refit(self, h1: Tensor, h2: Tensor) -> None:
        """Does nothing, since this head has nothing to estimate."""


class TwoView(nn.Module):
    """`encoder1`, `encoder2` and a `head` with `forward(h1, h2)`, `embed1`, `embed2` and `refit(h1, h2)`.

    `forward(view1, view2)` gives unit-length embeddings (n, k) of both views.
    """

    def __init__(self, encoder1: nn.Module, encoder2: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder1, self.encoder2, self.head = encoder1, encoder2, head

    def forward(self, view1: Tensor, view2: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(*self.features(view1, view2))

    def features(self, view1: Tensor, view2: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder outputs (n, d) of both views, before the head."""
        return self.encoder1(view1), self.encoder2(view2)

    def embed1(self, view1: Tensor) -> Tensor:
        """Unit-length embeddings (n, k) of items of the first view."""
        return self.head.embed1(self.encoder1(view1))

    def embed2(self, view2: Tensor) -> Tensor:
        """Unit-length embeddings (n, k) of items of the second view."""
        return self.head.embed2(self.encoder2(view2))
