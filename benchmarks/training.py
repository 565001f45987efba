"""Training: an epoch of the audio notebook against the released loop.

Our channels stand last and come in multiples of 8, ELU follows the pooling, the gradient of the CCA layer has a closed
form, and ranks are counted; `benchmarks.released_loop` does none of that. Further claims show a step by itself, how
near it comes to the machine's products of matrices, and what the library leaves undone.
Run it as `python -m benchmarks.training`.
"""

import copy
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks import common, released_loop
from xmlib import data, encoders, fit, methods, profiles
from xmlib.data import Split, Splits, View, workers

METHOD = "ccal_cont"
EPOCH = 160  # steps, as many as 16,000 pairs give
STEPS, TURNS = 5, 3  # steps of a turn; the evaluation after the epoch is whole
EVALUATED = 1_000  # training pairs to refit on and to score, and validation pairs
S = profiles.settings("full", width=1 / 2, refit_n=EVALUATED, curve_n=EVALUATED, lr=1e-6)  # such a rate moves nothing
TRUNCATED = tuple(int(S.width * filters) for filters in encoders.FILTERS)  # not rounded to multiples of 8
SETTING = f"{METHOD}, half width, {S.batch} pairs, one thread"
STEP = f"a step, {SETTING}"
GOAL = 2.5
SIDE = 1024  # of the matrices that the rate of the machine is taken from

Spent = dict[str, list[float]]  # seconds a turn of every computation


def computations() -> dict[str, Callable[[], Any]]:
    """Everything that is timed, by name."""
    toy = data.load("audio_score", profile="toy")
    train, valid = repeated(toy.train, EVALUATED), repeated(toy.valid, EVALUATED)
    steps, whole = (ours(split, valid) for split in (repeated(toy.train, STEPS * S.batch), train))
    plain, alike = (released_loop.Training(train, valid, f, S) for f in (TRUNCATED, encoders.filters(S.width)))
    model, batch = whole.model.eval(), fit.load_batch(train, np.arange(S.batch), "cpu")
    return {
        "step": steps.update_weights,
        "released step": partial(plain.update_weights, STEPS),
        "released step, our filters": partial(alike.update_weights, STEPS),
        "product": partial(multiply, STEPS * operations()),
        "evaluation": partial(whole.curves, 0.0),
        "released evaluation": plain.evaluate,
        "batch": partial(features, model, batch),
        "folded batch": partial(features, folded(model), batch),
    }


def repeated(split: Split, n: int) -> Split:
    """n pairs: those of a split, again and again."""
    rows = np.arange(n) % len(split)
    view1, view2 = (View(n, view.shape, partial(_cut, view, rows)) for view in (split.view1, split.view2))
    return Split(view1, view2, [split.ids[i] for i in rows], split.groups[rows])


def _cut(view: View, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
    return view[rows[items]]


def ours(train: Split, valid: Split) -> fit.Training:
    """The training of the notebook on those pairs."""
    splits = Splits("audio_score", "toy", 0, {}, "", train, valid, valid)
    objective = fit.Objective(methods.METHODS[METHOD].terms(S))
    return fit.Training(methods.build(METHOD, S, 1), splits, objective, S, 1, torch.device("cpu"))


@torch.no_grad()
def features(model: nn.Module, batch: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Encoder outputs of a batch."""
    return list(model.features(*batch))


def operations() -> float:
    """Floating-point operations of our convolutions in a step, from the shapes of their layers.

    A multiplication and an addition are two; backward takes twice those of forward.
    """
    model, counted = methods.build(METHOD, S, 1), []
    for conv in (module for module in model.modules() if isinstance(module, nn.Conv2d)):
        conv.register_forward_hook(lambda conv, _, out: counted.append(2 * out.numel() * conv.weight[0].numel()))
    features(model, (torch.zeros(S.batch, 1, 40, 50), torch.zeros(S.batch, 1, 92, 42)))
    return 3.0 * sum(counted)


def multiply(flops: float) -> None:
    """Products of float32 matrices with as many operations, rounded to whole products."""
    matrix = torch.ones(SIDE, SIDE)
    for _ in range(round(flops / (2 * SIDE**3))):
        matrix @ matrix


def folded(model: nn.Module) -> nn.Module:
    """The model for evaluation alone, every batch norm made part of the convolution before it."""
    result = copy.deepcopy(model)
    for block in [module for module in result.modules() if isinstance(module, nn.Sequential)]:
        for i, (layer, after) in enumerate(zip(list(block), list(block)[1:], strict=False)):
            if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                block[i], block[i + 1] = fuse_conv_bn_eval(layer, after), nn.Identity()
    return result


def timed() -> tuple[Spent, float]:
    """Processor time of every computation in every turn, each turn in the other order; largest change by folding."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    found = computations()
    spent: Spent = {name: [] for name in found}
    for turn in range(TURNS + 1):  # the first does not count
        for name in list(found)[:: 1 if turn % 2 else -1]:
            start = time.process_time()
            found[name]()
            spent[name] += [time.process_time() - start] if turn else []
    pairs = zip(found["batch"](), found["folded batch"](), strict=True)
    return spent, max(float((a - b).abs().max()) for a, b in pairs)


def epoch(spent: Spent, loop: str = "") -> list[float]:
    """Seconds of an epoch with its evaluation, one a turn; `loop`: what the names of its parts begin with."""
    parts = zip(spent[f"{loop}step"], spent[f"{loop}evaluation"], strict=True)
    return [EPOCH / STEPS * steps + evaluation for steps, evaluation in parts]


def compared(spent: Spent, name: str, other: str, passes: int = 1) -> common.Timing:
    """One computation against another; `passes`: how many of what the claim is about both did in a turn."""
    return common.compared(*([seconds / passes for seconds in spent[form]] for form in (name, other)))


def rows_of_the_loop(spent: Spent) -> list[common.Row]:
    """Ours against the released loop."""
    whole = common.compared(epoch(spent), epoch(spent, "released "))
    rates = [f"{EPOCH * S.batch / whole[form]:.0f}" for form in ("ours", "other")]  # type: ignore[literal-required]
    filters = ["/".join(map(str, f)) for f in (encoders.filters(S.width), TRUNCATED)]
    said = f"{rates[0]} against {rates[1]} pairs per second; {filters[0]} against {filters[1]} filters"
    said += f"; {STEPS} steps and the whole evaluation are measured, and the steps count {EPOCH // STEPS} times"
    whole_epoch, sets = f"{EPOCH} steps and evaluation, {SETTING}", f"{EVALUATED} of each split, {SETTING}"
    names = "released step", "released step, our filters"
    steps = [compared(spent, "step", name, STEPS) for name in names]
    curves = compared(spent, "evaluation", "released evaluation")
    return [
        common.claim("An epoch and its evaluation, against the released loop", whole_epoch, whole, GOAL, note=said),
        common.claim("A training step, against the released loop", STEP, steps[0]),
        common.claim("A training step, against the released loop with our filters", STEP, steps[1]),
        common.claim("Refit and scores after an epoch, against the released loop", sets, curves),
    ]


def rows_of_the_machine(spent: Spent, off: float) -> list[common.Row]:
    """What a step makes of the processor, and what folding would save."""
    step, folding = compared(spent, "step", "product", STEPS), compared(spent, "batch", "folded batch")
    rate = operations() / step["ours"] / 1e9
    said = f"the operations of convolutions over the time of all, {rate:.0f} GFLOP per second"
    share = float(np.median(np.divide(spent["evaluation"], epoch(spent))))
    saved = f"outputs differ by at most {off:.0e}; not done, since evaluation is {100 * share:.0f} % of an epoch"
    batch = f"evaluation, {SETTING}"
    name = f"A training step, against products of {SIDE} × {SIDE} matrices with as many operations"
    return [
        common.claim(name, STEP, step, note=said),
        common.claim("A batch in evaluation, against batch norm folded into convolutions", batch, folding, note=saved),
    ]


def measure() -> list[common.Row]:
    """The rows of this script; both loops with the memory settings that the grid gives its runs."""
    spent, off = common.apart(timed, environment=workers.KEEP_MEMORY)
    return [*rows_of_the_loop(spent), *rows_of_the_machine(spent, off)]


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure))
