"""Training with semantic neighbourhoods: the loop of `fit`, with objective and schedule of paper B's released code."""

import copy
import math

import numpy as np
import torch
from torch import Tensor

from xmlib import fit
from xmlib.data import Splits
from xmlib.methods import METHODS
from xmlib.model import TwoView
from xmlib.neighborhoods import angular, neighbors
from xmlib.neighborhoods.neighbors import Neighbors
from xmlib.profiles import Settings


class NeighborhoodTraining(fit.Training):
    """A training whose batches also hold one neighbour of every pair, and as many pairs sampled from the training set.

    `near`: the neighbours of every training pair in text space. Encoders and head see all three sorts of pairs at once.
    A row of the history has the mean of every term, before its weight, and `valid_loss`: L_i2t on the validation pairs,
    each against all texts of other groups, so on another scale than the training loss. That loss chooses the best
    epoch and moves the rate (reduce on plateau).
    """

    def __init__(
        self, model: TwoView, splits: Splits, method: str, s: Settings, seed: int, device: torch.device, near: Neighbors
    ):
        super().__init__(model, splits, METHODS[method], s, seed, device)
        self.near = near
        self.best = {"mrr": -math.inf, "loss": math.inf}

    def _update_weights(self) -> float:
        epoch, released = len(self.history), self.settings.released
        self.partner = neighbors.draw(
            self.near, self.seed, epoch, groups=None if released else self.splits.train.groups
        )
        self.sample = np.random.default_rng([self.seed, epoch, 1])
        self.seen: list[dict[str, float]] = []
        return super()._update_weights()

    def _objective(self, view1: Tensor, view2: Tensor, rows: np.ndarray) -> Tensor:
        partner, sampled = self.partner[rows], self.sample.integers(len(self.splits.train), size=len(rows))
        more1, more2 = fit.load_batch(self.splits.train, np.concatenate([partner, sampled]), self.device)
        x, y = self.model(torch.cat([view1, more1]), torch.cat([view2, more2]))
        (x, near_x, _), (y, near_y, sampled_y) = x.chunk(3), y.chunk(3)
        groups = angular.Groups(*(self._groups(chosen) for chosen in (rows, partner, sampled)))
        terms = angular.neighborhood_terms(x, y, near_x, near_y, sampled_y, groups, released=self.settings.released)
        self.seen.append({name: value.item() for name, value in terms.items()})
        return angular.total(terms, self.settings.sym, self.settings.img, self.settings.text)

    def _groups(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(self.splits.train.groups[rows]).to(self.device)

    def _curves(self, loss: float) -> dict:
        means = {name: float(np.mean([terms[name] for terms in self.seen])) for name in angular.TERMS if self.seen}
        return super()._curves(loss) | {"valid_loss": self._valid_loss(loss)} | means

    @torch.no_grad()
    def _valid_loss(self, loss: float) -> float:
        if not math.isfinite(loss):
            return math.nan
        x, y = fit.embed(self.model, self.splits.valid, self.device)
        groups = torch.as_tensor(self.splits.valid.groups, device=self.device)
        return float(angular.angular_npairs(x, y, y, groups[:, None] != groups))

    def _move_schedule(self, row: dict) -> None:
        """Rate lowered once more than `plateau` epochs brought no lower validation loss, the end after `patience`."""
        if row["valid_loss"] < self.best["loss"]:
            now = {"mrr": row["valid_mrr"], "loss": row["valid_loss"], "epoch": row["epoch"]}
            self.best, self.waited = now | copy.deepcopy(self._weights()), 0
            return
        self.waited += 1
        if self.waited % (self.settings.plateau + 1) == 0:
            self._set_rate(self.optimizer.param_groups[0]["lr"] * self.settings.lr_factor)
        if self.waited >= self.settings.patience or not math.isfinite(row["valid_loss"]):
            self._load_weights(self.best)
            self.phase = self.settings.refinements + 1
