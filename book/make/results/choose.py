"""Which method at how many pairs: the best network against linear CCA, wherever there are runs or trials."""

from collections.abc import Sequence

import numpy as np

from book.make import trials
from book.make.results import advice, chorales, claims, image_text
from book.make.results.evidence_training import RANKING, SHORT, order, sheet_runs
from book.make.results.findings import NAMES
from book.make.results.runs import BASELINES, Runs, title
from book.show import summaries
from xmlib import evaluate
from xmlib.scoring import intervals
from xmlib.scoring.intervals import Mean

RAW = "raw pixels and spectra"
INPUTS = {"audio_score": RAW, "chorales": RAW, "digits": "pixels of half a digit"}  # others: features and words


def rows(found: Sequence[dict], tried: dict[str, dict]) -> list[dict]:
    """A row for each number of training pairs of each data set, fewest first: the best network and linear CCA."""
    return table(tested(summaries.one_linear_cca(found)), tried)["rows"]


def table(best: Sequence[Runs], tried: dict[str, dict]) -> dict[str, list[dict]]:
    """The rows of the best runs and of the trials."""
    told = [*of_trials(tried), *map(of_runs, best)]
    return {"rows": sorted(told, key=lambda row: row["pairs"])}


def tested(found: Sequence[dict]) -> list[Runs]:
    """Of each data set and number of pairs the runs that validation prefers; they have test scores."""
    groups = [
        [*sheet_runs(found).values()],
        [run for name in chorales.VARIANTS for run in chorales.of_variant(found, name)],
        *([*image_text.by_method(found, name, variant).values()] for name, variant in variants(found)),
    ]
    return [max(runs, key=lambda run: run.valid_mrr) for runs in groups if runs]


def variants(found: Sequence[dict]) -> list[tuple[str, str | None]]:
    """Data set and variant of the usual pairs of pictures and words, and of those with fewer."""
    few = {
        (r["dataset"], r["variant"])
        for r in found
        if r.get("variant", "").startswith("pairs_") and r["dataset"] in NAMES
    }
    return [*((name, None) for name in image_text.DATASETS), *sorted(few)]


def of_runs(run: Runs) -> dict:
    """The runs of a method beside linear CCA on the test pairs, means of both directions and of the seeds."""
    linear = summaries.reciprocal_ranks_both_ways([run.first["baselines"]["linear_cca"]])[0]
    own = summaries.reciprocal_ranks_both_ways(run)
    mean = intervals.paired_mean(own, np.broadcast_to(linear, own.shape), run.first["data"]["test_groups"])
    pairs = run.first["data"]["train"] // (2 if "mirrored" in run.first.get("variant", "") else 1)
    corpus = run.first["parameters"].get("corpus", "tunes")
    name = run.first["dataset"] if corpus == "tunes" else corpus
    return told(name, pairs, run.method, float(own.mean()), float(linear.mean()), mean) | {
        "pool": len(linear), "part": "test", "seeds": len(run), "seconds": run.mean("wall_seconds"),
    }  # fmt: skip


def of_trials(tried: dict[str, dict]) -> list[dict]:
    """The trials by number of pairs: the best network on validation pairs, which chose it too, so that it flatters.

    Trials on all pairs are left to the runs where there are some, which have test scores.
    """
    found = []
    for dataset, asked in trials.PIECES["pairs"].items():
        for n in sorted({trial.n for trial in asked} - ({0} if dataset in image_text.DATASETS else set())):
            own = [trial for trial in asked if trial.n == n]
            seeds = [seed for seed in trials.SEEDS if all(trial.key(seed) in tried for trial in own)]
            if seeds:
                found.append(_trial(tried, dataset, own, seeds))
    return found


def _trial(tried: dict[str, dict], dataset: str, asked: Sequence[trials.Trial], seeds: Sequence[int]) -> dict:
    scores = {trial.method: advice.scores(tried, trial, seeds) for trial in asked}
    linear = scores.pop(advice.LINEAR)
    best = max(scores, key=lambda method: scores[method].mean())
    groups = trials.groups(tried, dataset)
    mean = intervals.paired_mean(scores[best], linear, groups)
    rows = [tried[trial.key(seed)] for trial in asked for seed in seeds if trial.method == best]
    pairs = float(np.mean([row["train"] for row in rows]))
    return told(dataset, pairs, best, float(scores[best].mean()), float(linear.mean()), mean) | {
        "pool": len(groups), "part": "validation", "seeds": len(seeds),
        "seconds": float(np.mean([row["seconds"] for row in rows])),
    }  # fmt: skip


def told(dataset: str, pairs: float, method: str, mrr: float, linear: float, gain: Mean) -> dict:
    """A row; what to use is linear CCA unless the gain's interval lies above 0."""
    better = gain.interval()[0] > 0
    return {
        "dataset": NAMES.get(dataset, dataset), "inputs": INPUTS.get(dataset, "features and words"), "pairs": pairs,
        "best": title(method), "method": method, "mrr": mrr, "linear": linear, "gain": (gain.value, gain.interval()),
        "use": title(method) if better else BASELINES["linear_cca"], "better": better,
    }  # fmt: skip


def sheet(found: Sequence[dict]) -> dict | None:
    """The CCA layer with ranking loss on sheet music: MRR, its gain over linear CCA and over each other method.

    The gains over the other methods are those of claim A1, with the same intervals.
    """
    found = summaries.one_linear_cca(found)
    runs = sheet_runs(found)
    if RANKING not in runs:
        return None
    own = runs[RANKING]
    gaps = claims.comparisons(order(found).gaps)
    compared = {title(name): f"{SHORT[RANKING]} − {SHORT[name]}" for name in runs if name != RANKING}
    return {
        "train": own.first["data"]["train"], "seeds": len(own), "title": own.title,
        "mrrs": {arrow: (own.mrr(way), own.interval(way)) for way, arrow in evaluate.DIRECTIONS.items()},
        "linear": of_runs(own)["gain"],
        "others": {other: gaps[what] for other, what in compared.items()},
    }  # fmt: skip


def pictures(found: Sequence[dict], dataset: str) -> dict | None:
    """What validation chooses on a set of pictures and words, beside linear CCA."""
    runs = image_text.by_method(summaries.one_linear_cca(found), dataset)
    return of_runs(max(runs.values(), key=lambda run: run.valid_mrr)) if runs else None
