"""Measurements on statistics from batches: gradients, running averages under drift, their start (book, as above)."""

import math
from functools import cache

import torch
from torch import Tensor

from book.make.theory.population import (  # fmt: skip
    CANDIDATES,
    SPECTRUM,
    D,
    cosine,
    falling,
    gaussian_pairs,
    generator,
    mean_of,
    mrr,
    score_map_error,
)
from xmlib.cca import CCALayer
from xmlib.objectives import ranking_loss

BATCH = 100  # as the released audio–score models
INPUTS = 64  # columns that a linear encoder turns into D features
BATCHES = (40, 64, 100, 200, 400, 800)
TOTAL = 3200  # pairs, divided into batches of each size
ALPHAS = (1.0, 0.5, 0.1)
TURNS = (0.0, 0.01, 0.02, 0.04, 0.08)  # radians a step
LAST = 20  # batches that are looked at, once the running average has settled


class Encoders:
    """Pairs of `INPUTS` columns with known correlations, and the linear encoder (INPUTS, D) both views share."""

    def __init__(self) -> None:
        self.corr = falling(0.9, 0.0, INPUTS)
        raw = torch.randn(INPUTS, D, generator=generator(3), dtype=torch.float64)
        self.weights = torch.linalg.qr(raw).Q

    def gradients(self, batch: int, count: int, seed: int, alpha: float = 1.0, skip: int = 0) -> tuple[Tensor, float]:
        """Gradients (count, INPUTS, D) of the ranking loss behind a CCA layer, one a batch, and the mean loss.

        `skip`: batches that go before, so that running statistics are past their start.
        """
        g, layer = generator(4, seed), CCALayer(D, alpha=alpha).train()
        found, losses = [], []
        for step in range(skip + count):
            view1, view2 = gaussian_pairs(batch, self.corr, g)
            weights = self.weights.clone().requires_grad_()
            loss = ranking_loss(*layer(view1 @ weights, view2 @ self.weights))
            if step >= skip:
                loss.backward()
                found.append(weights.grad)
                losses.append(loss.item())
        return torch.stack(found), sum(losses) / count


@cache
def loss_on_new_pairs(batch: int = BATCH, draws: int = 10) -> float:
    """The ranking loss of batches that are projected by a CCA of many other pairs."""
    encoders, layer = Encoders(), CCALayer(D).eval()
    layer.refit(*(view @ encoders.weights for view in gaussian_pairs(20_000, encoders.corr, generator(5))))
    views = [gaussian_pairs(batch, encoders.corr, generator(6, draw)) for draw in range(draws)]
    return sum(float(ranking_loss(*layer(*(view @ encoders.weights for view in pair)))) for pair in views) / draws


@cache
def reference() -> Tensor:
    """The gradient (INPUTS, D) that batches should estimate: the mean over eight batches of 50 pairs per dimension."""
    return Encoders().gradients(50 * D, 8, seed=0)[0].mean(0)


@cache
def batch_sizes() -> list[dict]:
    """One row a batch size: its `loss`, and the cosine of `single` gradients and of their `mean` with the reference.

    In lengths of the reference: `length` of single gradients, and how far they go `along` the reference on average.
    """
    rows = []
    for batch in BATCHES:
        gradients, loss = Encoders().gradients(batch, TOTAL // batch, seed=1)
        single = sum(cosine(one, reference()) for one in gradients) / len(gradients)
        length = float(gradients.flatten(1).norm(dim=1).mean() / reference().norm())
        along = float((gradients.mean(0) * reference()).sum() / reference().square().sum())
        found = {"single": single, "mean": cosine(gradients.mean(0), reference()), "length": length, "along": along}
        rows.append({"batch": batch, "loss": loss, **found})
    return rows


@cache
def gradients_by_alpha() -> list[dict]:
    """One row an α, on pairs that do not drift: as `batch_sizes`, and the `wasted` share of the squared gradient.

    Wasted is what only changes the basis of the features, and so no score once the statistics have followed.
    """
    rows = []
    for alpha in ALPHAS:
        encoders = Encoders()
        gradients, loss = encoders.gradients(BATCH, 40, seed=2, alpha=alpha, skip=40)
        single = sum(cosine(one, reference()) for one in gradients) / len(gradients)
        basis = encoders.weights @ (encoders.weights.T @ gradients)
        wasted = float(basis.square().sum() / gradients.square().sum())
        rows.append({"alpha": alpha, "loss": loss, "single": single, "wasted": wasted})
    return rows


def drifting_basis(angle: float) -> Tensor:
    """Matrix (D, D) that stretches the axes in turn and then rotates every two of them by `angle`."""
    rotation = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]).double()
    stretch = torch.tensor([1.5, 1 / 1.5]).double().repeat(D // 2)
    return stretch[:, None] * torch.block_diag(*[rotation] * (D // 2))


def drift_a_step(turn: float) -> float:
    """‖S_{t+1} − S_t‖ / ‖S_t‖ of the true covariance, when the basis turns by `turn` a step."""
    before, after = (basis.T @ basis for basis in (drifting_basis(0.0), drifting_basis(turn)))
    return float((after - before).norm() / before.norm())


def expected_error(alpha: float, turn: float, batch: int = BATCH) -> float:
    """Root of the expected squared relative error of a running covariance: scatter of the batches and lag behind."""
    covariance = drifting_basis(0.0).T @ drifting_basis(0.0)
    mixed = torch.zeros_like(covariance)
    for age in reversed(range(_settled(alpha))):
        basis = drifting_basis(-turn * age)
        mixed = (1 - alpha) * mixed + alpha * basis.T @ basis
    lag = float((mixed / (1 - (1 - alpha) ** _settled(alpha)) - covariance).square().sum())
    scatter = float(covariance.square().sum() + covariance.trace() ** 2) / (batch - 1) * alpha / (2 - alpha)
    return math.sqrt(lag + scatter) / float(covariance.norm())


def _settled(alpha: float) -> int:
    """After so many batches an older one has no weight worth a word."""
    return math.ceil(4 / alpha) if alpha < 1 else 1


@cache
def drifts() -> list[dict]:
    """One row an α and drift: relative error of the running covariance, `expected` and measured, and `map_error`."""
    return [
        {"alpha": alpha, "drift": drift_a_step(turn), "expected": expected_error(alpha, turn), **_drift(alpha, turn)}
        for alpha in ALPHAS
        for turn in TURNS
    ]


@torch.no_grad()
def _drift(alpha: float, turn: float) -> dict[str, float]:
    corr, g, layer = falling(*SPECTRUM, D), generator(7), CCALayer(D, alpha=alpha).train()
    rows = []
    for step in range(_settled(alpha) + LAST):
        basis = drifting_basis(turn * step)
        layer(*(view @ basis for view in gaussian_pairs(BATCH, corr, g)))
        truth = basis.T @ basis
        error = float((layer.running_sxx - truth).norm() / truth.norm())
        rows.append(
            {"error": error, "map_error": score_map_error(basis @ layer.projection1, basis @ layer.projection2)}
        )
    return mean_of(rows[-LAST:])


class ZeroStart(CCALayer):
    """The CCA layer with running statistics that start at zero and keep that bias, as in the released code."""

    def _weights(self) -> tuple[float, float]:
        return 1 - self.alpha, self.alpha


@cache
def starts(alpha: float = 0.1, offset: float = 3.0, shown: tuple[int, ...] = (1, 2, 5, 10, 20, 40)) -> list[dict]:
    """One row a number of batches: how much of the mean is there from zero, and MRR `corrected` and from `zero`.

    `offset`: mean of every feature, in standard deviations.
    """
    corr = falling(*SPECTRUM, D)
    test = tuple(view + offset for view in gaussian_pairs(CANDIDATES, corr, generator(8)))
    rows = [{"batches": count, "mean": 1 - (1 - alpha) ** count} for count in shown]
    for name, layer in (("corrected", CCALayer(D, alpha=alpha)), ("zero", ZeroStart(D, alpha=alpha))):
        g, done = generator(9), 0
        for row in rows:
            while done < row["batches"]:
                with torch.no_grad():
                    layer.train()(*(view + offset for view in gaussian_pairs(BATCH, corr, g)))
                done += 1
            row[name] = mrr((test[0] - layer.mean1, test[1] - layer.mean2), layer.projection1, layer.projection2)
    return rows
