"""Records brought together: the seeds of a method, its longest profile, and who may be compared with whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from xmlib.evaluate import recorded_reciprocal_ranks
from xmlib.methods import METHODS
from xmlib.runs.records import ending
from xmlib.scoring.intervals import Interval, mean_interval, paired_interval, paired_mean

NOT_CONVERGED = "not converged"
PROFILES = ("full", "medium", "quick")  # longest first; toy runs are for tests and never shown
BASELINES = {"linear_cca": "Linear CCA", "chance": "Chance"}
ORDER = {name: i for i, name in enumerate(METHODS)}  # of the methods in the book
Scores = dict[int, np.ndarray]  # seed → one number a test query


@dataclass(frozen=True)
class Runs:
    """The runs of one method at one profile on the same pairs: one record a seed, in the order of the seeds."""

    records: tuple[dict, ...]

    @property
    def first(self) -> dict:
        return self.records[0]

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
    def groups(self) -> list[int]:
        return self.first["data"]["test_groups"]

    @property
    def title(self) -> str:
        return title(self.method)

    @property
    def ending(self) -> str:
        """The label of how they ended, see `xmlib.runs.records.ending`; of several the least favourable."""
        labels = {ending(record) for record in self.records}
        return max(labels, key=lambda label: (label == NOT_CONVERGED, label))

    @property
    def valid_mrr(self) -> float:
        """The best validation MRR, averaged over the seeds: methods are chosen by it."""
        return float(np.mean([record["valid_mrr"] for record in self.records]))

    def mrr(self, direction: str) -> float:
        """The MRR of the test set, averaged over the seeds."""
        return float(np.mean([record["metrics"][direction]["mrr"] for record in self.records]))

    def spread(self, direction: str) -> Interval:
        """The lowest and the highest MRR among the seeds."""
        values = [record["metrics"][direction]["mrr"] for record in self.records]
        return min(values), max(values)

    def reciprocal_ranks(self, direction: str) -> np.ndarray:
        """The reciprocal rank of every test query at every seed, (seeds, queries)."""
        return np.array([recorded_reciprocal_ranks(record, direction) for record in self.records])

    def interval(self, direction: str) -> Interval:
        """The 95 % interval of the MRR over queries and seeds; of one seed that of the record, over queries."""
        if len(self.records) == 1:
            low, high = self.first["metrics"][direction]["mrr_interval"]
            return low, high
        return mean_interval(self.reciprocal_ranks(direction), self.groups)


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


def group(records: Iterable[dict]) -> list[Runs]:
    """Runs of the same profile, data and method together; longest profile first, methods in the book's order.

    Variants, runs that differ from their profile, are left out.
    """
    found: dict[tuple, list[dict]] = {}
    for record in records:
        if record["profile"] in PROFILES and not record.get("variant"):
            key = (PROFILES.index(record["profile"]), record["data"]["digest"])
            found.setdefault((*key, ORDER.get(record["method"], 99), record["method"]), []).append(record)
    return [Runs(tuple(sorted(found[key], key=lambda r: r["seed"]))) for key in sorted(found)]


def rivals_of_variants(records: Iterable[dict]) -> list[list[dict]]:
    """The records of each method and variant of a profile that has variants, a list for all its seeds.

    Methods are in the book's order; of each the usual runs come first.
    """
    varied = {record["profile"] for record in records if record.get("variant")} & set(PROFILES)
    found: dict[tuple, list[dict]] = {}
    for record in records:
        if record["profile"] in varied:
            key = (PROFILES.index(record["profile"]), ORDER.get(record["method"], 99), record.get("variant") or "")
            found.setdefault(key, []).append(record)
    return [found[key] for key in sorted(found)]


def longest(runs: Sequence[Runs]) -> list[Runs]:
    """For each method its longest runs: full before medium before quick; where two data compete, more seeds."""
    best: dict[str, Runs] = {}
    for run in runs:
        held = best.setdefault(run.method, run)
        if held.profile == run.profile and len(run.records) > len(held.records):
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
    seeds = [record["seed"] for record in run.records]
    return dict(zip(seeds, run.reciprocal_ranks(direction), strict=True))


def _same_seeds(a: Scores, b: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Two tables (seeds, queries), a row each seed that both have."""
    shared = sorted(set(a) & set(b))
    if not shared:
        return np.mean(list(a.values()), axis=0, keepdims=True), np.mean(list(b.values()), axis=0, keepdims=True)
    return np.array([a[seed] for seed in shared]), np.array([b[seed] for seed in shared])


def _difference(one: str, other: str, a: np.ndarray, b: np.ndarray, groups: Sequence[int]) -> Difference:
    mean = paired_mean(a, b, groups)
    return Difference(one, other, mean.value, paired_interval(a, b, groups), mean.p)
