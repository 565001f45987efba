"""What the CCA layer gives and what the loss gives: the two heads with each loss, all else alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from book.make import grid
from book.make.results.runs import Runs, grouped
from book.make.results.tables import filled
from xmlib import evaluate
from xmlib.runs.parameters import varied
from xmlib.scoring.intervals import Mean, holm, paired_mean
from xmlib.show import summaries
from xmlib.show.drawings import Drawing
from xmlib.show.figures import METHOD_COLORS

HEADS = {"ccal_cont": "learned_cont", "ccal_nce": "learned_nce"}  # on the CCA layer → on the learned map, the same loss
DIRECTIONS = {"": "InfoNCE", False: "ranking, one way", True: "ranking, both ways"}  # by `both_ways`, of losses


class Cell(NamedTuple):
    """A loss, its share of dropout, and the pairs that both heads were trained on."""

    dataset: str
    loss: str
    dropout: float


class Compared(NamedTuple):
    """The runs of the two heads, and by direction what the CCA layer adds."""

    layer: Runs
    learned: Runs
    gains: dict[str, Mean]


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown."""
    compared = comparisons(found)
    return {"heads.md": filled("heads", values(compared)) if compared else filled("heads_missing", {})}


def pictures(found: Sequence[dict], draw: Callable[[Callable], Drawing]) -> dict[str, Drawing]:
    """File name → SVG."""
    compared = comparisons(found)
    return {"heads.svg": draw(lambda: figure(compared))} if compared else {}


def comparisons(found: Sequence[dict]) -> dict[Cell, Compared]:
    """The combinations of which both heads have been run, in the order of the grid."""
    row = grid.rows()["heads"]
    kept = [r for r in found if r["profile"] == "full" and r["dataset"] in row["datasets"] and _asked(r)]
    runs = grouped(
        kept, lambda r: (row["datasets"].index(r["dataset"]), _loss(r), r["settings"]["dropout"], r["method"])
    )
    result = {}
    for (place, loss, dropout, method), own in runs.items():
        learned = runs.get((place, loss, dropout, HEADS.get(method)))
        if learned:
            result[Cell(row["datasets"][place], loss, dropout)] = Compared(own, learned, _gains(own, learned))
    return result


def _asked(record: dict) -> bool:
    """Whether dropout, and the directions of a ranking loss, were asked for."""
    changed = varied(record["parameters"])
    return "dropout" in changed and (record["method"].endswith("_nce") or "both_ways" in changed)


def _loss(record: dict) -> str:
    return DIRECTIONS["" if record["method"].endswith("_nce") else record["settings"]["both_ways"]]


def _gains(layer: Runs, learned: Runs) -> dict[str, Mean]:
    """By direction the mean difference in reciprocal rank, over the seeds that both have."""
    seeds = sorted({*layer.seeds} & {*learned.seeds})
    one, other = ([r for r in runs if r["seed"] in seeds] for runs in (layer, learned))
    return {
        way: paired_mean(
            summaries.reciprocal_ranks(one, way),
            summaries.reciprocal_ranks(other, way),
            layer.first["data"]["test_groups"],
        )
        for way in evaluate.DIRECTIONS
    }


def values(compared: dict[Cell, Compared]) -> dict[str, Any]:
    """What fills the template: a row for each combination and direction, and how many differences hold."""
    rows = []
    for cell, two in compared.items():
        for way, arrow in evaluate.direction_names(cell.dataset).items():
            row = {**cell._asdict(), "arrow": arrow, "seeds": len(two.layer), "gain": two.gains[way]}
            rows.append(row | {"layer": two.layer.mrr(way), "learned": two.learned.mrr(way)})
    adjusted = holm([row["gain"].p for row in rows])
    held = [row["gain"].value for row, p in zip(rows, adjusted, strict=True) if p < 0.05]
    return {"rows": rows, "above": sum(gain > 0 for gain in held), "below": sum(gain < 0 for gain in held)}


def figure(compared: dict[Cell, Compared]) -> Figure:
    """What the CCA layer adds, with 95 % intervals: a panel for each direction, a row for each combination."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 0.28 * len(compared) + 1.2), sharex=True, sharey=True)
    labels = [f"{cell.dataset}, {cell.loss}, dropout {cell.dropout:g}" for cell in compared]
    for ax, (way, arrow) in zip(axes, evaluate.direction_names("emoji").items(), strict=True):
        for place, two in enumerate(compared.values()):
            gain = two.gains[way]
            color = METHOD_COLORS[two.layer.method]
            ax.plot(gain.interval(), [place, place], color=color)
            ax.plot(gain.value, place, "o", color=color)
        ax.axvline(0, color="0.5", linewidth=1)
        ax.set(xlabel=f"MRR that the CCA layer adds, {arrow}", yticks=range(len(labels)), yticklabels=labels)
    axes[0].invert_yaxis()
    return figure
