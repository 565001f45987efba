"""What each ingredient of the best run on sheet music gives, part of `book.make`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from book.make.results.findings import gain
from book.make.results.runs import Runs, grouped
from book.make.results.tables import WAYS, filled, together
from xmlib.scoring.intervals import Mean

Step = tuple[str, str]  # method, variant
START: Step = ("learned_cont", "")
LAYER: Step = ("ccal_cont", "")
MORE: Step = ("ccal_cont", "pairs_40000")
STEPS: dict[Step, Step | None] = {  # step → the one that it changes in one thing
    START: None,
    ("learned_cont", "one_way"): START,
    LAYER: ("learned_cont", "one_way"),
    ("ccal_cont", "both_ways"): LAYER,
    ("ccal_nce", "info_nce"): LAYER,
    ("ccal_cont", "augmented"): LAYER,
    MORE: LAYER,
    ("ccal_cont", "best"): MORE,
}


class Rung(NamedTuple):
    """The runs of a step, the step below it, and what it adds to that in MRR, mean of both directions."""

    step: Step
    runs: Runs
    below: Step | None
    gain: Mean | None  # none without a seed that both steps have


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown."""
    rungs = ladder(found)
    return {"ladder.md": filled("ladder", values, rungs) if rungs else filled("ladder_missing", {})}


def ladder(found: Sequence[dict]) -> list[Rung]:
    """The rungs with runs of the profile medium, the lowest first; none without the lowest."""
    kept = [record for record in found if (record["dataset"], record["profile"]) == ("audio_score", "medium")]
    runs = grouped(kept, lambda record: (record["method"], record.get("variant") or ""))
    return [_rung(step, below, runs) for step, below in STEPS.items() if step in runs] if START in runs else []


def _rung(step: Step, below: Step | None, runs: dict[Step, Runs]) -> Rung:
    while below is not None and below not in runs:
        below = STEPS[below]
    return Rung(step, runs[step], below, gain(runs[step], runs[below]) if below else None)


def values(rungs: Sequence[Rung]) -> dict[str, Any]:
    """What fills the template: the rungs with their gains and intervals, and the one that validation prefers."""
    gains = [rung.gain for rung in rungs if rung.gain]
    return {
        "rungs": [(rung, rung.gain and (rung.gain.value, rung.gain.interval())) for rung in rungs],
        "chosen": max(rungs, key=lambda rung: rung.runs.valid_mrr),
        "together": together([gain.interval() for gain in gains], [gain.p for gain in gains]),
        "fewest": min(len(rung.runs) for rung in rungs),
        **WAYS,
    }
