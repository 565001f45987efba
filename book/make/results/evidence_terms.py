"""The claims on semantic neighbourhoods: what the terms add to retrieval, and whether neighbours stay near."""

import math
from collections.abc import Sequence

import numpy as np

from book.make import grid
from book.make.results import claims, dial, neighborhoods
from book.make.results.claims import UNTESTED
from book.make.results.findings import NAMES, Finding, shared, state, thinnest
from book.make.results.runs import Runs
from book.show import summaries
from xmlib import evaluate
from xmlib.scoring import intervals
from xmlib.scoring.intervals import Mean

SETS = ("openclipart", "icons")


def terms(found: Sequence[dict]) -> Finding:
    """B1: both terms for neighbours together, MRR above L_i2t and L_sym alone, Openclipart and icons pooled."""
    tables, records, lacks = {}, [], []
    for dataset in SETS:
        runs = neighborhoods.by_configuration(found, dataset)
        if not {"all", "sym"} <= set(runs):
            lacks.append(f"both terms on {NAMES[dataset]}")
            continue
        tables[dataset] = shared(runs["all"], runs["sym"])
        records += [record for run in tables[dataset] for record in run]
    named = []
    for way in evaluate.DIRECTIONS if tables else ():
        parts = [_above(one, other, way) for one, other in tables.values()]
        arrow = evaluate.direction_names("openclipart")[way]
        named.append(("both terms", arrow, min(len(one) for one, _ in tables.values()), pooled(parts)))
    gaps = claims.gaps(named)
    outcome = claims.of_each([gap.state for gap in gaps]) if gaps else UNTESTED
    return Finding(outcome, thinnest(gaps), gaps, lacks=lacks, records=records)


def _above(one: Runs, other: Runs, way: str) -> Mean:
    a, b = (summaries.reciprocal_ranks(run, way) for run in (one, other))
    return intervals.paired_mean(a, b, one.first["data"]["test_groups"])


def pooled(parts: Sequence[Mean]) -> Mean:
    """The mean of independent means, with the degrees of freedom of Satterthwaite."""
    squares = [(part.error / len(parts)) ** 2 for part in parts]
    spread = sum(square**2 / part.freedom for square, part in zip(squares, parts, strict=True))
    freedom = sum(squares) ** 2 / spread if spread else 1.0
    return Mean(float(np.mean([part.value for part in parts])), math.sqrt(sum(squares)), freedom)


def kept_near(found: Sequence[dict]) -> Finding:
    """B2: the share of the ten nearest of the same class, all terms above L_i2t and L_sym alone."""
    named, records, lacks = [], [], []
    for dataset in SETS:
        runs = neighborhoods.by_configuration(found, dataset)
        if not {"all", "sym"} <= set(runs):
            lacks.append(f"both terms on {NAMES[dataset]}")
            continue
        one, other = shared(runs["all"], runs["sym"])
        records += [*one, *other]
        whole = all(neighborhoods.has_shares(run, "image") for run in (one, other))
        for kind, name in (("image", "within pictures"), ("text", "within texts")):
            what = name if whole else f"{name} (interval over seeds alone)"
            named.append((what, NAMES[dataset], len(one), neighborhoods.coherence_mean(one, other, kind)))
        if not whole:
            lacks.append(f"shares of single items of {NAMES[dataset]}; without these the intervals are too narrow")
    gaps = claims.gaps(named)
    kinds = dict.fromkeys(gap.what for gap in gaps)
    outcome = claims.of_each([state(gaps, kind) for kind in kinds]) if gaps else UNTESTED
    return Finding(outcome, thinnest(gaps), gaps, lacks=lacks, records=records)


def complementary(found: Sequence[dict]) -> Finding:
    """B3: what the terms add, as a growing share of the pairs says different things in picture and text."""
    dialled = dial.dialled(found)
    lacks = [
        f"complementary pairs of {dial.title(name)}" for name in grid.rows()["dial"]["datasets"] if name not in dialled
    ]
    grown = {(dial.title(k), m): dial.growth(points, m) for k, points in dialled.items() for m in ("MRR", "mAP")}
    named = [(f"growth of the gain in {m}", name, one[1], one[2]) for (name, m), one in grown.items() if one]
    gaps = claims.gaps(named)
    gains = [("a gain", f"{p.share:.0%}", p.seeds, p.gain) for points in dialled.values() for p in points]
    outcome = claims.of_dial([gap.state for gap in gaps], [gap.state for gap in claims.gaps(gains)])
    records = [record for points in dialled.values() for point in points for record in point.records]
    return Finding(outcome if gaps else UNTESTED, thinnest(gaps), gaps, lacks=lacks, records=records)
