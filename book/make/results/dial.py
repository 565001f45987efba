"""What the terms for neighbours add as picture and text say ever more different things, part of `book.make`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from book.make import grid
from book.make.results.findings import NAMES, over_seeds
from book.make.results.runs import Runs, grouped
from book.make.results.tables import filled
from book.show import summaries
from book.show.drawings import Drawing
from xmlib import evaluate
from xmlib.scoring.intervals import Mean, paired_mean

METHOD = "neighborhoods"
CLASSES = "map"  # mAP over classes, where the measure is no reciprocal rank
LEAST = 2  # times the MRR of chance; below that a difference is of nothing


class Point(NamedTuple):
    """A share of complementary pairs: MRR with all terms and by chance, and what the terms add to MRR and to mAP."""

    share: float
    mrr: float
    chance: float
    gain: Mean
    of_seeds: dict[str, np.ndarray]  # by measure the gains of every seed
    records: list[dict]

    @property
    def seeds(self) -> int:
        return len(self.of_seeds["MRR"])


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown."""
    points = dialled(found)
    return {"dial.md": filled("dial", values, points) if points else filled("dial_missing", {})}


def pictures(found: Sequence[dict], draw: Callable[[Callable], Drawing]) -> dict[str, Drawing]:
    """File name → SVG."""
    points = dialled(found)
    return {"dial.svg": draw(partial(figure, points))} if points else {}


def title(dataset: str) -> str:
    """What readers call a data set of the grid's row."""
    return NAMES[dataset.partition("-")[0]]


def dialled(found: Sequence[dict]) -> dict[str, list[Point]]:
    """By data set the points of the dial, smallest share first; none where no pair was complementary."""
    row, result = grid.rows()["dial"], {}
    for dataset in row["datasets"]:
        points = [_point(found, dataset, share, row["ablation"]) for share in (0.0, *row["complementary"])]
        kept = [point for point in points if point]
        if any(point.share for point in kept):
            result[dataset] = kept
    return result


def _point(found: Sequence[dict], dataset: str, share: float, without: str) -> Point | None:
    name, *pairs = dataset.split("-")
    changed = [*pairs, *([f"complementary_{share}"] if share else [])]
    variants = {"-".join([*changed, *more]): key for key, more in (("all", []), ("without", [without]))}
    kept = [r for r in found if (r["dataset"], r["method"], r["profile"]) == (name, METHOD, "full")]
    runs = grouped([r for r in kept if r["variant"] in variants], lambda r: variants[r["variant"]])
    if set(runs) != {"all", "without"}:
        return None
    seeds = sorted({*runs["all"].seeds} & {*runs["without"].seeds})
    if len(seeds) < 2:  # no interval without a second one
        return None
    one, other = (Runs(r for r in runs[key] if r["seed"] in seeds) for key in ("all", "without"))
    ranks = [summaries.reciprocal_ranks_both_ways(run) for run in (one, other)]
    gain = paired_mean(ranks[0], ranks[1], one.first["data"]["test_groups"])
    classes = np.array([_of_classes(a) - _of_classes(b) for a, b in zip(one, other, strict=True)])
    gains = {"MRR": ranks[0].mean(1) - ranks[1].mean(1), "mAP": classes}
    chance = evaluate.chance_metrics(one.first["data"]["test"])["mrr"]
    return Point(share, float(ranks[0].mean()), chance, gain, gains, [*one, *other])


def _of_classes(record: dict) -> float:
    return float(np.mean([record["metrics"][way][CLASSES] for way in evaluate.DIRECTIONS]))


def growth(points: Sequence[Point], measure: str) -> tuple[float, int, Mean] | None:
    """The largest share at which MRR is at least twice that of chance, the gain there less that without any, its seeds.

    The error is over the seeds that both have; None where the dial has no such share, or none without.
    """
    shares = [point for point in points if point.share and point.mrr >= LEAST * point.chance]
    if not shares or points[0].share:
        return None
    seeds = min(shares[-1].seeds, points[0].seeds)
    grown = shares[-1].of_seeds[measure][:seeds] - points[0].of_seeds[measure][:seeds]
    return shares[-1].share, seeds, over_seeds(grown)


def values(found: dict[str, list[Point]]) -> dict[str, Any]:
    """What fills the template."""
    rows = [
        {"dataset": title(name), "share": point.share, "seeds": point.seeds, "mrr": point.mrr, "chance": point.chance}
        | {"gain": point.gain, "classes": over_seeds(point.of_seeds["mAP"])}
        for name, points in found.items()
        for point in points
    ]
    return {"rows": rows, "growth": {title(name): growth(points, "MRR") for name, points in found.items()}}


def figure(found: dict[str, list[Point]]) -> Figure:
    """What the terms add to MRR and to mAP over classes, against the share of complementary pairs."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharex=True)
    for ax, measure in zip(axes, ("MRR", "mAP"), strict=True):
        for name, points in found.items():
            shares = [point.share for point in points]
            gains = [point.gain if measure == "MRR" else over_seeds(point.of_seeds[measure]) for point in points]
            middle = [gain.value for gain in gains]
            low, high = zip(*(gain.interval() for gain in gains), strict=True)
            (line,) = ax.plot(shares, middle, "o-", label=title(name))
            ax.fill_between(shares, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        ax.axhline(0, color="0.5", linewidth=1)
        ax.set(xlabel="share of complementary pairs", ylabel=f"{measure} that the terms add")
    axes[0].legend(fontsize=8)
    return figure
