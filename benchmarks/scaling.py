"""How the cost of each step grows: processor time at one size against half of it, for the laws of a larger machine.

A ratio of 2 is a law of n, 4 of n², 8 of n³. The book draws the exponents from this record. Run it as
`python -m benchmarks.scaling`.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch.nn.functional import normalize

from benchmarks import common
from xmlib import evaluate, methods, objectives, profiles
from xmlib.cca import CCALayer
from xmlib.retriever.moments import Moments


def ranked(n: int) -> Callable[[], object]:
    """Exact ranks of n queries among n candidates."""
    generator = torch.Generator().manual_seed(0)
    x, y = (normalize(torch.randn(n, 128, generator=generator), dim=1) for _ in range(2))
    return partial(evaluate.standing, x, y)


def layer(n: int, d: int) -> Callable[[], object]:
    """A training step of the CCA layer with ranking loss on n pairs of d features, without encoders."""
    generator = torch.Generator().manual_seed(0)
    h1, h2 = (torch.randn(n, d, generator=generator, requires_grad=True) for _ in range(2))
    cca = CCALayer(d)

    def step() -> None:
        objectives.ranking_loss(*cca(h1, h2)).backward()

    return step


def moments(n: int, d: int) -> Callable[[], object]:
    """Sufficient statistics of n pairs of d features."""
    generator = torch.Generator().manual_seed(0)
    h1, h2 = (torch.randn(n, d, generator=generator) for _ in range(2))
    return lambda: Moments(d, d).add(h1, h2)


def encoders(n: int) -> Callable[[], object]:
    """Forward and backward of both encoders of the profile medium on n pairs of sheet music and sound."""
    generator = torch.Generator().manual_seed(0)
    model = methods.build("ccal_cont", profiles.settings("medium"), 1)
    views = torch.rand(n, 1, 40, 50, generator=generator), torch.rand(n, 1, 92, 42, generator=generator)

    def step() -> None:
        sum(h.square().sum() for h in model.features(*views)).backward()

    return step


STEPS = {
    "encoders, forward and backward, in pairs of a batch": (encoders, [(25,), (50,), (100,)]),
    "CCA layer and ranking loss, in pairs of a batch": (layer, [(100, 32), (200, 32), (400, 32), (800, 32)]),
    "CCA layer and ranking loss, in dimensions": (layer, [(1100, 128), (1100, 256), (1100, 512), (1100, 1024)]),
    "exact ranks, in pairs": (ranked, [(5000,), (10_000,), (20_000,)]),
    "statistics of a refit, in pairs": (moments, [(25_000, 128), (50_000, 128), (100_000, 128)]),
    "statistics of a refit, in dimensions": (moments, [(20_000, 128), (20_000, 256), (20_000, 512)]),
}


def measure() -> list[common.Row]:
    """The rows of this script: each size against the one before it."""
    rows = []
    for name, (make, sizes) in STEPS.items():
        for small, twice in zip(sizes, sizes[1:], strict=False):
            timing = common.paired(make(*small), make(*twice), turns=3)
            varied = ", ".join(f"{a} → {b}" if a != b else str(a) for a, b in zip(small, twice, strict=True))
            rows.append(common.claim(name, varied, timing))
    return rows


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure))
