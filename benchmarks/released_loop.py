"""The released training of scores and sound, ported plainly to PyTorch, for `benchmarks.training` to compare with.

Channels stand first, ELU comes before the pooling, autograd goes through four eigendecompositions, λ·Σw² is added to
the loss, every set of pairs passes the encoders by itself, and ranks are found by sorting rows of distances.
"""

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from book.derivations import released
from xmlib import encoders
from xmlib.cca import covariances
from xmlib.data import Split
from xmlib.profiles import Settings

Views = tuple[np.ndarray, np.ndarray]


class Encoder(nn.Module):
    """The released encoder with those filters: (n, 1, h, w) in, (n, d) out."""

    def __init__(self, filters: tuple[int, ...], d: int):
        super().__init__()
        blocks = [_block(a, b) for a, b in zip((1, *filters), filters, strict=False)]
        last = nn.Conv2d(filters[-1], d, 1, bias=False), nn.BatchNorm2d(d, eps=encoders.BN_EPS)
        self.layers = nn.Sequential(*blocks, *last).apply(encoders.init_as_released)

    def forward(self, view: Tensor) -> Tensor:
        return self.layers(view).mean(dim=(2, 3))


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        conv = nn.Conv2d(channels, channels_out, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(channels_out, eps=encoders.BN_EPS), nn.ELU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


class Training:
    """Training with the CCA layer and the ranking loss on float32 arrays of both views."""

    def __init__(self, train: Split, valid: Split, filters: tuple[int, ...], s: Settings):
        self.settings = s
        self.train, self.valid = ((split.view1[:], split.view2[:]) for split in (train, valid))
        self.encoders = nn.ModuleList([Encoder(filters, s.d), Encoder(filters, s.d)])
        self.weights = list(self.encoders.parameters())
        self.optimizer = torch.optim.Adam(self.weights, lr=s.lr)
        self.rng = np.random.default_rng(0)

    def update_weights(self, steps: int) -> None:
        """The first steps of an epoch."""
        self.encoders.train()
        order, n = self.rng.permutation(len(self.train[0])), self.settings.batch
        for rows in order[: steps * n].reshape(steps, n):
            loss = ranking_loss(*self._features(self.train, rows), self.settings)
            loss = loss + self.settings.l2 * sum((weight**2).sum() for weight in self.weights)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def _features(self, views: Views, rows: np.ndarray) -> list[Tensor]:
        return [encoder(torch.from_numpy(view[rows])) for encoder, view in zip(self.encoders, views, strict=True)]

    @torch.no_grad()
    def features(self, views: Views) -> list[Tensor]:
        """Encoder outputs (n, d) of both views in evaluation mode."""
        self.encoders.eval()
        batches = np.arange(len(views[0])).reshape(-1, self.settings.batch)
        return [torch.cat(side) for side in zip(*(self._features(views, rows) for rows in batches), strict=True)]

    def evaluate(self) -> list[float]:
        """MRR on training and on validation pairs, after the layer was refitted on the training pairs."""
        h1, h2 = self.features(self.train)
        means = h1.mean(0), h2.mean(0)
        maps = released.projections(*covariances(h1 - means[0], h2 - means[1], self.settings.ridge), self.settings.d)
        found = []
        for views in (self.train, self.valid):
            sides = zip(self.features(views), means, maps, strict=True)
            x, y = (((h - mean) @ projection).numpy() for h, mean, projection in sides)
            found.append(mrr(cdist(x, y, metric="cosine")))
        return found


def ranking_loss(h1: Tensor, h2: Tensor, s: Settings) -> Tensor:
    """Mean hinge over the mismatched pairs of a batch, view 1 queries view 2, through the released layer."""
    scores = released.scores(h1, h2, s.ridge)
    violations = (s.margin - scores.diagonal()[:, None] + scores).clamp_min(0)
    mismatched = 1 - torch.eye(len(h1))
    return (violations * mismatched).sum() / mismatched.sum()


def mrr(distances: np.ndarray) -> float:
    """Mean reciprocal rank of the candidates on the diagonal, row by row."""
    ranks = [np.flatnonzero(np.argsort(row) == i)[0] + 1 for i, row in enumerate(distances)]
    return float(np.mean(1 / np.array(ranks)))
