"""The claims of book/asked.md, and the verdict that its rule gives for numbers: pure functions, fixed before runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xmlib import paths
from xmlib.scoring.intervals import Interval, Mean

REPRODUCED, PARTLY, NOT, UNTESTED = "reproduced", "partly", "not reproduced", "not yet run"
NOT_TESTED = "not tested"  # what the plan itself says of a claim whose data are not at hand
HOLDS, REVERSED, OPEN = "holds", "is reversed", "is open"
BY_HEART = 0.9  # MRR of the training subset
ROW = re.compile(r"^\* - (\w\d)\n  - (.*?)\n  - (.*?)\n  - (.*?)(?=\n\* - |\n````)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Claim:
    """A row of book/asked.md: its number, what is claimed, the experiment, and what counts as which verdict."""

    name: str
    text: str
    experiment: str
    rule: str

    @property
    def tested(self) -> bool:
        """Whether the plan has a rule for it."""
        return not self.rule.lower().startswith(NOT_TESTED)


@dataclass(frozen=True)
class Gap:
    """A difference of means: what is compared, in which direction or at what place, its seeds, and what it says.

    `interval` is corrected for the number of differences that a claim has (Holm), and `state` follows from it.
    """

    what: str
    way: str
    seeds: int
    mean: Mean
    interval: Interval

    @property
    def state(self) -> str:
        """Where the interval lies, in the words of book/asked.md."""
        low, high = self.interval
        return HOLDS if low > 0 else REVERSED if high < 0 else OPEN


def asked() -> list[Claim]:
    """The claims in the order of book/asked.md, in its own words."""
    text = (paths.ROOT / "book" / "asked.md").read_text(encoding="utf-8")
    return [Claim(*(re.sub(r"\s+", " ", part).strip() for part in row)) for row in ROW.findall(text)]


def gaps(named: Sequence[tuple[str, str, int, Mean]]) -> list[Gap]:
    """Differences (what, way, seeds, mean) of one question, with intervals corrected after Holm for their number.

    The one with the smallest p has the level of all together, the next that of one less, and so on until the first
    that holds 0; from there on all have its level. No mean of scores differs by more than 1, so intervals end there.
    """
    found: list[Gap | None] = [None] * len(named)
    left, failed = len(named), False
    for i in sorted(range(len(named)), key=lambda i: named[i][3].p):
        low, high = named[i][3].interval(1 - 0.05 / left)
        found[i] = Gap(*named[i], (max(low, -1.0), min(high, 1.0)))
        failed = failed or found[i].state == OPEN
        left -= not failed
    return [gap for gap in found if gap]


def comparisons(gaps: Sequence[Gap]) -> dict[str, list[Gap]]:
    """What is compared → its differences, one a direction or place."""
    told: dict[str, list[Gap]] = {}
    for gap in gaps:
        told.setdefault(gap.what, []).append(gap)
    return told


def together(parts: Sequence[Gap]) -> str:
    """What one comparison says in all its directions: it holds in all, is reversed in one, or is open.

    A comparison that holds in some directions and is reversed in none is `partly`.
    """
    states = [gap.state for gap in parts]
    if REVERSED in states:
        return REVERSED
    if states and all(state == HOLDS for state in states):
        return HOLDS
    return PARTLY if HOLDS in states else OPEN


def of_order(first: str, second: str, outer: str) -> str:
    """A1: ranking loss above trace norm, trace norm above learned map, ranking loss above learned map."""
    if REVERSED in (first, second, outer):
        return NOT
    if first == second == HOLDS:
        return REPRODUCED
    return PARTLY if {first, second, outer} & {HOLDS, PARTLY} else NOT


def of_levels(values: Sequence[float]) -> str:
    """A2: the training MRR of each of three methods, which are known by heart from `BY_HEART` on."""
    high = sum(value >= BY_HEART for value in values)
    return REPRODUCED if high == 3 else PARTLY if high == 2 else NOT


def of_curves(early: Sequence[Gap], late: Sequence[Gap]) -> str:
    """A3: trace norm above ranking loss after an eighth, the other way round at the end, by steps and by time."""
    if together(early) == together(late) == HOLDS:
        return REPRODUCED
    shrinks = np.mean([gap.mean.value for gap in early]) > -np.mean([gap.mean.value for gap in late])
    leads = np.mean([gap.mean.value for gap in early]) > 0
    return PARTLY if shrinks and leads and REVERSED not in (together(early), together(late)) else NOT


def of_growth(growth: str, relative: str) -> str:
    """A4: a gain that grows; where it does so by another measure alone, or in one direction, that is partly."""
    if growth == HOLDS:
        return REPRODUCED
    return PARTLY if {growth, relative} & {HOLDS, PARTLY} else NOT


def of_dial(growths: Sequence[str], gains: Sequence[str]) -> str:
    """B3: a gain that grows by one measure at least; partly where there is a gain somewhere, without growing."""
    if HOLDS in growths:
        return REPRODUCED
    return PARTLY if HOLDS in gains else NOT


def of_each(states: Sequence[str]) -> str:
    """A5, B1 and B2: something that has to hold for each; partly where it does for some and is reversed for none."""
    if REVERSED in states:
        return NOT
    if all(state == HOLDS for state in states):
        return REPRODUCED
    return PARTLY if {HOLDS, PARTLY} & set(states) else NOT


def of_sizes(smaller: Sequence[Sequence[bool]]) -> str:
    """A6: whether the largest difference is smaller on each set of pictures, one list a direction."""
    fine = [all(way) for way in smaller]
    return REPRODUCED if all(fine) else PARTLY if any(fine) else NOT
