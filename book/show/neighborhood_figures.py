"""Figures of semantic neighbourhoods: texts that are near each other, the terms, the map, gains and losses."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from book.show.audio_figures import bare, frame
from book.show.picture_figures import shortened, show, written
from xmlib.neighborhoods import angular
from xmlib.neighborhoods.neighbors import Neighbors
from xmlib.runs.experiments import Run

SHOWN = 5  # neighbours, or candidates
CLASSES = 7  # with a colour of their own
TERM_NAMES = {name: f"L {name}" for name in angular.TERMS} | {"valid_loss": "validation loss"}


def neighbours(split, rows: Sequence[int], near: Neighbors) -> Figure:
    """Pairs, a row each: the picture and its text, then those of the nearest texts; a text of equal words counts."""
    figure, axes = plt.subplots(len(rows), 1 + SHOWN, figsize=(8.2, 1.9 * len(rows)), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for ax, item in zip(line, [row, *near.indices[row, :SHOWN]], strict=True):
            show(ax, split.pictures[int(item)])
            ax.set_xlabel(shortened(split.texts[int(item)], 20, lines=3), fontsize=7)
        frame(line[0])
    return figure


def terms(records: list[dict]) -> Figure:
    """Each term and the validation loss after each epoch, a line a run; a dot where the run has its best epoch."""
    figure, axes = plt.subplots(1, len(TERM_NAMES), figsize=(10, 2.4), sharex=True)
    for ax, (name, title) in zip(axes, TERM_NAMES.items(), strict=True):
        for record in records:
            values = [row[name] for row in record["history"]]
            ax.plot(range(1, len(values) + 1), values, color="#0072B2", linewidth=1)
            ax.plot(record["best_epoch"], values[record["best_epoch"] - 1], "o", color="#D55E00", markersize=4)
        ax.set(title=title, xlabel="epoch", ylim=(0, None))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def both_kinds(split, x: Tensor, y: Tensor, seed: int = 1, ax: Axes | None = None) -> Axes:
    """Pictures and texts in two dimensions by t-SNE on their embeddings (n, d), a thin line between partners."""
    from sklearn.manifold import TSNE  # here, since it takes a while to import

    ax = ax or plt.subplots(figsize=(8.2, 6))[1]
    both = torch.cat([x, y]).cpu().double().numpy()
    flat = TSNE(init="pca", perplexity=min(30, len(x) - 1), random_state=seed).fit_transform(both)
    pictures, texts = flat[: len(x)], flat[len(x) :]
    ax.plot(*np.stack([pictures, texts], axis=1).transpose(2, 1, 0), color="#BBBBBB", linewidth=0.4, zorder=0)
    labels = np.asarray(split.labels if split.labels is not None else ["all"] * len(x))
    names = list(pd.Series(labels).value_counts().index[:CLASSES])
    own = [label if label in names else "other" for label in labels]
    palette = dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True)) | {"other": "#999999"}
    for where, marker, kind in ((pictures, "o", "pictures"), (texts, "X", "texts")):
        sns.scatterplot(
            x=where[:, 0], y=where[:, 1], hue=own, hue_order=[*names, "other"], palette=palette, marker=marker, s=24,
            legend=kind == "pictures", ax=ax,
        )  # fmt: skip
    bare(ax)
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1), fontsize=8)
    return ax


def gains(split, one: Run, other: Run, each: int = 2) -> Figure:
    """The text queries that gain and lose most from `other` to `one`: two rows each, the five best of both runs."""
    ranks = {id(run): np.array(run.record["ranks"]["view2_to_view1"]) for run in (one, other)}
    gained = np.log(ranks[id(other)] / ranks[id(one)])
    order = np.argsort(-gained, kind="stable")
    queries = [*order[:each], *order[-each:]]
    figure, axes = plt.subplots(2 * len(queries), 1 + SHOWN, figsize=(8.2, 2.9 * len(queries)), squeeze=False)
    for i, query in enumerate(queries):
        for line, run, what in ((axes[2 * i], one, "all terms"), (axes[2 * i + 1], other, "without")):
            best = (run.y[query] @ run.x.T).topk(SHOWN).indices.cpu()
            written(line[0], split.texts[query] if run is one else "", f"{what}: rank {ranks[id(run)][query]:g}")
            for ax, candidate in zip(line[1:], best, strict=True):
                show(ax, split.pictures[int(candidate)])
                if candidate == query:
                    frame(ax)
    return figure
