"""Measurements on how many pairs a CCA needs: correlations, projections, refits (book, chapter on statistics)."""

from functools import cache

import torch
from torch import Tensor

from book.make.theory.population import (  # fmt: skip
    CANDIDATES,
    SPECTRUM,
    D,
    Views,
    correlation_on_new_pairs,
    falling,
    gaussian_pairs,
    generator,
    mean_of,
    mrr,
    score_map_error,
)
from xmlib.cca import cca

RATIOS = (1.1, 1.5, 2, 3, 5, 10, 30, 100)  # n / d
SIZES = (8, D, 128)
SPECTRA = ((0.95, 0.5), SPECTRUM, (0.4, 0.05))
SHOWN_RATIOS = (3, 5, 10, 30, 100)  # n / d
DRAWS = 3
IAPR_D, IAPR_TRAIN, IAPR_VALID = 128, 17_000, 1000  # sizes of the released image–text models
REFIT_SIZES = (150, 300, IAPR_VALID, 3000, IAPR_TRAIN)
KEPT = (2, 4, 8, 16, 32, 64, 96, IAPR_D)


@cache
def sample_sizes() -> list[dict]:
    """One row a size and n/d: correlations `inside` the sample and on `new` pairs, `error` of the score map, `mrr`."""
    rows = []
    for d in SIZES:
        corr = falling(*SPECTRUM, d)
        test, eye = gaussian_pairs(CANDIDATES, corr, generator(0, d)), torch.eye(d).double()
        best = {"true": float(corr.mean()), "true_mrr": mrr(test, eye, eye)}
        for ratio in RATIOS:
            drawn = [_fit(round(ratio * d), corr, test, draw) for draw in range(DRAWS)]
            rows.append({"d": d, "ratio": ratio, **best, **mean_of(drawn)})
    return rows


def _fit(n: int, corr: Tensor, test: Views, draw: int) -> dict[str, float]:
    A, B, inside = cca(*gaussian_pairs(n, corr, generator(1 + draw, len(corr), n)))
    new = correlation_on_new_pairs(A, B, corr)
    return {"n": n, "inside": float(inside.mean()), "new": new, "error": score_map_error(A, B), "mrr": mrr(test, A, B)}


@cache
def spectra(d: int = D) -> list[dict]:
    """One row a spectrum, as (highest, lowest) correlation: `error` of the score map by n/d, means of the draws."""
    rows = []
    for high, low in SPECTRA:
        corr = falling(high, low, d)
        test = gaussian_pairs(2, corr, generator(0, d))  # MRR is not looked at here
        errors = {
            ratio: mean_of([_fit(round(ratio * d), corr, test, draw) for draw in range(DRAWS)])["error"]
            for ratio in SHOWN_RATIOS
        }
        rows.append({"spectrum": (high, low), "error": errors})
    return rows


def noise_correlation(n: int, d: int = D, draws: int = 20) -> float:
    """Mean squared canonical correlation of n independent pairs, without ridge; d / (n − 1) is expected."""
    views = [gaussian_pairs(n, torch.zeros(d).double(), generator(2, n, draw)) for draw in range(draws)]
    return sum(float(cca(*pair, ridge=1e-12)[2].square().mean()) for pair in views) / draws


@cache
def refits() -> list[dict]:
    """One row a number of pairs (0: true projections): `mrr` by directions kept, and `weighted`: all, times σ."""
    corr = 0.95 * torch.exp(-torch.arange(IAPR_D).double() / 40)
    test, eye = gaussian_pairs(CANDIDATES, corr, generator(10)), torch.eye(IAPR_D).double()
    rows = []
    for n in (*REFIT_SIZES, 0):
        A, B, found = cca(*gaussian_pairs(n, corr, generator(11, n))) if n else (eye, eye, corr)
        by_kept = {k: mrr(test, A[:, :k], B[:, :k]) for k in KEPT}
        rows.append({"n": n, "mrr": by_kept, "weighted": mrr(test, A * found, B * found)})
    return rows
