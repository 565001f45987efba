"""Figures of pictures and texts: `f(split or rows) -> Figure`, like those in `figures`."""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from book.show.audio_figures import bare, frame


def examples(split, rows: Sequence[int], columns: int = 4) -> Figure:
    """Pairs of a split: each picture with its text below."""
    lines = -(-len(rows) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2 * columns, 2.5 * lines), squeeze=False)
    for ax, row in zip(axes.flat, rows, strict=False):
        show(ax, split.pictures[int(row)])
        ax.set_xlabel(shortened(split.texts[int(row)], 22), fontsize=8)
    return figure


def found_pictures(split, queries: Sequence[int], candidates, ranks: Sequence[float]) -> Figure:
    """Text queries, a row each, and the five best pictures; the right one has a green frame.

    `queries`: row numbers; `candidates`: (queries, 5) row numbers, best first; `ranks`: rank of the right one.
    """
    figure, axes = plt.subplots(len(queries), 6, figsize=(8.2, 1.7 * len(queries)), squeeze=False)
    for line, query, found, rank in zip(axes, queries, candidates, ranks, strict=True):
        written(line[0], split.texts[int(query)], f"rank {rank:g}")
        for ax, candidate in zip(line[1:], found, strict=True):
            show(ax, split.pictures[int(candidate)])
            if candidate == query:
                frame(ax)
    return figure


def found_texts(split, queries: Sequence[int], candidates, ranks: Sequence[float]) -> Figure:
    """Picture queries, a row each, and the five best texts; the right one has a green frame. Arguments as above."""
    figure, axes = plt.subplots(len(queries), 6, figsize=(8.2, 1.7 * len(queries)), squeeze=False)
    for line, query, found, rank in zip(axes, queries, candidates, ranks, strict=True):
        show(line[0], split.pictures[int(query)])
        line[0].set_title(f"rank {rank:g}", fontsize=8)
        for ax, candidate in zip(line[1:], found, strict=True):
            written(ax, split.texts[int(candidate)])
            if candidate == query:
                frame(ax)
    return figure


def refit_curve(rows: list[dict], names: dict[str, str], ax: Axes | None = None) -> Axes:
    """Validation MRR against the pairs that the head was estimated on, a dot a draw; rows of `refit.refit_curve`."""
    ax = ax or plt.subplots(figsize=(7, 3.2))[1]
    own = pd.DataFrame(rows).query("split == 'valid'")
    own = own.assign(direction=own["direction"].map(names))
    shared = dict(data=own, x="n_train", y="mrr", hue="direction", palette=["#0072B2", "#E69F00"], ax=ax)
    sns.lineplot(**shared, errorbar=None)
    sns.scatterplot(**shared, s=18, legend=False)
    ax.set(xlabel="training pairs that the head is estimated on", ylabel="validation MRR", ylim=(0, None))
    ax.legend(title=None)
    return ax


def show(ax: Axes, picture) -> None:
    """A picture (h, w, 3), uint8."""
    ax.imshow(picture)
    bare(ax)


def shortened(text: str, width: int, lines: int = 3) -> str:
    """The beginning of a text, wrapped; mathtext characters are shown as they are."""
    return "\n".join(textwrap.wrap(text.replace("$", r"\$"), width, max_lines=lines, placeholder=" …"))


def written(ax: Axes, text: str, title: str = "") -> None:
    """A text in place of a picture."""
    ax.text(0.5, 0.5, shortened(text, 16, lines=6), ha="center", va="center", fontsize=8, transform=ax.transAxes)
    ax.set_title(title, fontsize=8)
    bare(ax)
    ax.spines[:].set_visible(False)
