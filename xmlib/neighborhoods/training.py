"""Training with semantic neighbourhoods: Thomas and Kovashka's (2020) objective and schedule for `fit`'s loop."""

import copy
import math

import numpy as np
import torch
from torch import Tensor

from xmlib import fit
from xmlib.data import Splits
from xmlib.model import TwoView
from xmlib.neighborhoods import angular, neighbors
from xmlib.neighborhoods.neighbors import Neighbors
from xmlib.profiles import Settings


class NeighborhoodObjective(fit.Objective):
    """The terms on batches that also hold one neighbour of every pair, and as many pairs sampled from the training set.

    `near`: the neighbours of every training pair in text space. Encoders and head see all three sorts of pairs at once.
    A row of the history has the mean of every term, before its weight, and `valid_loss`: L_i2t on the validation pairs,
    each against all texts of other groups, so on another scale than the training loss.
    """

    def __init__(self, splits: Splits, s: Settings, seed: int, device: torch.device, near: Neighbors):
        super().__init__([])
        self.splits, self.settings, self.seed, self.device, self.near = splits, s, seed, device, near

    def begin(self, epoch: int) -> None:
        """Draw the neighbour of every pair."""
        groups = None if self.settings.released else self.splits.train.groups
        self.partner = neighbors.draw(self.near, self.seed, epoch, groups=groups)
        self.sample = np.random.default_rng([self.seed, epoch, 1])
        self.seen: list[dict[str, float]] = []

    def __call__(self, model: TwoView, view1: Tensor, view2: Tensor, rows: np.ndarray) -> Tensor:
        """The weighted sum of the terms on those training pairs, their neighbours and a sample."""
        partner, sampled = self.partner[rows], self.sample.integers(len(self.splits.train), size=len(rows))
        more1, more2 = fit.load_batch(self.splits.train, np.concatenate([partner, sampled]), self.device)
        x, y = model(torch.cat([view1, more1]), torch.cat([view2, more2]))
        (x, near_x, _), (y, near_y, sampled_y) = x.chunk(3), y.chunk(3)
        groups = angular.Groups(*(self._groups(chosen) for chosen in (rows, partner, sampled)))
        terms = angular.neighborhood_terms(x, y, near_x, near_y, sampled_y, groups, released=self.settings.released)
        self.seen.append({name: value.item() for name, value in terms.items()})
        return angular.total(terms, self.settings.sym, self.settings.img, self.settings.text)

    def _groups(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(self.splits.train.groups[rows]).to(self.device)

    def row(self, model: TwoView, loss: float) -> dict[str, float]:
        """The validation loss, not a number where the training loss is none, and the mean of every term."""
        means = {name: float(np.mean([terms[name] for terms in self.seen])) for name in angular.TERMS if self.seen}
        return {"valid_loss": self._valid_loss(model) if math.isfinite(loss) else math.nan} | means

    @torch.no_grad()
    def _valid_loss(self, model: TwoView) -> float:
        x, y = fit.embed(model, self.splits.valid, self.device)
        groups = torch.as_tensor(self.splits.valid.groups, device=self.device)
        return float(angular.angular_npairs(x, y, y, groups[:, None] != groups))


def reduce_on_plateau(training: fit.Training, row: dict) -> None:
    """The lowest validation loss is best; more than `plateau` epochs without lower the rate, `patience` end the run."""
    if row["valid_loss"] < training.best.get("loss", math.inf):
        now = {"mrr": row["valid_mrr"], "loss": row["valid_loss"], "epoch": row["epoch"]}
        training.best, training.waited = now | copy.deepcopy(training.weights()), 0
        return
    training.waited += 1
    if training.waited % (training.settings.plateau + 1) == 0:
        training.set_rate(training.optimizer.param_groups[0]["lr"] * training.settings.lr_factor)
    if training.waited >= training.settings.patience or not math.isfinite(row["valid_loss"]):
        training.load_weights(training.best)
        training.phase = training.settings.refinements + 1
