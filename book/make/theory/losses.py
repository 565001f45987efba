"""What the ranking, InfoNCE and angular losses pull and push, and the bound to mutual information (book, losses).

A *row* is the loss of one query: `scores` holds the cosine of its right answer first and then those of the wrong ones.
The batch losses of `xmlib.objectives` and `xmlib.neighborhoods.angular` are means of these rows.
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from book.make.theory.population import gaussian_pairs, generator

MARGIN, TEMPERATURE = 0.5, 0.2
QUERY, RIGHT, WRONG = 90.0, 30.0, (140.0, 62.0, 5.0, 215.0)  # degrees on the circle of the figure
MARGINS, TEMPERATURES = (0.1, 0.3, 0.5), (0.05, 0.1, 0.3)
NEGATIVES = 32  # batch of the released neighbourhood models
WIDTH = 8  # of the Gaussian views whose information is known
INFORMATION = tuple(range(11))  # nats
BATCHES = (8, 64, 512)
PAIRS = 1024


def ranking_row(scores: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean hinge of one query, `scores` (m + 1,) with the right answer first."""
    return (margin - scores[0] + scores[1:]).clamp_min(0).mean()


def info_nce_row(scores: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Minus the log-probability of the right answer, first in `scores` (m + 1,), under a softmax."""
    return torch.logsumexp(scores / temperature, 0) - scores[0] / temperature


def angular_row(anchor: Tensor, answers: Tensor, tan2: float = 1.0, repeats: int = 1, own: bool = False) -> Tensor:
    """log(1 + Σ exp f) of one anchor (d,); `answers` (m + 1, d) with the positive first.

    As in the released code with `repeats` = n, the number of times each negative is counted, and `own`, which takes
    the positive for a negative as well.
    """
    positive, negatives = answers[0], answers[0 if own else 1 :]
    f = 4 * tan2 * negatives @ (anchor + positive) - 2 * (1 + tan2) * anchor @ positive
    return torch.log1p(repeats * f.exp().sum())


ROWS = {
    f"ranking, γ = {MARGIN}": lambda anchor, answers: ranking_row(answers @ anchor),
    f"InfoNCE, τ = {TEMPERATURE}": lambda anchor, answers: info_nce_row(answers @ anchor),
    "angular, 45°": angular_row,
}


def on_circle(*degrees: float) -> Tensor:
    """Points of unit length (m, 2) at these angles."""
    angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angles.cos(), angles.sin()], 1)


def forces(row, query: float = QUERY, right: float = RIGHT) -> tuple[Tensor, Tensor]:
    """Minus the gradient of a row on the query (2,) and on all answers (m + 1, 2), along the circle.

    `query`, `right`: degrees at which the query and its right answer stand.
    """
    points = on_circle(query, right, *WRONG).requires_grad_()
    row(points[0], points[1:]).backward()
    with torch.no_grad():
        along = -points.grad + (points.grad * points).sum(1, keepdim=True) * points
    return along[0], along[1:]


def crowd(score: float, count: int = 99) -> Tensor:
    """Scores (count + 1,) of a row: 0.6 for the right answer, `score` for one wrong one, the rest spread around 0."""
    quantiles = (torch.arange(count - 1, dtype=torch.float64) + 0.5) / (count - 1)
    return torch.cat([torch.tensor([0.6, score], dtype=torch.float64), 0.25 * torch.special.ndtri(quantiles)])


def share_of_push(row, score: float, *setting: float) -> float:
    """Share of a row's push on wrong answers that falls on the one with that score; `setting`: what `row` takes too."""
    scores = crowd(score).requires_grad_()
    row(scores, *setting).backward()
    push = scores.grad[1:]
    return float(push[0] / push.sum().clamp_min(1e-300))


def angular_weight(matching: float, repeats: int, own: bool, count: int = NEGATIVES - 1) -> float:
    """Share Σ/(1 + Σ) of the angular loss at work: the weight on negatives that are orthogonal to anchor and positive.

    `matching`: cosine of anchor and positive; the positive itself, where counted, adds e⁴ and no force.
    """
    moving = repeats * count * math.exp(-4 * matching)
    return moving / (1 + moving + (repeats * math.exp(4) if own else 0))


def bound(scores: Tensor) -> float:
    """log n minus the InfoNCE loss of (n, n) `scores`, mean of both directions, in nats: at most log n."""
    matched = scores.diagonal()
    loss = (torch.logsumexp(scores, 1) + torch.logsumexp(scores, 0)) / 2 - matched
    return math.log(len(scores)) - float(loss.mean())


def correlation_for(information: float, width: int = WIDTH) -> float:
    """The correlation, alike in all axes, that gives Gaussian views of that width this mutual information in nats."""
    return math.sqrt(1 - math.exp(-2 * information / width))


def best_scores(x: Tensor, y: Tensor, rho: float) -> Tensor:
    """log p(y | x) / p(y) for all pairs (n, n) of Gaussian views with correlation `rho`: the scores that do best."""
    squares = (x.square().sum(1)[:, None] + y.square().sum(1)) * rho**2 / 2
    return (rho * x @ y.T - squares) / (1 - rho**2) - x.shape[1] / 2 * math.log(1 - rho**2)


@cache
def information_bounds() -> list[dict]:
    """One row a batch size and true information: the `bound` of the best scores, and of `cosines` at their best τ."""
    rows = []
    for n in BATCHES:
        for information in INFORMATION:
            rho, g = correlation_for(information), generator(20, information)
            batches = [gaussian_pairs(n, torch.full((WIDTH,), rho).double(), g) for _ in range(PAIRS // n)]
            best = sum(bound(best_scores(x, y, rho)) for x, y in batches) / len(batches)
            units = [(functional.normalize(x, dim=1), functional.normalize(y, dim=1)) for x, y in batches]
            by_tau = [sum(bound(x @ y.T / tau) for x, y in units) / len(units) for tau in (0.03, 0.06, 0.12, 0.25, 4.0)]
            rows.append({"n": n, "information": information, "bound": best, "cosines": max(by_tau)})
    return rows
