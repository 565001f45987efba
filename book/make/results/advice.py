"""What the page of hyper-parameters shows of the trials of single settings: tables, how sure they are, two figures."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from book.make import trials
from book.make.results.runs import BASELINES, title
from book.make.results.tables import filled
from book.make.trials import Trial
from book.show.drawings import Drawing
from xmlib.evaluate import DIRECTIONS, recorded_reciprocal_ranks
from xmlib.scoring.intervals import Interval, holm, paired_mean
from xmlib.show.figures import METHOD_COLORS

Kept = dict[str, dict[str, Any]]  # key → trial
SHEET = trials.FILE.with_name("trials.json")
SETS = ("emoji", "digits")
LINEAR = "linear_cca"
FIRST: dict[str, Any] = {"gain": None, "verdict": "", "p": None}  # of the trial that others are compared with
OVERFIT: tuple[dict[str, Any], ...] = ({}, {"l2": 1e-5})  # the two weight decays whose curves are drawn
CURVES = {"train_mrr": "training subset", "valid_mrr": "validation"}


def fragments(kept: Kept) -> dict[str, str]:
    """File name → Markdown: a table for each piece of advice, and what they come to."""
    found = {f"advice_{piece}.md": filled("advice_table", piece_of_advice, kept, piece) for piece in _compared()}
    found["advice_pairs.md"] = filled("advice_pairs", advice_by_pairs, kept)
    found["advice_sheet.md"] = filled("advice_sheet", on_sheet_music)
    found["advice_overfitting.md"] = filled("advice_overfitting", overfitting, kept)
    found["advice_reading.md"] = filled("advice_reading", reading, kept)
    return found


def pictures(kept: Kept, draw: Callable[[Callable], Drawing]) -> dict[str, Drawing]:
    """File name → SVG."""
    return {
        "advice-pairs.svg": draw(partial(draw_pairs, kept)),
        "advice-overfitting.svg": draw(partial(draw_overfitting, kept)),
    }


def piece_of_advice(kept: Kept, piece: str) -> dict[str, Any]:
    """The table of one piece of advice."""
    return {"rows": table(kept, piece)}


def advice_by_pairs(kept: Kept) -> dict[str, Any]:
    """The table by number of pairs."""
    return {"rows": by_pairs(kept)}


def on_sheet_music() -> dict[str, Any]:
    """The table of the trials on sheet music."""
    return {"trials": sheet()}


def _compared() -> list[str]:
    """The pieces whose trials are compared with the first of them."""
    return [piece for piece in trials.PIECES if piece != "pairs"]


def table(kept: Kept, piece: str) -> list[dict[str, Any]]:
    """A row for each trial of a piece: what it is, its MRR, and how it differs from the first on the same pairs."""
    rows = []
    for dataset, asked in trials.PIECES[piece].items():
        for trial in asked:
            seeds = [seed for seed in trials.SEEDS if trial.key(seed) in kept and asked[0].key(seed) in kept]
            if seeds:
                row: dict[str, Any] = {"dataset": dataset, "setting": label(kept[trial.key(seeds[0])], asked)}
                row["mrr"] = float(scores(kept, trial, seeds).mean())
                rows.append(row | (compared(kept, trial, asked[0], seeds) if trial != asked[0] else FIRST))
    return rows


def compared(kept: Kept, one: Trial, other: Trial, seeds: Sequence[int]) -> dict[str, Any]:
    """`gain`, the difference in MRR with its interval, the `verdict` that this gives, and its `p`."""
    a, b = scores(kept, one, seeds), scores(kept, other, seeds)
    mean = paired_mean(a, b, trials.groups(kept, one.dataset))
    return {"gain": (mean.value, mean.interval()), "verdict": verdict(mean.interval()), "p": mean.p}


def verdict(between: Interval) -> str:
    """What an interval of a difference says: better, worse, or open."""
    low, high = between
    return "better" if low > 0 else "worse" if high < 0 else "open"


def scores(kept: Kept, trial: Trial, seeds: Sequence[int]) -> np.ndarray:
    """Reciprocal ranks (seeds, n) of the validation pairs, the mean of both directions."""
    return np.array(
        [np.mean([recorded_reciprocal_ranks(kept[trial.key(s)], way) for way in DIRECTIONS], axis=0) for s in seeds]
    )


def label(row: dict[str, Any], asked: Sequence[Trial]) -> str:
    """What a trial is among those of its piece: its values of all that differs there."""
    if any(trial.refit for trial in asked):
        return f"refit on {row['refit'] or row['train']:,} pairs"
    names = dict.fromkeys(name for trial in asked for name in trial.changes)
    told = [f"`{row['method']}`"] if len({trial.method for trial in asked}) > 1 else []
    return ", ".join(told + [_told(name, row) for name in names if told == [] or _counts(name, row)])


def _counts(name: str, row: dict[str, Any]) -> bool:
    """Whether a setting means something to a method."""
    return name != "weight_tno" or row["method"] == "ccal_tno"


def _told(name: str, row: dict[str, Any]) -> str:
    value = row["settings"][name]
    if name == "both_ways":
        return "both ways" if value or (value is None and row["method"] == "learned_cont") else "one way"
    return f"{name} = {value:g}".replace("e-0", "e-")


def reading(kept: Kept) -> dict[str, Any]:
    """How many differences there are on the page, and how many are left when held against chance together."""
    differences = [row for piece in _compared() for row in table(kept, piece) if row["gain"]]
    verdicts = [row["verdict"] for row in differences]
    left = int((holm([row["p"] for row in differences]) < 0.05).sum()) if differences else 0
    counts = {"count": len(verdicts), "told": len(verdicts) - verdicts.count("open"), "left": left}
    sizes = {dataset: _size(kept, dataset) for dataset in SETS}
    return counts | {"sizes": sizes}


def _size(kept: Kept, dataset: str) -> dict[str, int]:
    """Training and validation pairs of a data set."""
    row = next(row for row in kept.values() if row["dataset"] == dataset and not row["n"])
    return {"train": row["train"], "valid": len(trials.groups(kept, dataset))}


def by_pairs(kept: Kept) -> list[dict[str, Any]]:
    """A row for each data set, number of training pairs and method: its MRR, and what it adds to linear CCA."""
    rows = []
    for dataset, asked in trials.PIECES["pairs"].items():
        for n in sorted({trial.n for trial in asked}, key=lambda n: n or np.inf):
            found = [trial for trial in asked if trial.n == n]
            seeds = [s for s in trials.SEEDS if all(trial.key(s) in kept for trial in found)]
            if not seeds:
                continue
            pairs = float(np.mean([kept[found[0].key(seed)]["train"] for seed in seeds]))
            for trial in found:
                row = {"dataset": dataset, "pairs": pairs, "method": trial.method}
                row |= {
                    "mrr": float(scores(kept, trial, seeds).mean()),
                    "d": kept[trial.key(seeds[0])]["settings"]["d"],
                }
                rows.append(row | (FIRST if trial == found[0] else compared(kept, trial, found[0], seeds)))
    return rows


def sheet() -> list[dict[str, Any]]:
    """The trials on sheet music, those with the most pairs and renderings first, the best of them first."""
    found = json.loads(SHEET.read_text(encoding="utf-8"))
    return sorted(found, key=lambda one: (-one["train"], -one["renderings"], -one["valid_mrr"]))


def _methods() -> list[str]:
    return list(dict.fromkeys(trial.method for trial in trials.PIECES["pairs"]["emoji"]))


def draw_pairs(kept: Kept) -> Figure:
    """MRR against the number of training pairs, a panel for each data set, a line for each method."""
    figure, axes = plt.subplots(len(SETS), figsize=(5.6, 6.4), sharex=True)
    for ax, dataset in zip(axes, SETS, strict=True):
        for method in _methods():
            points = _points(kept, dataset, method)
            if points:
                ax.plot(*zip(*points, strict=True), "o-", color=METHOD_COLORS[method], label=_name(method))
        ax.set(xscale="log", title=dataset, ylabel="validation MRR", ylim=(0, None))
    axes[0].legend(fontsize=8)
    axes[-1].set(xlabel="training pairs")
    return figure


def _name(method: str) -> str:
    return BASELINES.get(method) or title(method)


def _points(kept: Kept, dataset: str, method: str) -> list[tuple[float, float]]:
    """Number of training pairs and mean MRR."""
    points = []
    for trial in trials.PIECES["pairs"][dataset]:
        rows = [kept[trial.key(seed)] for seed in trials.SEEDS if trial.key(seed) in kept]
        if trial.method == method and rows:
            mean = float(np.mean([list(row["valid"].values()) for row in rows]))
            points.append((float(np.mean([row["train"] for row in rows])), mean))
    return sorted(points)


def overfitting(kept: Kept) -> dict[str, Any]:
    """Weight decays, and where the curves of training and validation end."""
    own, weak = (kept[Trial("emoji", changes=changes).key(trials.SEEDS[0])] for changes in OVERFIT)
    ends = [{name.split("_")[0]: row["curves"][name][-1] for name in CURVES} for row in (own, weak)]
    decays = {"own": own["settings"]["l2"], "weak": weak["settings"]["l2"]}
    return decays | {"train": own["train"], "strong": ends[0], "light": ends[1]}


def draw_overfitting(kept: Kept) -> Figure:
    """Training and validation MRR of every epoch, with the weight decay of small sets and with that of large ones."""
    figure, ax = plt.subplots(figsize=(5.6, 3.4))
    for changes, color in zip(OVERFIT, (METHOD_COLORS["ccal_cont"], METHOD_COLORS[LINEAR]), strict=True):
        row = kept[Trial("emoji", changes=changes).key(trials.SEEDS[0])]
        for name, style in (("train_mrr", ":"), ("valid_mrr", "-")):
            values = row["curves"][name]
            told = f"{CURVES[name]}, λ = {row['settings']['l2']:g}".replace("e-0", "e-")
            ax.plot(range(1, len(values) + 1), values, style, color=color, label=told)
    ax.set(xlabel="epoch", ylabel="MRR, image → text", ylim=(0, 1.02))
    ax.legend(loc="center right", fontsize=8)
    return figure
