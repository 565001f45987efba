"""Figures and tables of runs on sheet music and its sound: `f(records or rows) -> ax or Figure`, without file names."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from xmlib.evaluate import direction_names
from xmlib.show.figures import METHOD_COLORS, METHOD_NAMES

RIGHT = "#009E73"  # frame of the right answer


def rank_distribution(records: list[dict], ax: Axes | None = None) -> Axes:
    """Share of test queries whose right answer is among the first k, against k; linear CCA and chance beside."""
    ax = ax or plt.subplots(figsize=(7, 3.6))[1]
    direction = "view1_to_view2"
    curves = [(r["method"], r["ranks"][direction]) for r in records]
    curves.append(("linear_cca", records[0]["baselines"]["linear_cca"]["ranks"][direction]))
    for method, ranks in curves:
        sns.ecdfplot(x=ranks, ax=ax, color=METHOD_COLORS[method], label=METHOD_NAMES[method])
    n = len(curves[0][1])
    ax.plot(np.arange(1, n + 1), np.arange(1, n + 1) / n, color=METHOD_COLORS["chance"], label=METHOD_NAMES["chance"])
    ax.set(
        xscale="log", xlim=(1, n), ylim=(0, 1), xlabel=f"k, of {n} candidates", ylabel="queries found in the first k"
    )
    ax.legend(loc="lower center")  # beside the curve of chance
    return ax


def pair_examples(split, rows, columns: int = 4) -> Figure:
    """Pairs of a split: the snippet above its spectrogram excerpt, a line through the note and its onset."""
    figure, axes = plt.subplots(2, columns, figsize=(1.9 * columns, 4.2), height_ratios=(40, 62))
    rows = np.asarray(rows)
    show_pairs(axes, split.view1[rows], split.view2[rows])
    return figure


def changed_examples(split, row: int, changes) -> Figure:
    """A training pair as it is, then once with each of those changes (`data.augment.Changes`).

    The green lines stay where the note and its onset were.
    """
    rows = np.full(len(changes.scale), row)
    views = zip((split.view1[[row]], split.view2[[row]]), split.augmentation.cut(rows, changes), strict=True)
    snippets, excerpts = (np.concatenate(both) for both in views)
    figure, axes = plt.subplots(2, len(snippets), figsize=(1.9 * len(snippets), 4.6), height_ratios=(40, 62))
    show_pairs(axes, snippets, excerpts)
    axes[0, 0].set_title("as it is", fontsize=9)
    for (top, bottom), rendering, onset, staff, scale in zip(axes.T[1:], *changes, strict=True):
        top.set_title(f"staff {staff:+d} px, × {scale:.2f}", fontsize=9)
        bottom.set_title(f"rendering {rendering + 1}, onset {onset:+d}", fontsize=9)
    return figure


def show_pairs(axes: np.ndarray, snippets: np.ndarray, excerpts: np.ndarray) -> None:
    """Snippets in the upper row of axes, excerpts below them, each with a line through its middle."""
    for (top, bottom), snippet, excerpt in zip(axes.T, snippets, excerpts, strict=True):
        show_snippet(top, snippet)
        show_spectrogram(bottom, excerpt)
        top.axvline(snippet.shape[-1] / 2 - 0.5, color=RIGHT, alpha=0.6, linewidth=1)
        bottom.axvline(excerpt.shape[-1] // 2, color=RIGHT, alpha=0.9, linewidth=1)
    axes[1, 0].set_ylabel("92 bands, 30 Hz to 6 kHz")
    axes[1, 0].set_xlabel("42 frames, 2.1 s")


def show_snippet(ax: Axes, snippet: np.ndarray) -> None:
    """A sheet-music snippet (1, h, w), white paper."""
    ax.imshow(snippet[0], cmap="gray", vmin=0, vmax=1, aspect="auto")
    bare(ax)


def show_spectrogram(ax: Axes, spectrogram: np.ndarray) -> None:
    """A spectrogram excerpt (1, bands, frames), low bands at the bottom."""
    ax.imshow(spectrogram[0], origin="lower", aspect="auto")
    bare(ax)


def bare(ax: Axes) -> None:
    """Take ticks and grid away, for a picture."""
    ax.set(xticks=[], yticks=[])
    ax.grid(False)


def retrieved(split, queries, candidates, scores_ranks) -> Figure:
    """Queries and what they found: the snippet above its own excerpt, then the five best, each under its own snippet.

    `queries`: row numbers; `candidates`: (queries, 5) row numbers, best first; `scores_ranks`: rank of the right one.
    The right excerpt has a green frame, in the first column and wherever it was found.
    """
    figure, axes = plt.subplots(
        2 * len(queries), 6, figsize=(8.2, 2.6 * len(queries)), height_ratios=(0.8, 1.2) * len(queries)
    )
    for i, (query, found, rank) in enumerate(zip(queries, candidates, scores_ranks, strict=True)):
        top, bottom = axes[2 * i], axes[2 * i + 1]
        show_snippet(top[0], split.view1[int(query)])
        top[0].set_title(f"query: rank {rank:g}", fontsize=9)
        show_spectrogram(bottom[0], split.view2[int(query)])
        frame(bottom[0])
        for column, candidate in enumerate(found, start=1):
            show_snippet(top[column], split.view1[int(candidate)])
            show_spectrogram(bottom[column], split.view2[int(candidate)])
            top[column].set_title(f"{column}", fontsize=9)
            if candidate == query:
                frame(top[column], bottom[column])
    return figure


def frame(*axes: Axes) -> None:
    """Draw the green frame of the right answer."""
    for ax in axes:
        for spine in ax.spines.values():
            spine.set(visible=True, color=RIGHT, linewidth=3)


def model_diagram(model, shapes: tuple, method: str, ax: Axes | None = None) -> Axes:
    """What the model is, from top to bottom: two encoders with their sizes, the head, one space.

    Narrow columns of short lines, so that the same drawing can be read on a phone.
    """
    ax = ax or plt.subplots(figsize=(5.6, 4.4))[1]
    ax.set(xlim=(0, 10), ylim=(0, 10))
    ax.axis("off")
    for x, shape, encoder, name in (
        (2.4, shapes[0], model.encoder1, "sheet snippet"),
        (7.6, shapes[1], model.encoder2, "spectrogram"),
    ):
        filters = [layer.out_channels for layer in encoder.modules() if hasattr(layer, "out_channels")]
        size = sum(p.numel() for p in encoder.parameters())
        blocks = f"4 × (two 3×3 conv,\nBN, ELU; pool)\n{'/'.join(map(str, filters[:-1:2]))} filters\n{size:,} weights"
        _box(ax, x, 9.2, 1.5, f"{name}\n{'×'.join(map(str, shape))}", "#f3f3f3")
        _box(ax, x, 6.3, 2.6, blocks, "#dcebf5")
        _box(ax, x, 3.7, 0.9, f"{filters[-1]} features", "#f3f3f3")
        _arrow(ax, (x, 8.4), (x, 7.65))
        _arrow(ax, (x, 4.95), (x, 4.2))
        _arrow(ax, (x, 3.2), (5 + 0.4 * (x - 5), 2.15))
    _box(ax, 5, 1.1, 2.0, f"{type(model.head).__name__}\nunit length\ncosine scores", "#fbe5d6")
    ax.set_title(METHOD_NAMES[method])
    return ax


def _box(ax: Axes, x: float, y: float, height: float, text: str, color: str) -> None:
    width = 4.4
    low = (x - width / 2, y - height / 2)
    ax.add_patch(FancyBboxPatch(low, width, height, boxstyle="round,pad=0,rounding_size=0.1", fc=color, ec="#666666"))
    ax.text(x, y, text, ha="center", va="center", fontsize=8.5)


def _arrow(ax: Axes, start: tuple, end: tuple) -> None:
    ax.annotate("", end, start, arrowprops=dict(arrowstyle="->", color="#666666"))


def results_table(record: dict) -> pd.DataFrame:
    """The method beside linear CCA and chance, both directions: one row a method and direction."""
    sides = {record["method"]: record, **record["baselines"]}
    sides = {name: sides[name] for name in (record["method"], "linear_cca", "chance")}
    rows = []
    for direction, arrow in direction_names(record["dataset"]).items():
        for name, scores in sides.items():
            m = scores["metrics"][direction]
            row = {"direction": arrow, "method": METHOD_NAMES[name]}
            row |= {f"R@{k}": m[f"r{k}"] for k in (1, 5, 10, 25)}
            row |= {"median rank": m["median_rank"], "mean rank": m["mean_rank"], "MRR": m["mrr"]}
            row["95 % interval"] = "–".join(f"{v:.3f}" for v in m.get("mrr_interval", ()))
            rows.append(row)
    return pd.DataFrame(rows).set_index(["direction", "method"])
