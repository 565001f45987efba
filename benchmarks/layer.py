"""CCA layer and trace norm, forward and backward: closed-form gradients against autograd through eigendecompositions.

The released recipe takes four symmetric eigendecompositions for the layer and three for the trace norm; so does the
`CCALoss` of cca-zoo, the sum of squared correlations. Features are float32 and the gradients of the results are given;
neither encoders nor losses of the scores are timed. The recipe is timed in float32 and, without a goal, in float64:
the library decomposes in float64, so that only the latter has as many digits. The last rows compare ways from T to its
polar factor and from a gradient of that back to T, in float64. Run it as `python -m benchmarks.layer`.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from cca_zoo.deep.objectives import CCALoss
from torch import Tensor
from torch.nn import functional

from benchmarks import common
from book.derivations import released, routes
from xmlib import cca, polar
from xmlib.objectives import trace_norm

RIDGE = 1e-3
GOALS = {(100, 32): 3.0, (1000, 128): 2.5, (1000, 512): 2.0}  # (n, d), the first two as in the released configurations
TURNS, PASSES = {32: 11, 128: 5, 512: 3}, {32: 10, 128: 3, 512: 1}  # by d
CLOCKS = {1: ("one thread", time.process_time), 2: ("two threads, elapsed time", time.perf_counter)}
IDLE = (os.cpu_count() or 1) - os.getloadavg()[0] > 1.5  # before this script itself works; mean of the last minute
Views = Sequence[Tensor]


def released_layer(h1: Tensor, h2: Tensor) -> tuple[Tensor, Tensor]:
    """Unit-length embeddings (n, d) of a training batch as the released layer computes them."""
    c1, c2 = h1 - h1.mean(0), h2 - h2.mean(0)
    A, B = released.projections(*cca.covariances(c1, c2, RIDGE), h1.shape[1])
    return functional.normalize(c1 @ A, dim=1), functional.normalize(c2 @ B, dim=1)


def wide_released_layer(h1: Tensor, h2: Tensor) -> tuple[Tensor, ...]:
    """The same in float64, for float32 features."""
    return tuple(unit.to(h1.dtype) for unit in released_layer(h1.double(), h2.double()))


def cca_zoo_loss(h1: Tensor, h2: Tensor) -> Tensor:
    """Minus the sum of all squared correlations."""
    return CCALoss(RIDGE)([h1, h2])


LAYERS = {"the released recipe": released_layer, "the released recipe in float64": wide_released_layer}
LOSSES = {"the released recipe": partial(released.trace_norm, ridge=RIDGE), "CCALoss of cca-zoo": cca_zoo_loss}


def step(form: Callable, views: Views, given: Views | None = None) -> Views:
    """Gradients of both views from given ones of what `form` returns; without, of its value."""
    return torch.autograd.grad(form(*views), views, given)


def score_loss(form: Callable, h1: Tensor, h2: Tensor) -> Tensor:
    """Random weights on all scores: what the embeddings are for, and the same in every basis of them."""
    x, y = form(h1, h2)
    return (x @ y.T * torch.randn(len(h1), len(h1), generator=torch.Generator().manual_seed(1)).to(x)).sum()


def error(form: Callable, views: Views, right: Callable) -> str:
    """Relative error of the gradient of a loss of float32 views, against that of `right` in float64."""
    wide = [h.detach().double().requires_grad_() for h in views]
    found, truth = torch.cat(step(form, views)).double(), torch.cat(step(right, wide))
    return f"{float((found - truth).norm() / truth.norm()):.0e}"


def compared(name: str, n: int, d: int, ours: Callable, other: Callable, note: str, goal: bool) -> list[common.Row]:
    """A claim by processor time on one thread and, if it has a goal, by elapsed time on two."""
    found, least = [], GOALS[n, d] if goal else None
    for threads, (setting, clock) in list(CLOCKS.items())[: 2 if goal else 1]:
        torch.set_num_threads(threads)
        timing = common.paired(ours, other, TURNS[d], PASSES[d], clock)
        busy = "" if threads == 1 or IDLE else "; two cores were not idle, so one thread often waited for the other"
        found.append(common.claim(name, f"n = {n}, d = {d}, {setting}", timing, least, note=note + busy))
    torch.set_num_threads(1)
    return found


def products(h1: Tensor, h2: Tensor, given1: Tensor, given2: Tensor) -> None:
    """The thirteen products with n rows that every exact step has: three covariances, both projections, both gradients
    in the basis of the directions, and from these and the two views the six that make the gradients of the views.
    """
    small = [a.mT @ b for a, b in ((h1, h1), (h2, h2), (h1, h2), (h1, given1), (h2, given2))]
    for square, (one, other, given) in zip(small, ((h1, h2, given1), (h2, h1, given2)), strict=False):
        for rows_of in (one, one, other, given):
            rows_of @ square


def floor(n: int, d: int) -> list[common.Row]:
    """How much faster than the recipe a step could be in which only the products took time; no goal."""
    views = [h.float().requires_grad_() for h in routes.related_views(n, d, seed=0)]
    given = torch.randn(2, n, d, generator=torch.Generator().manual_seed(2)).unbind()
    alone = partial(products, *(h.detach() for h in views), *given)
    timing = common.paired(alone, partial(step, released_layer, views, given), TURNS[d], PASSES[d])
    name = "The matrix products that every exact step has, alone, against the released recipe"
    return [common.claim(name, f"n = {n}, d = {d}, one thread", timing, note="no step can be faster than these")]


def rows(n: int, d: int) -> list[common.Row]:
    """The layer and the trace norm at one size."""
    views = [h.float().requires_grad_() for h in routes.related_views(n, d, seed=0)]
    given = torch.randn(2, n, d, generator=torch.Generator().manual_seed(2)).unbind()
    layer, found = cca.CCALayer(d, RIDGE).train(), []
    for name, form in LAYERS.items():
        off = [error(partial(score_loss, f), views, partial(score_loss, layer)) for f in (layer, form)]
        steps = [partial(step, f, views, given) for f in (layer, form)]
        note = f"relative error of the gradient {off[0]}, the other's {off[1]}"
        found += compared(f"CCA layer against {name}", n, d, *steps, note, form is released_layer)
    own = partial(trace_norm, ridge=RIDGE)
    for name, form in LOSSES.items():
        off = [error(f, views, f) for f in (own, form)]  # each another loss, so each against itself in float64
        steps = [partial(step, f, views) for f in (own, form)]
        note = f"relative error of the gradient {off[0]}, the other's {off[1]}"
        found += compared(f"Trace norm against {name}", n, d, *steps, note, True)
    return found


WAYS = {"an SVD": polar.by_svd, "products alone": polar.by_products}


def there_and_back(way: Callable, T: Tensor, given: Tensor) -> Tensor:
    """Up to a constant the gradient (d, d) of T from that of its polar factor, which is found in one of the ways."""
    turn = way(T)
    return turn.U @ turn.solve(turn.U.mT @ given @ turn.V) @ turn.V.mT


def ways(n: int, d: int) -> list[common.Row]:
    """What was tried to get from T to its polar factor and a gradient back to T; no goals."""
    batch = polar.batch_statistics(*routes.related_views(n, d, seed=0), RIDGE)
    T, given = polar.whitened_cross(batch), torch.randn(d, d, generator=torch.Generator().manual_seed(3)).double()
    own, found = partial(there_and_back, polar.by_eigenvectors, T, given), []
    for name, way in WAYS.items():
        other = partial(there_and_back, way, T, given)
        note = f"they differ by {float((other() - own()).norm() / own().norm()):.0e}"
        timing = common.paired(own, other, TURNS[d], PASSES[d])
        claim = f"Polar factor and its gradient: eigenvectors of TTᵀ against {name}"
        found.append(common.claim(claim, f"d = {d}, float64, one thread", timing, note=note))
    return found


def measure() -> list[common.Row]:
    """The rows of this script."""
    return [row for part in (rows, floor, ways) for size in GOALS for row in part(*size)]


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, packages=(*common.PACKAGES, "cca-zoo")))
