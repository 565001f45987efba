"""The objectives as facts, against slow literal loops."""

import pytest
import torch
from torch.autograd import gradcheck

from xmlib.objectives import ranking_loss


def unit_rows(n, d=4, seed=0):
    raw = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(raw, dim=1)


def literal_ranking_loss(x, y, margin):
    n = len(x)
    hinges = [max(0.0, margin - float(x[i] @ y[i]) + float(x[i] @ y[j])) for i in range(n) for j in range(n) if i != j]
    return sum(hinges) / (n * (n - 1))


@pytest.mark.parametrize("margin", [0.1, 0.5, 2.0])
def test_the_ranking_loss_is_the_mean_hinge_over_mismatched_pairs(margin):
    x, y = unit_rows(9, seed=1), unit_rows(9, seed=2)
    assert float(ranking_loss(x, y, margin)) == pytest.approx(literal_ranking_loss(x, y, margin), abs=1e-12)


def test_both_ways_adds_the_two_directions():
    x, y = unit_rows(9, seed=1), unit_rows(9, seed=2)
    both = ranking_loss(x, y, both_ways=True)
    assert float(both) == pytest.approx(float(ranking_loss(x, y) + ranking_loss(y, x)), abs=1e-12)
    assert float(ranking_loss(x, y)) != pytest.approx(float(ranking_loss(y, x)), abs=1e-3)


def test_the_ranking_losses_gradient_is_that_of_finite_differences():
    x, y = (unit_rows(7, seed=s).requires_grad_() for s in (1, 2))
    assert gradcheck(lambda a, b: ranking_loss(a, b, 0.5, both_ways=True), (x, y))


def test_pairs_separated_by_the_margin_cost_nothing():
    x = torch.eye(4, dtype=torch.float64)
    assert float(ranking_loss(x, x, margin=1.0)) == 0
    assert float(ranking_loss(x, x, margin=1.25)) == pytest.approx(0.25)
