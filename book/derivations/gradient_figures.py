"""Figures of the chapters on CCA and its gradient: `f(rows, …) -> Figure` or Axes, rows as pandas data frames."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLORS = {"released recipe": "#D55E00", "implicit, σᵢ² − σⱼ²": "#E69F00", "polar, σᵢ + σⱼ": "#0072B2"}
MARKERS = dict(zip(COLORS, "svo", strict=True))
LAYER = "#009E73"
FLOOR = 1e-17  # what is exactly right is drawn here on a logarithmic axis


def noise(rows: pd.DataFrame, d: int, ax: Axes | None = None) -> Axes:
    """Largest and root mean square in-sample correlation of pure noise against n, points over the two formulas.

    `rows`: columns `n`, `largest`, `rms`.
    """
    ax = ax or plt.subplots(figsize=(7, 3.6))[1]
    n = np.geomspace(rows["n"].min(), rows["n"].max(), 400)
    share = d / (n - 1)
    edge = np.where(share < 0.5, 2 * np.sqrt(np.clip(share * (1 - share), 0, None)), 1)
    for column, curve, color, label in (
        ("largest", edge, "#D55E00", "largest of the d"),
        ("rms", np.sqrt(share), "#0072B2", "root mean square"),
    ):
        ax.plot(n, curve, color=color, label=label)
        ax.plot(rows["n"], rows[column], "o", color=color, markersize=4)
    ax.axvline(2 * d + 1, color="#777777", linewidth=1, linestyle=":")
    ax.text(2 * d + 1, 0.02, " n = 2d + 1", color="#555555", fontsize=9)
    ticks = [d + 1, 2 * d, 4 * d, 8 * d, 16 * d, 32 * d]
    ax.set(xscale="log", ylim=(0, 1.05), xlabel=f"pairs n, for d = {d}", ylabel="correlation in the sample")
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.minorticks_off()
    ax.legend()
    return ax


def released_trace_norm(rows: pd.DataFrame) -> Figure:
    """What one correlation adds to the objective, and how strongly it is pulled: released against exact.

    `rows`: columns `corr`, `value`, `slope` of the released form.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.2))
    left.plot(rows["corr"], rows["value"] - rows["corr"], color=COLORS["released recipe"], label="released − exact")
    left.axhline(0, color="#777777", linewidth=1)
    left.set(xlabel="correlation σ", ylabel="difference in value")
    left.legend()
    right.plot(rows["corr"], rows["slope"], color=COLORS["released recipe"], label="released")
    right.axhline(1, color=COLORS["polar, σᵢ + σⱼ"], label="exact")
    right.set(xlabel="correlation σ", ylabel="pull on σ", ylim=(-0.05, 1.1))
    right.legend(loc="center right")
    return figure


def precision(rows: pd.DataFrame) -> Figure:
    """Relative error of the gradient against d, one panel a precision. `rows`: `d`, `route`, `dtype`, `error`."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.6))
    for ax, (dtype, part) in zip(axes, rows.groupby("dtype", sort=False), strict=True):
        for route, points in part.groupby("route", sort=False):
            color, marker = COLORS.get(route, LAYER), MARKERS.get(route, "D")
            ax.plot(points["d"], points["error"], marker=marker, color=color, label=route, markersize=5)
        ax.set(xscale="log", yscale="log", title=dtype, xlabel="dimension d")
        ticks = sorted(part["d"].unique())
        ax.set_xticks(ticks, [str(t) for t in ticks])
        ax.minorticks_off()
    axes[0].set_ylabel("relative error of the gradient")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def approach(rows: pd.DataFrame) -> Figure:
    """Error of loss and gradient as two correlations approach. `rows`: columns `gap`, `route`, `loss`, `gradient`."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.6))
    for ax, column in zip(axes, ("loss", "gradient"), strict=True):
        for route, points in rows.groupby("route", sort=False):
            ax.plot(
                points["gap"], points[column].clip(lower=FLOOR), marker=MARKERS[route], color=COLORS[route],
                label=route, markersize=5,
            )  # fmt: skip
        ax.set(xscale="log", yscale="log", title=f"error of the {column}", xlabel="gap between two correlations")
        ax.invert_xaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def border(rows: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Size of the gradient as σₖ and σₖ₊₁ approach. `rows`: columns `gap`, `kept` (a label), `size`."""
    ax = ax or plt.subplots(figsize=(7, 3.4))[1]
    for (kept, points), color, marker in zip(
        rows.groupby("kept", sort=False), ("#0072B2", "#CC79A7"), "o^", strict=True
    ):
        ax.plot(points["gap"], points["size"], marker=marker, color=color, label=kept, markersize=5)
    ax.set(xscale="log", yscale="log", xlabel="gap between the two correlations", ylabel="norm of the gradient")
    ax.invert_xaxis()
    ax.legend()
    return ax
