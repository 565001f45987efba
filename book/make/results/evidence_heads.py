"""The claims on the CCA layer against a learned map with the same loss: what the layer gives, and at how many pairs."""

import json
from collections.abc import Sequence

import numpy as np

from book.make.results import claims
from book.make.results.claims import UNTESTED
from book.make.results.findings import NAMES, Finding, mrr_gaps, state, thinnest
from book.make.results.runs import Runs, grouped
from xmlib import evaluate
from xmlib.evaluate import recorded_reciprocal_ranks
from xmlib.runs.parameters import varied
from xmlib.scoring import intervals
from xmlib.scoring.intervals import Mean

HEADS = {"ccal_cont": "layer", "ccal_nce": "layer", "learned_cont": "learned", "learned_nce": "learned"}
LOSSES = ("ranking loss, one way", "ranking loss, both ways", "InfoNCE")
SETS = ("audio_score", "emoji", "openclipart")
FEW, MANY = 1000, 16000  # pairs between which the gain of the layer should shrink
GROWTH = f"gain on {FEW:,} pairs less gain on {MANY:,}"
RELATIVE = f"{GROWTH}, each a share of the better MRR"


def heads(found: Sequence[dict], dataset: str) -> dict[tuple[str, int, float], dict[str, Runs]]:
    """(loss, training pairs, dropout) → head → runs, where both heads had the same pairs and settings.

    Of two records of the same run the one counts whose settings were asked for.
    """
    kept: dict[tuple, dict[tuple, dict]] = {}
    for record in sorted(
        found, key=lambda record: bool(varied(record["parameters"]))
    ):  # of the same run the one asked for
        if record["dataset"] == dataset and record["method"] in HEADS and record["profile"] not in ("toy", "quick"):
            settings = {name: value for name, value in record["settings"].items() if name != "both_ways"}
            alike = json.dumps([settings, record["data"]["digest"]], sort_keys=True)
            same = kept.setdefault((loss(record), record["data"]["train"], alike), {})
            same[record["method"], record["seed"]] = record
    result = {}
    for (name, train, alike), records in kept.items():
        runs = grouped(records.values(), lambda record: HEADS[record["method"]])
        if len(runs) == 2 and set(runs["layer"].seeds) & set(runs["learned"].seeds):
            result[name, train, json.loads(alike)[0].get("dropout") or 0.0] = runs
    return result


def loss(record: dict) -> str:
    """One of `LOSSES`: what a run of one of the two heads minimises."""
    if record["method"].endswith("nce"):
        return LOSSES[2]
    asked = record["settings"].get("both_ways")
    both = record["method"] == "learned_cont" if asked is None else asked
    return LOSSES[1] if both else LOSSES[0]


def scarcity(found: Sequence[dict]) -> Finding:
    """A4: what the layer gains over the learned map with few pairs, less what it gains with many, on sheet music."""
    runs = heads(found, "audio_score")
    asked = [(name, dropout) for name, train, dropout in sorted(runs) if train == FEW and (name, MANY, dropout) in runs]
    if not asked:
        return Finding(lacks=["both heads with the same loss, on few pairs and on many"])
    few, many = (runs[asked[0][0], train, asked[0][1]] for train in (FEW, MANY))
    named = [
        growth(what, way, few, many, what == RELATIVE) for what in (GROWTH, RELATIVE) for way in evaluate.DIRECTIONS
    ]
    gaps = claims.gaps(named[:2]) + claims.gaps(named[2:])
    outcome = claims.of_growth(state(gaps, GROWTH), state(gaps, RELATIVE))
    return Finding(
        outcome, thinnest(gaps), gaps, records=[r for runs in (few, many) for run in runs.values() for r in run]
    )


def growth(
    what: str, way: str, few: dict[str, Runs], many: dict[str, Runs], relative: bool
) -> tuple[str, str, int, Mean]:
    """The gain of the layer on few pairs less that on many, by query; `relative` to the better of the two MRRs."""
    seeds = sorted(set.intersection(*(set(run.seeds) for runs in (few, many) for run in runs.values())))
    gains = []
    for runs in (few, many):
        layer, learned = (
            np.array([recorded_reciprocal_ranks(r, way) for r in runs[head] if r["seed"] in seeds])
            for head in ("layer", "learned")
        )
        gains.append((layer - learned) / (max(layer.mean(), learned.mean()) if relative else 1))
    groups = few["layer"].first["data"]["test_groups"]
    arrow = evaluate.direction_names("audio_score")[way]
    return what, arrow, len(seeds), intervals.paired_mean(gains[0], gains[1], groups)


def layer_or_loss(found: Sequence[dict]) -> Finding:
    """A5: the layer above the learned map with each loss, everything else alike, on three sets."""
    told, lacks, records = [], [], []
    for dataset in SETS:
        runs = heads(found, dataset)
        trains = {train for _, train, _ in runs}
        most = MANY if MANY in trains else max(trains, default=0)  # A4 alone looks at fewer and at more pairs
        for (name, train, dropout), both in sorted(runs.items()):
            if train == most:
                told.append((f"{NAMES[dataset]}, {name}, dropout {dropout:g}", both["layer"], both["learned"]))
                records += [record for run in both.values() for record in run]
        absent = [name for name in LOSSES if name not in {name for name, train, _ in runs if train == most}]
        lacks += [f"both heads with all settings alike on {NAMES[dataset]} ({' / '.join(absent)})"] if absent else []
    gaps = mrr_gaps(told)
    outcome = claims.of_each([state(gaps, what) for what, *_ in told]) if told else UNTESTED
    return Finding(outcome, thinnest(gaps), gaps, lacks=lacks, records=records)
