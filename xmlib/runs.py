"""Records brought together: the seeds of a method, its longest profile, and who may be compared with whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from xmlib.evaluate import bootstrap_interval, paired_interval, recorded_reciprocal_ranks
from xmlib.methods import METHODS

PROFILES = ("full", "medium", "quick")  # longest first; toy runs are for tests and never shown
BASELINES = {"linear_cca": "Linear CCA", "chance": "Chance"}
Interval = tuple[float, float]


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
    def converged(self) -> bool:
        return all(record["converged"] for record in self.records)

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
        """One number a test query, (queries,): its reciprocal rank, averaged over the seeds."""
        return np.mean([recorded_reciprocal_ranks(record, direction) for record in self.records], axis=0)

    def interval(self, direction: str) -> Interval:
        """The 95 % interval of the MRR over queries; that of the record itself where there is one seed."""
        if len(self.records) == 1:
            low, high = self.first["metrics"][direction]["mrr_interval"]
            return low, high
        return bootstrap_interval(self.reciprocal_ranks(direction), self.groups)


@dataclass(frozen=True)
class Difference:
    """MRR of `one` minus that of `other` on the same queries, with its paired 95 % interval."""

    one: str
    other: str
    value: float
    interval: Interval


def title(method: str) -> str:
    """What a method is called on a page."""
    return METHODS[method].title if method in METHODS else method


def group(records: Iterable[dict]) -> list[Runs]:
    """Runs of the same profile, data and method together; longest profile first, methods in the book's order.

    Variants, runs that differ from their profile, are left out.
    """
    order = {name: i for i, name in enumerate(METHODS)}
    found: dict[tuple, list[dict]] = {}
    for record in records:
        if record["profile"] in PROFILES and not record.get("variant"):
            key = (PROFILES.index(record["profile"]), record["data"]["digest"])
            found.setdefault((*key, order.get(record["method"], 99), record["method"]), []).append(record)
    return [Runs(tuple(sorted(found[key], key=lambda r: r["seed"]))) for key in sorted(found)]


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
    """Every method against every other and against linear CCA, query by query."""
    first = same_pairs[0].first
    scores = [(run.title, run.reciprocal_ranks(direction)) for run in same_pairs]
    scores.append((BASELINES["linear_cca"], recorded_reciprocal_ranks(first["baselines"]["linear_cca"], direction)))
    groups = first["data"]["test_groups"]
    return [
        Difference(one, other, float(np.mean(a - b)), paired_interval(a, b, groups))
        for (one, a), (other, b) in combinations(scores, 2)
    ]
