"""The objectives as facts, against slow literal loops."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from xmlib.errors import InputError
from xmlib.objectives import info_nce, ranking_loss


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


def literal_info_nce(x, y, temperature):
    n = len(x)
    weights = [[math.exp(float(a @ b) / temperature) for b in y] for a in x]
    forth = [-math.log(weights[i][i] / sum(weights[i])) for i in range(n)]
    back = [-math.log(weights[i][i] / sum(row[i] for row in weights)) for i in range(n)]
    return (sum(forth) / n + sum(back) / n) / 2


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_info_nce_is_the_mean_negative_log_share_of_the_right_partner_in_both_directions(temperature):
    x, y = unit_rows(9, seed=1), unit_rows(9, seed=2)
    assert float(info_nce(x, y, temperature)) == pytest.approx(literal_info_nce(x, y, temperature), abs=1e-12)


def test_info_nce_of_embeddings_that_know_nothing_is_log_n():
    x = torch.ones(8, 4, dtype=torch.float64) / 2
    assert float(info_nce(x, x)) == pytest.approx(math.log(8), abs=1e-12)


def test_info_nce_treats_both_views_alike_and_its_gradient_is_that_of_finite_differences():
    x, y = unit_rows(7, seed=1), unit_rows(7, seed=2)
    assert float(info_nce(x, y)) == pytest.approx(float(info_nce(y, x)), abs=1e-12)
    assert gradcheck(lambda a, b: info_nce(a, b, 0.3), (x.requires_grad_(), y.requires_grad_()))


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_pairs_have_no_ranking_loss(n):
    with pytest.raises(InputError, match="at least two pairs, but got 1: use a larger batch|at least one, but got 0"):
        ranking_loss(torch.ones(n, 3), torch.ones(n, 3))
