"""What the released evaluation prints besides its metrics: how many queries hit, and how far apart pairs are."""

import math

import torch
from torch import Tensor

from xmlib.evaluate import CUTOFFS


def hits(metrics: dict[str, float], n: int) -> list[dict[str, float]]:
    """One row a cut-off k: `k`, `recall` in per cent, `hits` of the n queries, and `precision` in per cent.

    `metrics`: with `r1`, `r5` and so on. With ties hits are expected ones, no whole number. Of k answers at most one is
    right, so precision is recall over k; it is NaN where a query has several right `answers`.
    """
    recalls, several = [(k, metrics[f"r{k}"]) for k in CUTOFFS], metrics.get("answers", 1) > 1
    return [{"k": k, "recall": r, "hits": r * n / 100, "precision": math.nan if several else r / k} for k, r in recalls]


def distances(x: Tensor, y: Tensor) -> dict[str, float]:
    """Least, median and greatest cosine distance of matching pairs, unit-length rows (n, d) of `x` and `y`.

    Of an even number the median is the mean of the middle two.
    """
    apart = 1 - (x.double() * y.double()).sum(1)
    least, median, greatest = torch.quantile(apart, torch.tensor([0.0, 0.5, 1.0]).to(apart)).tolist()
    return {"min_distance": least, "median_distance": median, "max_distance": greatest}
