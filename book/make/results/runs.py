"""Records brought together: the seeds of a method, its longest profile, and who may be compared with whom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import getitem
from typing import Any

import numpy as np

from book.show import summaries
from xmlib.evaluate import chance_metrics, recorded_reciprocal_ranks
from xmlib.methods import METHODS
from xmlib.runs.records import ending
from xmlib.scoring.intervals import Interval, paired_interval, paired_mean

NOT_CONVERGED = "not converged"
PROFILES = ("full", "medium", "quick")  # longest first; toy runs are for tests and never shown
BASELINES = {"linear_cca": "Linear CCA", "chance": "Chance"}
ORDER = {name: i for i, name in enumerate(METHODS)}  # of the methods in the book
Scores = dict[int, np.ndarray]  # seed → one number a test query


class Runs(tuple[dict, ...]):
    """The runs of one method on the same pairs: their records, one a seed, in the order of the seeds."""

    @property
    def first(self) -> dict:
        return self[0]

    @property
    def method(self) -> str:
        return self.first["method"]

    @property
    def profile(self) -> str:
        return self.first["profile"]

    @property
    def digest(self) -> str:
        return self.first["data"]["digest"]

    @property
    def title(self) -> str:
        return title(self.method)

    @property
    def seeds(self) -> list[int]:
        return [record["seed"] for record in self]

    @property
    def ending(self) -> str:
        """The label of how they ended, see `xmlib.runs.records.ending`; of several the least favourable."""
        return max({ending(record) for record in self}, key=lambda label: (label == NOT_CONVERGED, label))

    @property
    def valid_mrr(self) -> float:
        """The best validation MRR, averaged over the seeds: methods are chosen by it."""
        return self.mean("valid_mrr")

    @property
    def train_mrr(self) -> float:
        """The MRR of the fixed training subset at the best epoch, averaged over the seeds."""
        best = (next(row for row in record["history"] if row["epoch"] == record["best_epoch"]) for record in self)
        return float(np.mean([row["train_mrr"] for row in best]))

    def mean(self, *keys: str) -> float:
        """What stands in the records under these keys, averaged over the seeds."""
        return float(np.mean([reduce(getitem, keys, record) for record in self]))

    def mrr(self, direction: str) -> float:
        """The MRR of the test set, averaged over the seeds."""
        return self.mean("metrics", direction, "mrr")

    def spread(self, direction: str) -> Interval:
        """The lowest and the highest MRR among the seeds."""
        values = [record["metrics"][direction]["mrr"] for record in self]
        return min(values), max(values)

    def interval(self, direction: str) -> Interval:
        """The 95 % interval of the MRR, over groups of queries and, of several seeds, over seeds."""
        return summaries.interval(self, direction)

    def epochs(self) -> list[int]:
        """How many epochs the shortest and the longest of them took; one number where all took as many."""
        counts = {len(record["history"]) for record in self}
        return sorted({min(counts), max(counts)})


@dataclass(frozen=True)
class Difference:
    """MRR of `one` minus that of `other` on the same queries and seeds: its 95 % interval, and p if there is none."""

    one: str
    other: str
    value: float
    interval: Interval
    p: float


def title(method: str) -> str:
    """What a method is called on a page."""
    return METHODS[method].title if method in METHODS else method


def grouped(records: Iterable[dict], key: Callable[[dict], Any]) -> dict[Any, Runs]:
    """Records by their key, in the order of the keys, those of one key in the order of their seeds."""
    found: dict[Any, list[dict]] = {}
    for record in sorted(records, key=lambda record: record["seed"]):
        found.setdefault(key(record), []).append(record)
    return {name: Runs(found[name]) for name in sorted(found)}


def group(records: Iterable[dict]) -> list[Runs]:
    """Runs of the same profile, data and method together; longest profile first, methods in the book's order.

    Variants, runs that differ from their profile, are left out.
    """
    usual = (record for record in records if record["profile"] in PROFILES and not record.get("variant"))
    return list(grouped(usual, lambda r: (_profile(r), r["data"]["digest"], place(r["method"]))).values())


def with_variants(records: Sequence[dict]) -> list[Runs]:
    """The runs of every profile that has variants, by method and variant; of each method the usual ones come first."""
    varied = {record["profile"] for record in records if record.get("variant")} & set(PROFILES)
    shown = (record for record in records if record["profile"] in varied)
    return list(grouped(shown, lambda r: (_profile(r), place(r["method"]), r.get("variant") or "")).values())


def _profile(record: dict) -> int:
    return PROFILES.index(record["profile"])


def place(method: str) -> tuple[int, str]:
    """Where a method stands in the book: what to sort by."""
    return ORDER.get(method, len(ORDER)), method


def baselines(record: dict) -> dict[str, dict]:
    """Title → scores, of linear CCA and of chance, whose validation MRR is exact, on the pairs of a record."""
    found = {title: record["baselines"][name] for name, title in BASELINES.items()}
    exact = {"valid_mrr": chance_metrics(record["data"]["valid"])["mrr"]}
    return found | {BASELINES["chance"]: record["baselines"]["chance"] | exact}


def longest(runs: Sequence[Runs]) -> list[Runs]:
    """For each method its longest runs: full before medium before quick; where two data compete, more seeds."""
    best: dict[str, Runs] = {}
    for run in runs:
        held = best.setdefault(run.method, run)
        if held.profile == run.profile and len(run) > len(held):
            best[run.method] = run
    return [run for run in runs if best[run.method] is run]


def rivals(runs: Sequence[Runs]) -> list[list[Runs]]:
    """The runs in groups of the same profile and data: only those may be compared query by query."""
    found: dict[tuple, list[Runs]] = {}
    for run in runs:
        found.setdefault((run.profile, run.digest), []).append(run)
    return list(found.values())


def differences(same_pairs: Sequence[Runs], direction: str) -> list[Difference]:
    """Every method against every other and against linear CCA, query by query and seed by seed.

    Of two methods the seeds count that both have; where they share none, the means over their seeds are compared.
    """
    first = same_pairs[0].first
    linear = recorded_reciprocal_ranks(first["baselines"]["linear_cca"], direction)
    scores: list[tuple[str, Scores]] = [(run.title, _by_seed(run, direction)) for run in same_pairs]
    scores.append((BASELINES["linear_cca"], dict.fromkeys({seed for _, own in scores for seed in own}, linear)))
    groups = first["data"]["test_groups"]
    return [_difference(one, other, *_same_seeds(a, b), groups) for (one, a), (other, b) in combinations(scores, 2)]


def _by_seed(run: Runs, direction: str) -> Scores:
    return dict(zip(run.seeds, summaries.reciprocal_ranks(run, direction), strict=True))


def _same_seeds(a: Scores, b: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Two tables (seeds, queries), a row each seed that both have."""
    shared = sorted(set(a) & set(b))
    if not shared:
        return np.mean(list(a.values()), axis=0, keepdims=True), np.mean(list(b.values()), axis=0, keepdims=True)
    return np.array([a[seed] for seed in shared]), np.array([b[seed] for seed in shared])


def _difference(one: str, other: str, a: np.ndarray, b: np.ndarray, groups: Sequence[int]) -> Difference:
    mean = paired_mean(a, b, groups)
    return Difference(one, other, mean.value, paired_interval(a, b, groups), mean.p)
