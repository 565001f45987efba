"""MRR on sheet music and sound against the number of training pairs, part of `book.make`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from book.make.results.evidence_heads import LOSSES, loss
from book.make.results.findings import gain
from book.make.results.runs import Runs, grouped, place
from book.make.results.tables import filled
from book.show import summaries
from book.show.drawings import Drawing
from xmlib.methods import PAPER
from xmlib.scoring.intervals import Interval, Mean, crossed_mean
from xmlib.show.figures import METHOD_COLORS, METHOD_NAMES

TRACE, LEARNED, LAYER = PAPER
LINEAR = "linear_cca"
SIZES = "pairs_"  # how the variants begin that change the number of pairs
OTHERS = {LEARNED: "one_way"}  # of the usual number of pairs: the variant with the loss of the CCA layer


class Point(NamedTuple):
    """MRR at a number of training pairs, means of both directions: of each method, and what the CCA layer adds."""

    pairs: int
    runs: dict[str, Runs]
    mrr: dict[str, tuple[float, Interval]]
    gain: Mean | None  # over the learned map with the same loss


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown."""
    points = by_pairs(found)
    return {"fewer_pairs.md": filled("fewer_pairs", values, points) if points else filled("fewer_pairs_missing", {})}


def pictures(found: Sequence[dict], draw: Callable[[Callable], Drawing]) -> dict[str, Drawing]:
    """File name → figure."""
    points = by_pairs(found)
    return {"fewer-pairs.svg": draw(partial(figure, points))} if points else {}


def by_pairs(found: Sequence[dict]) -> list[Point]:
    """The points with records, fewest pairs first; none where no number of pairs but the usual one was run."""
    kept = [record for record in summaries.one_linear_cca(found) if _counts(record)]
    if not any((record.get("variant") or "").startswith(SIZES) for record in kept):
        return []
    grown = grouped(kept, lambda record: (record["data"]["train"], place(record["method"])))
    return [
        _point(pairs, {run.method: run for (n, _), run in grown.items() if n == pairs})
        for pairs in sorted({pairs for pairs, _ in grown})
    ]


def _counts(record: dict) -> bool:
    """Whether a record is of the profile medium, of one of the three methods, with the ranking loss one way."""
    method, variant = record["method"], record.get("variant", "")
    if (record["dataset"], record["profile"]) != ("audio_score", "medium") or method not in PAPER:
        return False
    if method != TRACE and loss(record) != LOSSES[0]:
        return False
    return variant.startswith(SIZES) or variant == OTHERS.get(method, "")


def _point(pairs: int, runs: dict[str, Runs]) -> Point:
    first = next(iter(runs.values())).first
    groups = first["data"]["test_groups"]
    told = {**runs, LINEAR: [first["baselines"][LINEAR]]}
    ranks = {method: summaries.reciprocal_ranks_both_ways(own) for method, own in told.items()}
    mrr = {method: (float(own.mean()), crossed_mean(own, groups).interval()) for method, own in ranks.items()}
    both = {LAYER, LEARNED} <= set(runs)
    return Point(pairs, runs, mrr, gain(runs[LAYER], runs[LEARNED]) if both else None)


def values(points: Sequence[Point]) -> dict[str, Any]:
    """What fills the template: a row for each number of pairs, with the seeds of the method that has the fewest."""
    return {
        "methods": {method: METHOD_NAMES[method] for method in (*PAPER, LINEAR)},
        "rows": [
            {
                "pairs": point.pairs,
                "seeds": min(map(len, point.runs.values())),
                "mrr": point.mrr,
                "gain": point.gain and (point.gain.value, point.gain.interval()),
            }
            for point in points
        ],
    }


def figure(points: Sequence[Point]) -> Figure:
    """MRR of every method, and what the CCA layer adds, against the number of pairs, with 95 % intervals."""
    figure, (levels, gains) = plt.subplots(1, 2, figsize=(8, 3.2), sharex=True)
    for method in (*PAPER, LINEAR):
        there = {point.pairs: point.mrr[method] for point in points if method in point.mrr}
        color = METHOD_COLORS[method]
        levels.plot(list(there), [value for value, _ in there.values()], "o-", color=color, label=METHOD_NAMES[method])
        levels.fill_between(
            list(there), *zip(*(ends for _, ends in there.values()), strict=True), alpha=0.15, color=color, lw=0
        )
    known = {point.pairs: point.gain for point in points if point.gain}
    if known:
        gains.plot(list(known), [gain.value for gain in known.values()], "o-", color=METHOD_COLORS[LAYER])
        ends = zip(*(gain.interval() for gain in known.values()), strict=True)
        gains.fill_between(list(known), *ends, color=METHOD_COLORS[LAYER], alpha=0.15, lw=0)
    gains.axhline(0, color="0.5", linewidth=1)
    levels.set(xscale="log", xlabel="training pairs", ylabel="MRR, mean of both directions")
    gains.set(xlabel="training pairs", ylabel="MRR that the CCA layer adds")
    levels.legend(fontsize=8)
    return figure
