"""The claims on the three methods: their order, training pairs known by heart, curves, pictures."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from book.make.results import claims, image_text
from book.make.results.claims import UNTESTED
from book.make.results.findings import NAMES, Finding, mrr_gaps, over_seeds, shared, state, thinnest
from book.make.results.runs import Runs, grouped, place, rivals, title
from xmlib import evaluate
from xmlib.methods import PAPER

TRACE, LEARNED, RANKING = PAPER
SHORT = {TRACE: "trace norm", LEARNED: "learned map", RANKING: "ranking loss"}  # for differences among the three
PICTURES = ("emoji", "openclipart")
EIGHTH = 1 / 8


def sheet_runs(found: Sequence[dict]) -> dict[str, Runs]:
    """The medium runs on sheet music without a variant that came to the end of their schedule, by method."""
    kept = [
        record
        for record in found
        if (record["dataset"], record["profile"]) == ("audio_score", "medium") and not record.get("variant")
        if record["stopped"] in ("schedule", "patience")
    ]
    runs = list(grouped(kept, lambda r: (r["data"]["digest"], place(r["method"]))).values())
    most = max(rivals(runs), key=lambda same: sum(map(len, same)), default=[])
    return {run.method: run for run in most if run.method in PAPER}


def _lacking(runs: Iterable[str]) -> list[str]:
    return [title(method) for method in PAPER if method not in runs]


def order(found: Sequence[dict]) -> Finding:
    """A1: the order of the three methods on sheet music."""
    runs = sheet_runs(found)
    pairs = [(RANKING, TRACE), (TRACE, LEARNED), (RANKING, LEARNED)]
    told = [(f"{SHORT[a]} − {SHORT[b]}", runs[a], runs[b]) for a, b in pairs if {a, b} <= set(runs)]
    gaps = mrr_gaps(told)
    outcome = claims.of_order(*(state(gaps, what) for what, *_ in told)) if len(told) == 3 else UNTESTED
    records = [r for run in runs.values() for r in run]
    return Finding(outcome, thinnest(gaps), gaps, lacks=_lacking(runs), records=records, aside=_released(found))


def _released(found: Sequence[dict]) -> list[tuple[Runs, float]]:
    """The runs with the released schedule, none of which came to its end, with their test MRR, best first."""
    kept = [r for r in found if (r["dataset"], r.get("variant")) == ("audio_score", "released_schedule")]
    runs = grouped(kept, lambda record: place(record["method"])).values()
    both = [(run, float(np.mean([run.mrr(way) for way in evaluate.DIRECTIONS]))) for run in runs]
    return sorted(both, key=lambda one: -one[1])


def by_heart(found: Sequence[dict]) -> Finding:
    """A2: the MRR of the training subset at the best epoch, without augmentation."""
    runs = {name: run for name, run in sheet_runs(found).items() if not run.first["settings"].get("augment")}
    levels = {title(name): [run.train_mrr] for name, run in runs.items()}
    outcome = claims.of_levels([level for (level,) in levels.values()]) if len(levels) == 3 else UNTESTED
    seeds = min(map(len, runs.values()), default=0)
    return Finding(
        outcome, seeds, levels=levels, lacks=_lacking(runs), records=[r for run in runs.values() for r in run]
    )


def curves(found: Sequence[dict]) -> Finding:
    """A3: who leads after an eighth of the training and at its end, by steps and by time."""
    runs = sheet_runs(found)
    if not {TRACE, RANKING} <= set(runs):
        return Finding(lacks=[name for name in _lacking(runs) if name != title(LEARNED)])
    trace, ranking = shared(runs[TRACE], runs[RANKING])
    named = []
    for what, share, sign in (("trace norm − ranking loss", EIGHTH, 1), ("ranking loss − trace norm", 1.0, -1)):
        for where, reach in (("equal steps", after_steps), ("equal time", after_time)):
            pairs = zip(trace, ranking, strict=True)
            values = [sign * (a - b) for a, b in (reach(one, other, share) for one, other in pairs)]
            named.append((f"{what}, {_when(share)}", where, len(values), over_seeds(values)))
    gaps = claims.gaps(named) if len(trace) > 1 else []
    outcome = claims.of_curves(gaps[:2], gaps[2:]) if gaps else UNTESTED
    return Finding(outcome, len(trace), gaps, records=[*trace, *ranking])


def _when(share: float) -> str:
    return "at the end" if share == 1 else "after an eighth"


def after_steps(one: dict, other: dict, share: float) -> tuple[float, float]:
    """Validation MRR of both after that share of their epochs, of the next whole one."""
    return tuple(r["history"][math.ceil(share * len(r["history"])) - 1]["valid_mrr"] for r in (one, other))


def after_time(one: dict, other: dict, share: float) -> tuple[float, float]:
    """Validation MRR of both after that share of the time that the shorter of them took, of the last whole epoch."""
    clocks = [np.cumsum([row["seconds"] for row in record["history"]]) for record in (one, other)]
    limit = share * min(clock[-1] for clock in clocks)
    last = [max(int(np.searchsorted(clock, limit, side="right")) - 1, 0) for clock in clocks]
    return tuple(record["history"][i]["valid_mrr"] for record, i in zip((one, other), last, strict=True))


def sizes(found: Sequence[dict]) -> Finding:
    """A6: the largest difference among the three methods on pictures, against that on sheet music."""
    pictures = {name: image_text.by_method(found, name) for name in PICTURES}
    sets = {"audio_score": sheet_runs(found)} | pictures
    sets = {name: {method: run for method, run in runs.items() if method in PAPER} for name, runs in sets.items()}
    full = {name: runs for name, runs in sets.items() if len(runs) == len(PAPER)}
    spans = {name: [_range(runs, way) for way in evaluate.DIRECTIONS] for name, runs in full.items()}
    lacks = [f"the three methods on {NAMES[name]}" for name in sets if name not in full]
    outcome = UNTESTED
    if not lacks:
        outcome = claims.of_sizes([[spans[name][i] < spans["audio_score"][i] for name in PICTURES] for i in (0, 1)])
    levels = {NAMES[name]: span for name, span in spans.items()}
    seeds = min((len(run) for name in PICTURES for run in sets[name].values()), default=0)
    records = [r for runs in sets.values() for run in runs.values() for r in run]
    return Finding(outcome, seeds, levels=levels, lacks=lacks, records=records)


def _range(runs: dict[str, Runs], way: str) -> float:
    means = [run.mrr(way) for run in runs.values()]
    return max(means) - min(means)
