"""What stands of a claim: a finding with its differences, from runs on the same pairs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from book.make.results import claims
from book.make.results.claims import UNTESTED, Gap
from book.make.results.runs import Runs, title
from book.show import summaries
from xmlib import evaluate
from xmlib.runs.records import file_name
from xmlib.scoring import intervals
from xmlib.scoring.intervals import Mean

NAMES = {"audio_score": "sheet music", "emoji": "emoji", "openclipart": "Openclipart", "icons": "icons"}
VARIANTS = {"directions_1": "one way", "directions_2": "both ways", "sym": "+ sym"}  # others say what they are
SEEDS = {"A1": 5, "A2": 5, "A3": 5, "A4": 3, "A5": 3, "A6": 10, "B1": 10, "B2": 10, "B3": 10}  # that a verdict needs


@dataclass
class Finding:
    """What stands of a claim: the rule's outcome for the runs there are, the seeds of the thinnest comparison, numbers.

    `lacks`: what the plan asks for and no record has; while there is any, the verdict is `not yet run`.
    `aside`: runs that decide nothing and that the explanation names, with their MRR in both directions, best first.
    `levels`: name → numbers, one or one a direction, where the rule looks at numbers and not at differences.
    """

    outcome: str = UNTESTED
    seeds: int = 0
    gaps: list[Gap] = field(default_factory=list)
    levels: dict[str, list[float]] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)
    records: list[dict] = field(default_factory=list)
    aside: list[tuple[Runs, float]] = field(default_factory=list)

    def verdict(self, name: str) -> str:
        """The outcome, once as many seeds as the plan asks for are there and nothing lacks."""
        return UNTESTED if self.lacks or self.seeds < SEEDS.get(name, 0) else self.outcome

    @property
    def open(self) -> bool:
        """Whether none of its differences can be told."""
        return bool(self.gaps) and all(gap.state == claims.OPEN for gap in self.gaps)

    @property
    def visible(self) -> float | None:
        """How large a difference has to be for the widest of the intervals to leave 0 out."""
        return max(((gap.interval[1] - gap.interval[0]) / 2 for gap in self.gaps), default=None)


def shared(one: Runs, other: Runs) -> tuple[Runs, Runs]:
    """The runs of both with the seeds that both have."""
    seeds = set(one.seeds) & set(other.seeds)
    return Runs(r for r in one if r["seed"] in seeds), Runs(r for r in other if r["seed"] in seeds)


def gain(one: Runs, other: Runs) -> Mean | None:
    """MRR of the first above the second, mean of both directions, on the seeds of both; none where they share none."""
    one, other = shared(one, other)
    if not one:
        return None
    a, b = (summaries.reciprocal_ranks_both_ways(runs) for runs in (one, other))
    return intervals.paired_mean(a, b, one.first["data"]["test_groups"])


def mrr_gaps(pairs: Iterable[tuple[str, Runs, Runs]]) -> list[Gap]:
    """The first of each pair of runs above the second, in both directions, all corrected together."""
    named = []
    for what, one, other in pairs:
        one, other = shared(one, other)
        for way, arrow in evaluate.direction_names(one.first["dataset"]).items() if one else ():
            a, b = (summaries.reciprocal_ranks(runs, way) for runs in (one, other))
            named.append((what, arrow, len(one), intervals.paired_mean(a, b, one.first["data"]["test_groups"])))
    return claims.gaps(named)


def thinnest(gaps: Sequence[Gap]) -> int:
    """The seeds of the difference that has the fewest."""
    return min((gap.seeds for gap in gaps), default=0)


def state(gaps: Sequence[Gap], what: str) -> str:
    """What one comparison says in all its directions, see `claims.together`."""
    return claims.together([gap for gap in gaps if gap.what == what])


def linked(records: Sequence[dict]) -> dict[str, dict[int, str]]:
    """What was run → seed → path of the record below book/records."""
    told: dict[str, dict[int, str]] = {}
    for record in records:
        parts = (record.get("variant") or "").split("-")
        words = [VARIANTS.get(part) or part.replace("_", " ") for part in parts if part]
        name = f"{NAMES[record['dataset']]}: {', '.join([title(record['method']), *words, record['profile']])}"
        told.setdefault(name, {})[record["seed"]] = file_name(record)
    return told


def over_seeds(values: Sequence[float] | np.ndarray) -> Mean:
    """Their mean with the error over seeds; a made-up one of no use where there is one."""
    if len(values) < 2:
        return Mean(float(np.mean(values)), math.inf, 1.0)
    return Mean(float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5, len(values) - 1.0)
