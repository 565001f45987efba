"""From prepared views to a trained model: which pairs validate, which settings suit their number, linear CCA."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

from xmlib import fit, methods, profiles
from xmlib.cca import CCALayer
from xmlib.data import Split, Splits, View
from xmlib.errors import InputError
from xmlib.model import TwoView
from xmlib.profiles import Settings
from xmlib.runs import experiments
from xmlib.scoring import baselines

LINEAR = "linear_cca"
METHODS = (*methods.IMAGE_METHODS, LINEAR)
LEAST_PAIRS = 4
COPIES = 3  # of the training items in float32 that principal components need
INTERRUPTED = "interrupted"  # what ended a training that raised `Halted`
# From so many training pairs on, the settings released for 17,000 pairs are taken, below those chosen on 1,000 to
# 2,000; halfway between the two on a logarithmic scale, which no trial has tested.
LARGE = 5000
Shapes = tuple[tuple[int, ...], tuple[int, ...]]


class Halted(KeyboardInterrupt):
    """Raised from anywhere while `train` trains, as by the handler of a signal: it ends with its best epoch so far."""


def check_numbers(seed: Any, counts: dict[str, Any], changes: dict[str, Any]) -> None:
    """Raise `InputError` for a seed or a count that is none, and for settings that are not there or of another type."""
    for name, value in {"seed": seed, **counts}.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int | np.integer)
            or name == "seed"
            and not 0 <= value < 2**32
        ):
            raise InputError(f"{name} = {value!r:.40} is not a whole number from 0 on: give one.")
    profiles.check_changes(changes)


def divide(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(n,) True for the validation pairs: whole groups drawn at random, about `share` of all pairs, at least one group.

    Raises `InputError` for a share that is none, and for pairs that are all of one group.
    """
    if type(share) not in (int, float) or not 0 < share < 1:
        raise InputError(f"validation = {share!r} is no share: give a number between 0 and 1, or a pair of views.")
    numbers, sizes = np.unique(groups, return_counts=True)
    if len(numbers) < 2:
        raise InputError("All pairs are of one group, so none can be held out for validation: give more groups.")
    order = np.random.default_rng(seed).permutation(len(numbers))
    within = np.searchsorted(np.cumsum(sizes[order]), share * len(groups), "right")
    return np.isin(groups, numbers[order[: np.clip(within, 1, len(numbers) - 1)]])


def split_of(view1: Any, view2: Any, groups: np.ndarray) -> Split:
    """A split of prepared views, arrays (n, *shape) or CSR matrices, which become dense batch by batch."""
    return Split(_view(view1), _view(view2), [str(i) for i in range(view1.shape[0])], groups)


def _view(prepared: Any) -> View:
    if sparse.issparse(prepared):
        return View(prepared.shape[0], prepared.shape[1:], lambda rows: prepared[rows].toarray())
    return View(len(prepared), prepared.shape[1:], lambda rows: prepared[rows])


def splits_of(train: Split, valid: Split, seed: int) -> Splits:
    """Training and validation pairs as a data set, whose test pairs are the validation pairs again."""
    return Splits("own", "", seed, {}, "", train, valid, valid)


def shapes_of(splits: Splits) -> Shapes:
    """The shape of one item in each view."""
    return tuple(splits.train.view1.shape), tuple(splits.train.view2.shape)


def suited(method: str, splits: Splits, d: int = 0, batch: int = 0, epochs: int = 0, **changes: Any) -> Settings:
    """The settings of a method for so many pairs; `d`, `batch` and `epochs` are chosen where they are 0.

    Where a view is pictures (1, h, w) they are those of the quick audio–score models. No batch is taken that is larger
    than the training set, and no embedding with more dimensions than a view varies in or than a quarter of the pairs.
    Raises `InputError` for a `d` above the features of a view, and what `profiles.settings` raises.
    """
    n, shapes = len(splits.train), shapes_of(splits)
    widths = [shape[0] for shape in shapes if len(shape) == 1]
    if widths and d > min(widths):
        raise InputError(f"d = {d} is more than the {min(widths)} features of a view: lower d.")
    profile, dataset = ("quick", "audio_score") if len(widths) < 2 else ("full", "iapr" if n >= LARGE else "table")
    own = profiles.settings(profile, dataset, method, **changes)
    batch = batch or min(own.batch, n)
    if not d:
        most = min(own.d, n // experiments.PAIRS_A_DIMENSION, batch - 1)
        d = max(1, min([most, *(_directions(view, most) for view in (splits.train.view1, splits.train.view2))]))
    return profiles.settings(profile, dataset, method, epochs=epochs, batch=batch, d=d, **changes)


def _directions(view: View, most: int) -> int:
    """In how many directions the items vary, as far as three times `most` of them can tell."""
    rows = np.unique(np.linspace(0, len(view) - 1, max(3 * most, 2)).astype(int))
    items = view[rows].reshape(len(rows), -1)
    return int(np.linalg.matrix_rank(items - items.mean(0)))


def train(
    method: str,
    splits: Splits,
    settings: Settings,
    seed: int,
    device: str,
    on_epoch: Callable[[dict], None],
    halt: Callable[[], bool],
) -> tuple[TwoView, dict[str, Any]]:
    """The trained model on the CPU, in evaluation mode, and what is known of its training.

    Stopped by `halt`, or by `Halted` in the middle of an epoch, it has the weights of its best epoch. Before the first
    has ended there is none: `halt` then makes it raise `InputError`, and `Halted` goes on.
    """
    model = methods.build(method, settings, seed, shapes_of(splits))
    if methods.METHODS[method].linear:
        check_room(splits)
        baselines.start(model, splits)
    fit.check_splits(splits, settings)
    objective = fit.Objective(methods.METHODS[method].terms(settings))
    training = fit.Training(
        model, splits, objective, settings, seed, methods.device(device, settings.precision)
    )  # fmt: skip
    stopped = ""
    try:
        fit.run(training, None, on_epoch, halt)
    except Halted:
        if "model" not in training.best:
            raise
        stopped = INTERRUPTED
    if "model" not in training.best:
        raise InputError("Training was halted before its first epoch ended: give it more time.")
    best = training.use_best().cpu()
    stopped = stopped or training.stopped or "halted"
    about = {"history": training.history, "stopped": stopped, "seconds": training.seconds}
    return best, about | {"valid_mrr": training.best["mrr"], "best_epoch": training.best["epoch"]}


def check_room(splits: Splits) -> None:
    """Raise `InputError` where linear CCA, which takes all training items at once, needs more memory than is free."""
    import psutil

    numbers = sum(len(splits.train) * math.prod(shape) for shape in shapes_of(splits))
    needed, free = COPIES * 4 * numbers, psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"Linear CCA takes all {len(splits.train):,} training items at once, about {needed / 1e9:,.1f} GB, and "
            f"{free / 1e9:,.1f} GB of memory are free: choose a method with encoders, or give fewer features or pairs."
        )


def linear_cca(splits: Splits, d: int = 0) -> tuple[TwoView, Settings, dict[str, Any]]:
    """Linear CCA as a model: principal components as encoders and the CCA layer as head; its settings; what is known.

    Components, ridge and, where `d` is 0, the directions kept are those that `baselines.linear_cca` chose. Raises
    `InputError` for a `d` above these and for more items than fit into memory.
    """
    check_room(splits)
    chosen = baselines.linear_cca(splits)
    encoders = [_components(splits, view, chosen["components"]) for view in baselines.VIEWS]
    widths = [encoder[1].out_features for encoder in encoders]
    if d > min(widths):
        raise InputError(f"d = {d} is more than the {min(widths)} directions that linear CCA has here: lower d.")
    model = TwoView(encoders[0], encoders[1], nn.Identity())
    h1, h2 = fit.features(model, splits.train)
    ridge = chosen["ridge"] * float((h1.var(0).mean() * h2.var(0).mean()).sqrt())
    model.head = CCALayer((widths[0], widths[1]), ridge=ridge, k=d or min(chosen["directions"], *widths))
    model.head.refit(h1, h2)
    settings = replace(Settings(), d=model.head.k, ridge=ridge)
    return model.eval(), settings, {"components": widths, "history": [], "valid_mrr": chosen["valid_mrr"]}


def _components(splits: Splits, view: str, kept: int) -> nn.Sequential:
    """The first principal components of the training items as a linear encoder, scaled as `baselines` scales them."""
    from sklearn.decomposition import PCA

    items = getattr(splits.train, view)[np.arange(len(splits.train))].reshape(len(splits.train), -1)
    most = min(max(baselines.COMPONENTS), len(items) // 2, items.shape[1])
    pca = PCA(most, svd_solver="randomized", random_state=0).fit(items)
    weights = torch.from_numpy(pca.components_[:kept] / np.sqrt(pca.explained_variance_.mean()))
    encoder = _linear(items.shape[1], len(weights))
    encoder[1].load_state_dict({"weight": weights, "bias": -weights @ torch.from_numpy(pca.mean_)})
    return encoder


def _linear(features: int, components: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(features, components))


def untrained(method: str, settings: Settings, shapes: Shapes, about: dict[str, Any]) -> TwoView:
    """A model whose weights are to be loaded."""
    if method != LINEAR:
        return methods.build(method, settings, 0, shapes).eval()
    widths = about["components"]
    one, two = (_linear(int(np.prod(shape)), width) for shape, width in zip(shapes, widths, strict=True))
    return TwoView(one, two, CCALayer((widths[0], widths[1]), ridge=settings.ridge, k=settings.d)).eval()
