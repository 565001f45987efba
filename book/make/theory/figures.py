"""Figures and fragments of the chapters on statistics and losses: `python -m book.make.theory.figures` writes them.

All come from synthetic pairs, seeded, in seconds; the same code gives the same bytes on the same machine. Files are
named `theory-*` and go to book/_generated; one whose bytes would not change is left alone.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from book.make.theory import losses, minibatches, pages, statistics
from book.make.theory.population import D, generator
from book.make.write import draw, write
from book.make.write import files as expanded
from xmlib import paths
from xmlib.cca import cca
from xmlib.errors import InputError

BLUE, ORANGE, RED, GREEN, PINK, GREY = "#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#777777"


def picture() -> Figure:
    """Two views of two dimensions each, the first canonical direction in each, and the variates along them."""
    shared, rest1, rest2, noise = torch.randn(4, 150, generator=generator(1), dtype=torch.float64)
    view1 = torch.stack([0.6 * shared + rest1, 0.6 * shared - rest1], dim=1)
    seen = 0.6 * shared + 0.25 * noise
    view2 = torch.stack([1.2 * rest2 + 0.3 * seen, 0.3 * rest2 + seen], dim=1)
    A, B, corr = cca(view1, view2, ridge=0)
    figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.8))
    panels = [(view1, A, "view 1", "a"), (view2, B, "view 2", "b")]
    for ax, (view, directions, title, name) in zip(axes, panels, strict=False):
        ax.scatter(*view.T, c=shared, cmap="cividis", s=10)
        end = (3 * directions[:, 0] / directions[:, 0].norm()).tolist()
        ax.annotate(name, (0, 0), end, color=RED, size=12, arrowprops={"arrowstyle": "<-", "color": RED, "lw": 2})
        ax.set(title=title, xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
    variates = [(view - view.mean(0)) @ directions[:, 0] for view, directions, *_ in panels]
    axes[2].scatter(*variates, c=shared, cmap="cividis", s=10)
    axes[2].set(xlabel="C₁a", ylabel="C₂b", title=f"correlation {corr[0]:.2f}", aspect="equal")
    return figure


def sizes() -> Figure:
    """Correlations on the sample and on new pairs, and the error of the score map, against pairs per dimension."""
    rows = statistics.sample_sizes()
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.3))
    own = [row for row in rows if row["d"] == D]
    ratios = [row["ratio"] for row in own]
    for key, name, color, mark in (("inside", "pairs of the fit", RED, "o"), ("new", "new pairs", BLUE, "s")):
        left.plot(ratios, [row[key] for row in own], mark + "-", color=color, markersize=4, label=name)
    left.axhline(own[0]["true"], color=GREY, linestyle=":", label="truth")
    left.set(ylabel=f"mean correlation, d = {D}", ylim=(0, 1), title="What is found, what it is worth")
    for d, color, mark in zip(statistics.SIZES, (ORANGE, BLUE, GREEN), "^s.", strict=True):
        errors = [row["error"] for row in rows if row["d"] == d]
        right.plot(ratios, errors, mark + "-", color=color, markersize=5, label=f"d = {d}")
    right.axhline(1, color=GREY, linestyle=":", label="knows nothing")
    right.set(yscale="log", ylabel="error of the score map", title="Only n / d counts")
    for ax in (left, right):
        ax.set(xscale="log", xlabel="pairs per dimension, n / d")
        ax.set_xticks([1, 2, 5, 10, 30, 100], ["1", "2", "5", "10", "30", "100"])
        ax.minorticks_off()
        ax.legend()
    return figure


def batches() -> Figure:
    """The ranking loss inside a batch, and how well the gradient of a batch points, against its size."""
    rows = minibatches.batch_sizes()
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.3))
    size = [row["batch"] for row in rows]
    left.plot(size, [row["loss"] for row in rows], "o-", color=RED, markersize=4, label="its own statistics")
    new = minibatches.loss_on_new_pairs()
    left.axhline(new, color=BLUE, linestyle="--", label="statistics of many pairs")
    left.set(ylabel="ranking loss", ylim=(0, None), title="Loss of a batch")
    names = {"mean": f"mean over {minibatches.TOTAL:,} pairs", "single": "a single batch"}
    for (key, name), color, mark in zip(names.items(), (GREEN, PINK), "s^", strict=True):
        right.plot(size, [row[key] for row in rows], mark + "-", color=color, markersize=4, label=name)
    right.set(ylabel="cosine with the reference", ylim=(-0.05, 1), title="Direction of the gradient")
    for ax in (left, right):
        ax.set(xscale="log", xlabel=f"pairs in a batch, d = {D}")
        ax.set_xticks(size, [str(s) for s in size])
        ax.minorticks_off()
        ax.legend()
    return figure


def drift() -> Axes:
    """Error of the running covariance against drift, one colour an α: points measured, lines expected."""
    ax = plt.subplots(figsize=(7, 3.5))[1]
    for alpha, color, mark in zip(minibatches.ALPHAS, (RED, ORANGE, BLUE), "os^", strict=True):
        rows = [row for row in minibatches.drifts() if row["alpha"] == alpha]
        turns = np.linspace(0, max(minibatches.TURNS), 40)
        lines = [minibatches.expected_error(alpha, turn) for turn in turns]
        ax.plot([minibatches.drift_a_step(turn) for turn in turns], lines, color=color, label=f"α = {alpha:g}")
        ax.plot([row["drift"] for row in rows], [row["error"] for row in rows], mark, color=color, markersize=6)
    ax.set(xlabel="drift of the true covariance a batch", ylabel="error of the running covariance", ylim=(0, 0.55))
    ax.legend(ncols=3, loc="lower right")
    return ax


def refits() -> Figure:
    """MRR on new pairs against the pairs of a refit, and against the directions kept."""
    rows = statistics.refits()
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.3), sharey=True)
    fitted, truth = rows[:-1], rows[-1]
    size, kept = [row["n"] for row in fitted], statistics.KEPT
    left.plot(size, [row["mrr"][kept[-1]] for row in fitted], "o-", color=BLUE, markersize=4, label="all directions")
    left.plot(size, [row["weighted"] for row in fitted], "s-", color=GREEN, markersize=4, label="each times σ")
    left.axhline(truth["mrr"][kept[-1]], color=BLUE, linestyle=":", linewidth=1)
    left.axhline(truth["weighted"], color=GREEN, linestyle=":", linewidth=1)
    left.set(xscale="log", xlabel="pairs of the refit", ylabel="MRR on new pairs", ylim=(0, 1))
    chosen = {statistics.IAPR_VALID: ORANGE, statistics.IAPR_TRAIN: RED, 0: GREY}
    for row in rows:
        if row["n"] in chosen:
            name = f"{row['n']:,} pairs" if row["n"] else "true projections"
            right.plot(kept, list(row["mrr"].values()), "o-", color=chosen[row["n"]], markersize=4, label=name)
    right.set(xscale="log", xlabel=f"directions kept of {kept[-1]}")
    for ax, ticks in ((left, size), (right, [k for k in kept if k != 96])):
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=9)
        ax.minorticks_off()
        ax.legend()
    return figure


def pulls() -> Figure:
    """Three circles with one query, its right answer and four wrong ones, and the pull and push of three losses."""
    figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.9))
    query, *answers = losses.on_circle(losses.QUERY, losses.RIGHT, *losses.WRONG).numpy()
    angle = np.linspace(0, 2 * np.pi, 200)
    for ax, (name, row) in zip(axes, losses.ROWS.items(), strict=True):
        on_query, on_answers = (force.numpy() for force in losses.forces(row))
        longest = np.linalg.norm(np.vstack([on_query, on_answers]), axis=1).max()
        ax.plot(np.cos(angle), np.sin(angle), color="#dddddd", linewidth=1)
        kinds = [(query, on_query, BLUE, "D")]
        kinds += [
            (p, f, GREEN if i == 0 else RED, "o") for i, (p, f) in enumerate(zip(answers, on_answers, strict=True))
        ]
        for point, force, color, mark in kinds:
            ax.plot(*point, mark, color=color, markersize=6)
            if np.linalg.norm(force) > 0.01 * longest:
                end = point + 1.3 * force / longest
                ax.annotate("", end, point, arrowprops={"arrowstyle": "->", "color": color, "linewidth": 1.6})
        ax.set(xlim=(-1.25, 1.6), ylim=(-1.3, 1.7), xticks=[], yticks=[], aspect="equal", title=name)
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return figure


def shares() -> Figure:
    """Share of the push that one wrong answer gets, against its score, for three margins and three temperatures."""
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.2), sharey=True)
    scores = np.linspace(-0.6, 1, 49)
    families = (
        ("γ", losses.MARGINS, losses.ranking_row),
        ("τ", losses.TEMPERATURES, losses.info_nce_row),
    )
    for ax, (letter, values, row) in zip(axes, families, strict=True):
        for value, color, style in zip(values, (RED, ORANGE, BLUE), ("-", "--", "-."), strict=True):
            found = [losses.share_of_push(row, float(score), value) for score in scores]
            ax.plot(scores, found, style, color=color, label=f"{letter} = {value:g}")
        ax.axvline(0.6, color=GREY, linestyle=":", linewidth=1)
        ax.set(yscale="log", ylim=(1e-5, 1.5), xlabel="score of one wrong answer")
        ax.legend(loc="upper left")
    axes[0].set(ylabel="share of the push it gets", title="Ranking: all or nothing")
    axes[1].set(title="InfoNCE: a matter of degree")
    return figure


def information() -> Axes:
    """The InfoNCE bound against the true information of Gaussian views, one colour a batch size."""
    ax = plt.subplots(figsize=(7, 3.6))[1]
    truth = losses.INFORMATION
    ax.plot(truth, truth, color=GREY, linewidth=1, label="truth")
    for n, color, mark in zip(losses.BATCHES, (ORANGE, GREEN, BLUE), "^s.", strict=True):
        rows = [row for row in losses.information_bounds() if row["n"] == n]
        ax.plot(truth, [row["bound"] for row in rows], mark + "-", color=color, markersize=5, label=f"n = {n}")
        ax.axhline(np.log(n), color=color, linestyle=":", linewidth=1)
    ax.plot(truth, [row["cosines"] for row in rows], "--", color=color, label=f"n = {n}, scores are cosines")
    ax.set(xlabel="true information, nats", ylabel="bound, nats", ylim=(-0.3, 8))
    ax.legend(loc="upper left", ncols=2)
    return ax


def angular() -> Axes:
    """Share of the angular loss that is at work, intended and released, against the cosine of the matching pair."""
    ax = plt.subplots(figsize=(7, 3.2))[1]
    matching, n = np.linspace(-1, 1, 101), losses.NEGATIVES
    forms = (("intended", 1, False, BLUE, "-"), (f"released: each negative {n} times", n, False, ORANGE, "--"),
             ("released: own item counted too", n, True, RED, "-."))  # fmt: skip
    for name, repeats, own, color, style in forms:
        weights = [losses.angular_weight(float(c), repeats, own) for c in matching]
        ax.plot(matching, weights, style, color=color, label=name)
    ax.set(xlabel="cosine of anchor and positive", ylabel="weight on the negatives", ylim=(-0.02, 1.05))
    ax.legend(loc="lower left")
    return ax


FIGURES: dict[str, Callable] = {
    f"theory-{plot.__name__}.svg": plot
    for plot in (picture, sizes, batches, drift, refits, pulls, shares, information, angular)
}


def files() -> dict[str, str | bytes]:
    """File name → content, of every figure and fragment."""
    return expanded({**{name: draw(plot) for name, plot in FIGURES.items()}, **pages.fragments()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 after a line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m book.make.theory.figures", description=__doc__)
    parser.add_argument("--out", type=Path, default=paths.GENERATED, help="folder of fragments and figures")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # small matrices, and sums in one order
    try:
        changed = [name for name, content in files().items() if write(options.out / name, content)]
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"theory: {len(changed)} files changed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
