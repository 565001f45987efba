"""What single deviations from the released code change, on synthetic pairs (book, deviations)."""

from functools import cache

import torch
from torch import Tensor, nn

from book.derivations import released
from book.make.theory.minibatches import BATCH
from book.make.theory.population import (
    CANDIDATES,
    SPECTRUM,
    D,
    Views,
    cosine,
    falling,
    gaussian_pairs,
    generator,
    mean_of,
    mrr,
)
from xmlib import evaluate
from xmlib.cca import CCALayer, cca
from xmlib.model import LinearHead
from xmlib.objectives import ranking_loss, trace_norm

WIDTH, INPUTS = 16, 48  # of the small linear encoders that are trained here
PAIRS, STEPS, RATE = 4000, 100, 1e-2
SEEDS = 3
TRUTHS = (  # true correlations in words and as numbers, and the standard deviation of the features
    (f"falling from {SPECTRUM[0]} to {SPECTRUM[1]}", SPECTRUM, 1.0),
    ("none at all", (0.0, 0.0), 1.0),
    ("all 1, features of variance 100", (1.0, 1.0), 10.0),
)


@cache
def trace_norm_bias(n: int = 1000) -> list[dict]:
    """One row a set of true correlations: its `name`, the mean σ by both, and the cosine of both gradients."""
    rows = []
    for name, (high, low), scale in TRUTHS:
        views = gaussian_pairs(n, falling(high, low, D), generator(30))
        views = scale * views[0], scale * views[1]
        values, gradients = zip(
            *(_with_gradient(loss, views) for loss in (trace_norm, released.trace_norm)), strict=True
        )
        rows.append({"name": name, "ours": -values[0], "released": -values[1], "cosine": cosine(*gradients)})
    return rows


def _with_gradient(loss, views: Views) -> tuple[float, Tensor]:
    first, second = views[0].clone().requires_grad_(), views[1]
    value = loss(first, second)
    value.backward()
    return value.item(), first.grad


@cache
def directions() -> list[dict]:
    """One row a head and one- or two-sided ranking loss: MRR `forth` and `back` after a short training, means."""
    rows = []
    for head in ("CCA layer", "learned map"):
        for both_ways in (False, True):
            runs = [_train(head, both_ways, seed) for seed in range(SEEDS)]
            low, high = (extreme(run["forth"] for run in runs) for extreme in (min, max))
            rows.append({"head": head, "both_ways": both_ways, "low": low, "high": high, **mean_of(runs)})
    return rows


def _train(head_name: str, both_ways: bool, seed: int) -> dict[str, float]:
    """MRR of linear encoders trained on pairs whose second view is bent by sinh, so that no encoder is perfect."""
    g, corr = generator(31, seed), falling(0.95, 0.0, INPUTS)
    train, test = ([view1, view2.sinh()] for view1, view2 in (gaussian_pairs(n, corr, g) for n in (PAIRS, CANDIDATES)))
    encoders = [nn.Parameter(torch.randn(INPUTS, WIDTH, generator=g).double() / INPUTS**0.5) for _ in "12"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = CCALayer(WIDTH) if head_name == "CCA layer" else LinearHead(WIDTH).double()
    optimizer = torch.optim.Adam([*encoders, *head.parameters()], lr=RATE)
    for _ in range(STEPS):
        rows = torch.randint(PAIRS, (BATCH,), generator=g)
        features = [view[rows] @ weights for view, weights in zip(train, encoders, strict=True)]
        x, y = head.train()(*features)
        loss = ranking_loss(x, y, both_ways=both_ways)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        head.eval().refit(*(view @ weights for view, weights in zip(train, encoders, strict=True)))
        x, y = head(*(view @ weights for view, weights in zip(test, encoders, strict=True)))
    return {"forth": evaluate.mrr(x, y), "back": evaluate.mrr(y, x)}


@cache
def last_batch_centre(batches: int = 20) -> dict[str, float]:
    """MRR with features centred by the mean of all training pairs, and by that of one batch: mean, least and most."""
    corr, eye = falling(*SPECTRUM, D), torch.eye(D).double()
    g = generator(32)
    views = gaussian_pairs(CANDIDATES, corr, g)
    found = []
    for _ in range(batches):
        means = [view.mean(0) for view in gaussian_pairs(BATCH, corr, g)]
        found.append(mrr((views[0] - means[0], views[1] - means[1]), eye, eye))
    return {"all": mrr(views, eye, eye), "batch": sum(found) / batches, "low": min(found), "high": max(found)}


@cache
def filled_batches(n: int = 950, batch: int = 100) -> dict[str, float]:
    """MRR of `n` pairs as they are, and with random ones of them repeated until batches of `batch` are full."""
    A, B, _ = cca(*gaussian_pairs(PAIRS, falling(*SPECTRUM, D), generator(33)))
    views = gaussian_pairs(n, falling(*SPECTRUM, D), generator(34))
    rows = torch.cat([torch.arange(n), torch.randint(n, (-n % batch,), generator=generator(35))])
    return {"repeated": -n % batch, "as_is": mrr(views, A, B), "filled": mrr((views[0][rows], views[1][rows]), A, B)}
