"""Synthetic pairs whose CCA is known, and what an estimate of it is worth: the ground of the theory chapters' figures.

CCA does not change when a view is changed by an invertible matrix (ridge apart). So views of unit covariance and
diagonal cross-covariance stand for every Gaussian pair of views with those canonical correlations.
"""

import torch
from torch import Tensor
from torch.nn import functional

from xmlib import evaluate

Views = tuple[Tensor, Tensor]

D = 32  # width of the released audio–score models
SPECTRUM = (0.8, 0.1)  # highest and lowest canonical correlation
CANDIDATES = 1000


def generator(*seed: int) -> torch.Generator:
    """A random generator for that seed; several numbers make one seed."""
    return torch.Generator().manual_seed(sum(number * 10_007**place for place, number in enumerate(seed)))


def falling(high: float, low: float, d: int) -> Tensor:
    """d correlations in equal steps from `high` down to `low`, double precision."""
    return torch.linspace(high, low, d, dtype=torch.float64)


def gaussian_pairs(n: int, corr: Tensor, g: torch.Generator) -> Views:
    """Two views (n, d), each of covariance I and mean 0, with canonical correlations `corr` (d,) in the axes."""
    shared, own = (torch.randn(n, len(corr), generator=g, dtype=torch.float64) for _ in range(2))
    return shared, shared * corr + own * (1 - corr**2).sqrt()


def correlation_on_new_pairs(A: Tensor, B: Tensor, corr: Tensor) -> float:
    """Mean correlation of the columns of both projections (d, k) on pairs without end, exactly."""
    return float(((A * corr[:, None] * B).sum(0) / (A.norm(dim=0) * B.norm(dim=0))).mean())


def score_map_error(A: Tensor, B: Tensor) -> float:
    """‖A Bᵀ − I‖ / √d: how wrong the map is that all scores come from; the true one is I, and 0 knows nothing."""
    return float((A @ B.T - torch.eye(len(A)).to(A)).norm()) / len(A) ** 0.5


def mrr(views: Views, A: Tensor, B: Tensor) -> float:
    """MRR of view 1 asking view 2, by cosine after projection."""
    return evaluate.mrr(functional.normalize(views[0] @ A, dim=1), functional.normalize(views[1] @ B, dim=1))


def cosine(a: Tensor, b: Tensor) -> float:
    """Cosine of the angle between two arrays of one shape, taken as vectors."""
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-300))


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """The mean of every number over the rows."""
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}
