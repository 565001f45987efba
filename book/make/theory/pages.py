"""The numbers of the theory chapters, from the computation that drew the figures; templates/theory has their words."""

import math
from collections.abc import Callable

from book.make.sources import comments
from book.make.templates import fill
from book.make.theory import effect_sizes, interval_coverage, losses, minibatches, statistics
from book.make.theory.population import CANDIDATES, SPECTRUM, D
from xmlib.evaluate import chance_metrics

IAPR_ROWS = 19_996  # iapr: all
IAPR_TRAINING_ROWS = statistics.IAPR_TRAIN - 4  # those in training before four are repeated


def fragments() -> dict[str, str]:
    """File name → Markdown: each template with its values."""
    return {
        f"theory-{name}.md": comments(values) + fill(f"theory/{name}.md", **values()) for name, values in VALUES.items()
    }


def sizes() -> dict:
    """Sample size against dimension."""
    own = [row for row in statistics.sample_sizes() if row["d"] == D]
    return {
        "rows": own,
        "truth": own[0]["true"],
        "true_mrr": own[0]["true_mrr"],
        "chance": chance_metrics(CANDIDATES)["mrr"],
        "spectrum": SPECTRUM,
        "draws": statistics.DRAWS,
        "candidates": CANDIDATES,
        "d": D,
    }


def spectra() -> dict:
    """The error of the score map by pairs per dimension, for weaker and stronger correlations."""
    return {"rows": statistics.spectra(), "ratios": statistics.SHOWN_RATIOS, "d": D}


def noise() -> dict:
    """The formula for pure noise, and a measurement."""
    n = minibatches.BATCH
    return {
        "n": n,
        "d": D,
        "expected": math.sqrt(D / (n - 1)),
        "measured": math.sqrt(statistics.noise_correlation(n)),
    }


def batches() -> dict:
    """Losses and gradients of the usual batch and of the largest."""
    rows = {row["batch"]: row for row in minibatches.batch_sizes()}
    return {
        "own": rows[minibatches.BATCH],
        "large": rows[max(rows)],
        "loss_on_new_pairs": minibatches.loss_on_new_pairs(),
        "inputs": minibatches.INPUTS,
        "d": D,
        "reference": 50 * D,
        "total": minibatches.TOTAL,
    }


def steps() -> dict:
    """How far the noise of single gradients averages out."""
    own = next(row for row in minibatches.batch_sizes() if row["batch"] == minibatches.BATCH)
    count, many = minibatches.TOTAL // minibatches.BATCH, 1000
    expected, later = (1 / math.sqrt(1 + (own["single"] ** -2 - 1) / n) for n in (count, many))
    return {"own": own, "steps": count, "expected": expected, "many": many, "later": later}


def alphas() -> dict:
    """What α does to the gradient."""
    return {"rows": minibatches.gradients_by_alpha()}


def drift() -> dict:
    """Errors of the score maps made from running covariances: drift → one error for each α."""
    errors: dict[float, list[float]] = {}
    for row in minibatches.drifts():
        errors.setdefault(row["drift"], []).append(row["map_error"])
    return {"errors": errors, "alphas": minibatches.ALPHAS, "batch": minibatches.BATCH, "d": D}


def starts() -> dict:
    """Running statistics that start at zero, corrected or not."""
    return {"rows": minibatches.starts()}


def refits() -> dict:
    """MRR after a small and a large refit: with all directions, with the best number of them, and weighted by σ."""
    return {
        "few": _refit(statistics.IAPR_VALID),
        "many": _refit(statistics.IAPR_TRAIN),
        "truth": statistics.refits()[-1]["mrr"][statistics.IAPR_D],
        "candidates": CANDIDATES,
        "d": statistics.IAPR_D,
    }


def _refit(n: int) -> dict:
    (row,) = (row for row in statistics.refits() if row["n"] == n)
    mrr = row["mrr"]
    kept = max(mrr, key=mrr.get)
    return {
        "n": row["n"],
        "all": mrr[statistics.IAPR_D],
        "kept": kept,
        "best": mrr[kept],
        "weighted": row["weighted"],
    }


def pulls() -> dict:
    """Nothing: the words about the three losses on a circle need no number."""
    return {}


def shares() -> dict:
    """How much of the push falls on a wrong answer that scores like the right one."""
    right = 0.6

    def at(temperature: float) -> dict:
        share = losses.share_of_push(losses.info_nce_row, right, temperature)
        return {"temperature": temperature, "share": share}

    cold, _, warm = losses.TEMPERATURES
    return {"right": right, "cold": at(cold), "warm": at(warm)}


def information() -> dict:
    """The bound to mutual information at the most information, for the smallest and the largest batch."""
    last = losses.INFORMATION[-1]
    rows = {row["n"]: row for row in losses.information_bounds() if row["information"] == last}
    small, large = (
        {"n": n, "bound": rows[n]["bound"], "ceiling": math.log(n)} for n in (losses.BATCHES[0], losses.BATCHES[-1])
    )
    return {"information": last, "small": small, "large": large, "width": losses.WIDTH}


def angular() -> dict:
    """Weights of the angular loss on a pair that agrees fully, intended and released."""
    n = losses.NEGATIVES
    return {
        "intended": losses.angular_weight(1.0, 1, False),
        "released": losses.angular_weight(1.0, n, False),
        "own_counted": losses.angular_weight(1.0, n, True),
        "negatives": n - 1,
    }


def coverage() -> dict:
    """How often the intervals over queries and seeds hold the truth."""
    tables = interval_coverage.TABLES
    return {
        "rows": interval_coverage.coverage(),
        "tables": tables,
        "points": 100 * (0.95 * 0.05 / tables) ** 0.5,
    }


def effects() -> dict:
    """The measured deviations from the released code."""
    found = effect_sizes.directions()
    return {
        "few": _refit(statistics.IAPR_VALID),
        "many": _refit(statistics.IAPR_TRAIN),
        "d": statistics.IAPR_D,
        "start_gap": max(abs(row["corrected"] - row["zero"]) for row in minibatches.starts()),
        "trace_norms": effect_sizes.trace_norm_bias(),
        "directions": list(zip(found[::2], found[1::2], strict=True)),
        "steps": effect_sizes.STEPS,
        "seeds": effect_sizes.SEEDS,
        "centre": effect_sizes.last_batch_centre(),
        "filled": effect_sizes.filled_batches(),
        "batch": minibatches.BATCH,
        "train_rows": IAPR_TRAINING_ROWS,
        "all_rows": IAPR_ROWS,
    }


VALUES: dict[str, Callable[[], dict]] = {
    values.__name__: values
    for values in (
        sizes,
        spectra,
        noise,
        batches,
        steps,
        alphas,
        drift,
        starts,
        refits,
        pulls,
        shares,
        information,
        angular,
        effects,
        coverage,
    )
}  # name of a template → what fills it
