"""Figures of trainings: `f(records or rows, ax=None) -> ax`, without file names and without global state.

Colours are Okabe and Ito's, safe for colour-blind readers; a method keeps its colour everywhere.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from xmlib.evaluate import direction_names
from xmlib.methods import METHODS

STYLE = Path(__file__).with_name("matplotlibrc")
METHOD_NAMES = {name: row.title for name, row in METHODS.items()} | {"linear_cca": "Linear CCA", "chance": "Chance"}
METHOD_COLORS = {name: row.color for name, row in METHODS.items()} | {"linear_cca": "#777777", "chance": "#BBBBBB"}


def use_style() -> None:
    """Give every figure of this process the book's look."""
    plt.style.use(STYLE)


def learning_curve(records: list[dict], ax: Axes | None = None) -> Axes:
    """Validation (solid) and training (dotted) MRR per epoch, one colour a method; a dot marks the best epoch."""
    ax = ax or plt.subplots(figsize=(7, 3.6))[1]
    rows = pd.DataFrame([{**row, "method": r["method"], "seed": r["seed"]} for r in records for row in r["history"]])
    long = rows.melt(["method", "seed", "epoch"], ["valid_mrr", "train_mrr"], "pairs", "mrr")
    long["pairs"] = long["pairs"].map({"valid_mrr": "validation", "train_mrr": "training subset"})
    methods = [m for m in METHOD_COLORS if m in set(rows["method"])]
    sns.lineplot(
        long, x="epoch", y="mrr", hue="method", style="pairs", hue_order=methods, palette=METHOD_COLORS,
        style_order=["validation", "training subset"], dashes={"validation": "", "training subset": (1.2, 1.6)},
        units="seed", estimator=None, ax=ax,
    )  # fmt: skip
    for r in records:
        ax.plot(r["best_epoch"], r["valid_mrr"], "o", color=METHOD_COLORS[r["method"]], markersize=5)
    handles, labels = ax.get_legend_handles_labels()
    kept = [(h, METHOD_NAMES.get(t, t)) for h, t in zip(handles, labels, strict=True) if t not in ("method", "pairs")]
    ax.legend(*zip(*kept, strict=True))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    forth = direction_names(records[0]["dataset"])["view1_to_view2"]
    ax.set(xlabel="epoch", ylabel=f"MRR, {forth}", ylim=(0, 1.02))
    return ax


def histories(curves: dict[str, tuple[list[int], list[float]]], key: str, ax: Axes | None = None) -> Axes:
    """Values of a key per epoch, a line for each named run; `curves`: name → epochs and values."""
    ax = ax or plt.subplots(figsize=(7, 3.6))[1]
    for name, (epochs, values) in curves.items():
        ax.plot(epochs, values, label=name.replace("$", r"\$"))  # a dollar would begin mathematics
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=key.replace("$", r"\$"))
    ax.legend()
    return ax


def telling_queries(ranks) -> tuple[list[int], list[float]]:
    """Four queries and their ranks: one found first, one nearly, the median of the failures (rank above 5), the worst.

    Of several alike the one in the middle of the list is taken; kinds that do not occur are left out.
    """
    ranks = np.asarray(ranks)
    failures = np.flatnonzero(ranks > 5)
    middle = failures[np.argsort(ranks[failures], kind="stable")]
    kinds = (np.flatnonzero(ranks == 1), np.flatnonzero((ranks > 1) & (ranks <= 5)), middle)
    queries = [int(rows[len(rows) // 2]) for rows in kinds if len(rows)] + [int(rows) for rows in middle[-1:]]
    return queries, [float(ranks[q]) for q in queries]
