"""How runs were trained, and which of their queries tell the most."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from xmlib.evaluate import direction_names
from xmlib.show.figures import METHOD_COLORS, METHOD_NAMES


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


def telling_queries(ranks) -> tuple[list[int], list[float]]:
    """Four queries and their ranks: one found first, one nearly, the median of the failures (rank above 5), the worst.

    Of several alike the one in the middle of the list is taken; kinds that do not occur are left out.
    """
    ranks = np.asarray(ranks)
    failures = np.flatnonzero(ranks > 5)
    middle = failures[np.argsort(ranks[failures], kind="stable")]
    kinds = (np.flatnonzero(ranks == 1), np.flatnonzero((ranks > 1) & (ranks <= 5)), middle)
    queries = [int(rows[len(rows) // 2]) for rows in kinds if len(rows)]
    queries += [int(worst) for worst in middle[-1:] if worst not in queries]
    return queries, [float(ranks[q]) for q in queries]
