"""Re-estimating the head of a trained model on other numbers of training pairs, the encoders untouched.

The released code has this as a separate tool, refine_cca, with 1,000 samples by default.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from xmlib import evaluate, fit
from xmlib.cca import CCALayer
from xmlib.data import Split, Splits
from xmlib.errors import InputError
from xmlib.evaluate import DIRECTIONS
from xmlib.model import TwoView


def refit(
    model: TwoView, split: Split, n_train: int = 1000, seed: int = 1, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Row numbers of the `n_train` random pairs of a training split from which the head was estimated anew, in place.

    A CCA layer gets new means and projections, a learned head new means only. Modes of the modules stay as they were.
    Raises `InputError` for more pairs than there are, and for a CCA layer with no more pairs than dimensions.
    """
    check_sizes(model.head, [n_train], len(split))
    rows = np.random.default_rng(seed).permutation(len(split))[:n_train]
    model.head.refit(*_features(model, split, device, rows))
    return rows


def refit_curve(
    model: TwoView,
    splits: Splits,
    sizes: Sequence[int],
    seed: int = 1,
    device: torch.device | str = "cpu",
    draws: int = 3,
) -> list[dict]:
    """MRR of a trained model with its head estimated on each of `sizes` training pairs; the model stays as it is.

    One row for each size, draw, split (`valid`, `test`) and direction: `n_train`, `draw`, `split`, `direction`, `mrr`.
    Each of `draws` random orders of the training pairs gives nested subsets, the first `n_train` of that order; draw 0
    takes the pairs that `refit` takes with the same seed. All training pairs can be drawn in one way only.
    All pairs of a split are queries and candidates. Errors as in `refit`.
    """
    check_sizes(model.head, sizes, len(splits.train))
    orders = [np.random.default_rng(seed + draw).permutation(len(splits.train)) for draw in range(draws)]
    used = np.unique(np.concatenate([order[: max(sizes)] for order in orders]))
    h1, h2 = _features(model, splits.train, device, used)
    scored = {name: _features(model, getattr(splits, name), device) for name in ("valid", "test")}
    head, rows = copy.deepcopy(model.head).eval(), []
    for n_train in sorted(set(sizes)):
        for draw, order in enumerate(orders if n_train < len(splits.train) else orders[:1]):
            chosen = torch.from_numpy(np.searchsorted(used, order[:n_train])).to(h1.device)
            head.refit(h1[chosen], h2[chosen])
            rows += [{"n_train": n_train, "draw": draw, **row} for row in _scores(head, scored)]
    return rows


@torch.no_grad()
def _scores(head: nn.Module, scored: dict) -> list[dict]:
    """One row for each split and direction."""
    rows = []
    for name, (h1, h2) in scored.items():
        x, y = head.embed1(h1), head.embed2(h2)
        for direction, pair in zip(DIRECTIONS, ((x, y), (y, x)), strict=True):
            rows.append({"split": name, "direction": direction, "mrr": evaluate.mrr(*pair)})
    return rows


def check_sizes(head: nn.Module, sizes: Sequence[int], available: int) -> None:
    """Raises `InputError` unless the head can be estimated on each of the sizes."""
    least, why = (head.d + 1, "one more than dimensions") if isinstance(head, CCALayer) else (1, "a mean needs one")
    for size in [0] if not len(sizes) else sizes:
        if not least <= size <= available:
            raise InputError(
                f"The head cannot be estimated anew on {size} training pairs: choose from {least} ({why}) "
                f"to {available} (all there are)."
            )


def _features(model: TwoView, split: Split, device: torch.device | str, rows: np.ndarray | None = None):
    """Encoder outputs as from `fit.features`; every module keeps the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        return fit.features(model, split, device, rows)
    finally:
        for module, mode in modes:
            module.training = mode
