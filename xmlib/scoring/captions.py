"""Scores of pairs of which several have the same item in one view, as a picture has captions: any of these is right.

The shared item is one query and one candidate, however many pairs it is in, as in the protocol of COCO.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from xmlib import evaluate
from xmlib.evaluate import DIRECTIONS
from xmlib.scoring import relevance

FORWARD, BACKWARD = DIRECTIONS


def both_ways(x: Tensor, y: Tensor, view: int, item: Any, labels: Any = None, groups: Any = None) -> dict[str, Any]:
    """Direction → `metrics`, and for every pair the `ranks` and `reciprocal` ranks of its query.

    `x`, `y`: unit-length embeddings (n, d) of pairs; `view`, 1 or 2, is the one whose items are shared, `item`, (n,),
    numbers them. Metrics are those of `relevance.any_right_metrics` with `mrr_interval` (bootstrap over `groups`), the
    number of `queries`, the mean number of right `answers`, `mean_distance` of pairs, and `map` where these have
    labels. `reciprocal` has the MRR for its mean: a shared query counts as much as any other, however many pairs it is
    in.
    """
    item, result = np.asarray(item), {"metrics": {}, "ranks": {}, "reciprocal": {}}
    for way, (asked, offered, place) in _sides(view, item).items():
        query, candidates = (x[asked], y[offered]) if way == FORWARD else (y[asked], x[offered])
        standing = relevance.standing_of_any(query, candidates, item[asked], item[offered])
        reciprocal = relevance.reciprocal_ranks_of_any(*standing)
        own = None if groups is None else np.asarray(groups)[asked]
        interval = list(evaluate.bootstrap_interval(reciprocal, own))
        metrics = relevance.any_right_metrics(*standing) | {
            "mrr_interval": interval, "mean_distance": evaluate.mean_distance(x, y),
            "queries": len(asked), "answers": max(1.0, len(offered) / len(asked)),
        }  # fmt: skip
        if labels is not None:
            classes = np.asarray(labels)
            found = relevance.average_precisions(query, candidates, classes[asked], classes[offered])
            metrics["map"] = float(found.mean())
        better, tied, right = standing
        pairs_of_query = np.bincount(place)
        result["metrics"][way] = metrics
        result["ranks"][way] = (better + (tied + 1) / (right + 1))[place].tolist()
        result["reciprocal"][way] = (reciprocal / pairs_of_query * len(item) / len(asked))[place].tolist()
    return result


def chance(view: int, item: Any) -> dict[str, dict[str, float]]:
    """Direction → what scores that know nothing are expected to get by `both_ways`."""
    item = np.asarray(item)
    sides = _sides(view, item).items()
    return {way: relevance.chance_of_any(item[asked], item[offered]) for way, (asked, offered, _) in sides}


def _sides(view: int, item: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Direction → rows of its queries, rows of its candidates, and for every pair which of the queries it has.

    The first row of a shared item stands for all.
    """
    every, (first, number) = np.arange(len(item)), np.unique(item, return_index=True, return_inverse=True)[1:]
    if view == 1:
        return {FORWARD: (first, every, number), BACKWARD: (every, first, every)}
    return {FORWARD: (every, first, every), BACKWARD: (first, every, number)}
