"""What the CCA layer gives and what the loss gives: the two heads with each loss, all else alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from book.make import grid
from book.make.results.evidence_heads import heads
from book.make.results.findings import NAMES, shared
from book.make.results.runs import Runs
from book.make.results.tables import filled
from book.show import summaries
from book.show.drawings import Drawing
from xmlib import evaluate
from xmlib.scoring.intervals import Mean, holm, paired_mean
from xmlib.show.figures import METHOD_COLORS


class Compared(NamedTuple):
    """The runs of the two heads on the same pairs with the same settings, and by direction what the CCA layer adds."""

    dataset: str
    loss: str
    dropout: float
    layer: Runs
    learned: Runs
    gains: dict[str, Mean]


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown."""
    compared = comparisons(found)
    return {"heads.md": filled("heads", values, compared) if compared else filled("heads_missing", {})}


def pictures(found: Sequence[dict], draw: Callable[[Callable], Drawing]) -> dict[str, Drawing]:
    """File name → figure."""
    compared = comparisons(found)
    return {"heads.svg": draw(partial(figure, compared))} if compared else {}


def comparisons(found: Sequence[dict]) -> list[Compared]:
    """Every loss and share of dropout with which both heads have been run, data set by data set."""
    return [
        Compared(NAMES[dataset], loss, dropout, *both, _gains(*both))
        for dataset in grid.rows()["heads"]["datasets"]
        for (loss, _, dropout), runs in sorted(heads(found, dataset).items())
        for both in [shared(runs["layer"], runs["learned"])]
    ]


def _gains(layer: Runs, learned: Runs) -> dict[str, Mean]:
    """By direction the mean difference in reciprocal rank."""
    groups, ranks = layer.first["data"]["test_groups"], summaries.reciprocal_ranks
    return {way: paired_mean(ranks(layer, way), ranks(learned, way), groups) for way in evaluate.DIRECTIONS}


def values(compared: Sequence[Compared]) -> dict[str, Any]:
    """What fills the template: a row for each combination and direction, and how many differences hold."""
    rows: list[dict[str, Any]] = []
    for two in compared:
        for way, arrow in evaluate.direction_names(two.layer.first["dataset"]).items():
            row: dict[str, Any] = {"dataset": two.dataset, "loss": two.loss, "dropout": two.dropout, "arrow": arrow}
            row |= {"seeds": len(two.layer), "gain": two.gains[way]}
            rows.append(row | {"layer": two.layer.mrr(way), "learned": two.learned.mrr(way)})
    adjusted = holm([row["gain"].p for row in rows])
    held = [row["gain"].value for row, p in zip(rows, adjusted, strict=True) if p < 0.05]
    return {"rows": rows, "above": sum(gain > 0 for gain in held), "below": sum(gain < 0 for gain in held)}


def figure(compared: Sequence[Compared]) -> Figure:
    """What the CCA layer adds, with 95 % intervals: a panel for each direction, a row for each combination."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 0.28 * len(compared) + 1.4), sharex=True, sharey=True)
    labels = [f"{two.dataset}, {two.loss}, dropout {two.dropout:g}" for two in compared]
    for ax, (way, arrow) in zip(axes, evaluate.direction_names("emoji").items(), strict=True):
        for place, two in enumerate(compared):
            color = METHOD_COLORS[two.layer.method]
            ax.plot(two.gains[way].interval(), [place, place], color=color)
            ax.plot(two.gains[way].value, place, "o", color=color)
        ax.axvline(0, color="0.5", linewidth=1)
        ax.set(xlabel=f"MRR that the CCA layer adds,\n{arrow}", yticks=range(len(labels)), yticklabels=labels)
    axes[0].invert_yaxis()
    return figure
