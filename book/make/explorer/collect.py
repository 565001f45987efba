"""What the explorer says of finished runs: which queries, what each run finds for them and at which rank, and a map."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from book.make.explorer import exhibits
from book.make.explorer.embedded import Embedded
from book.make.results.runs import BASELINES, title
from xmlib import evaluate
from xmlib.data import Splits
from xmlib.runs import records
from xmlib.runs.records import ending
from xmlib.show import explorer

QUERIES = 60  # at most
FAMILY = 5  # queries of one group of related pairs: enough to see what is alike, few enough for variety
SOUNDS = 1800  # at most, of queries and of what is found for them: they are most of the page's weight
SEED = 5


class Found(NamedTuple):
    """One run: its record and its test embeddings."""

    record: dict
    embedded: Embedded


class Answers(NamedTuple):
    """What a run gives for some queries: `top` (2, q, ten), rows, and `scores` likewise; `map` (2, q, 2)."""

    record: dict
    top: list
    scores: list
    map: list


def collect(
    splits: Splits, runs: Sequence[Found], kept: Sequence[Answers] = (), asked: Sequence[int] = ()
) -> tuple[dict, dict[str, bytes]]:
    """What data.js says of one data set, and the files of its items.

    `kept`: what longer runs gave for the queries `asked`, which are then shown; otherwise queries are drawn.
    """
    usable = certain(splits, runs)
    order = [row for row in asked if usable[row]] if kept else drawn(splits.test.groups, usable)
    answers = [_of(one, asked, order) for one in kept] + [answer(run, order) for run in runs]
    queries, heard, seen = fitting(order, [one.top for one in answers])
    rows = list(dict.fromkeys([*queries, *heard, *seen]))
    number = {row: i for i, row in enumerate(rows)}
    shown = exhibits.SHOWN.get(splits.name, exhibits.picture_text)(splits, rows, len(set(queries) | set(heard)))
    described = {
        "name": splits.name,
        "title": shown.title,
        "views": [asdict(view) for view in shown.views],
        "columns": exhibits.COLUMNS,
        "candidates": len(splits.test),
        "labels": shown.labels,
        "about": shown.about,
        "sounds": sorted(shown.sounds),
        "queries": len(queries),
        "runs": [describe(_of(one, order, queries), queries, number) for one in answers],
        "alone": [explorer.alone([one.record["ranks"][way] for one in answers]) for way in evaluate.DIRECTIONS],
    }
    return described, shown.files


def certain(splits: Splits, runs: Sequence[Found]) -> np.ndarray:
    """Which test pairs (n,) have the rank of the record in all runs, whatever the processor."""
    return np.all([np.ones(len(splits.test), dtype=bool), *(run.embedded.same for run in runs)], axis=0)


def drawn(groups: np.ndarray, usable: np.ndarray) -> list[int]:
    """Rows of the queries: whole groups in an order drawn by a seed, `FAMILY` usable pairs of each."""
    rng = np.random.default_rng(SEED)
    queries: list[int] = []
    for group in rng.permutation(np.unique(groups)):
        members = np.flatnonzero((groups == group) & usable)
        queries += sorted(rng.permutation(members)[:FAMILY].tolist())
    return queries[:QUERIES]


def fitting(order: Sequence[int], tops: Iterable[Any]) -> tuple[list[int], list[int], list[int]]:
    """Rows of the first queries, until there are `SOUNDS`; of what they find as view 2, or are; and as view 1."""
    queries: list[int] = []
    heard: dict[int, None] = {}  # in the order of the queries, so that what belongs together lies on one sheet
    found = np.stack([np.asarray(top) for top in tops])  # (runs, 2, q, ten)
    for row, own in zip(order, found[:, 0].swapaxes(0, 1), strict=True):
        more = dict.fromkeys([row, *own.ravel().tolist()])
        if len(heard | more) > SOUNDS:
            break
        queries.append(row)
        heard |= more
    return queries, list(heard), list(dict.fromkeys(found[:, 1, : len(queries)].ravel().tolist()))


def answer(run: Found, queries: Sequence[int]) -> Answers:
    """What a run gives for these queries, by its embeddings."""
    x, y, _ = run.embedded
    rows = list(queries)
    ways = ((x[rows], y), (y[rows], x))
    tops = [explorer.best(asking, found) for asking, found in ways]
    scores = [explorer.cosines(*way, top) for way, top in zip(ways, tops, strict=True)]
    return Answers(run.record, [top.tolist() for top in tops], scores, explorer.layout(x[rows], y[rows]))


def _of(answers: Answers, asked: Sequence[int], queries: Sequence[int]) -> Answers:
    """What these say of some of the queries that were asked."""
    at = [list(asked).index(row) for row in queries]
    parts = ([[way[i] for i in at] for way in part] for part in (answers.top, answers.scores, answers.map))
    return Answers(answers.record, *parts)


def describe(answers: Answers, queries: Sequence[int], number: dict[int, int]) -> dict[str, Any]:
    """What data.js says of a run: per direction and query the ten best, their scores and the record's rank; the map."""
    record = answers.record
    trained = record["method"] not in BASELINES
    return {
        "method": record["method"],
        "title": title(record["method"]) if trained else BASELINES[record["method"]],
        "profile": record["profile"],
        "pairs": record["data"]["train"],
        "seed": record["seed"] if trained else None,
        "ending": ending(record) if trained else "",
        "epochs": len(record["history"]) if trained else None,
        "planned": record["settings"]["epochs"] if trained else None,
        "map": answers.map,
        "ways": [
            {
                "mrr": record["metrics"][direction]["mrr"],
                "ranks": [record["ranks"][direction][query] for query in queries],
                "top": [[number[row] for row in found] for found in top],
                "scores": scores,
            }
            for direction, top, scores in zip(evaluate.DIRECTIONS, answers.top, answers.scores, strict=True)
        ],
    }


def linear_cca(record: dict) -> dict:
    """What a record says of the linear CCA of its pairs, as a record of its own, without training."""
    own = {name: record[name] for name in ("dataset", "profile", "parameters", "data")}
    own |= {"of": records.file_name(record), "method": "linear_cca", "seed": 0, "variant": "", "history": []}
    return own | record["baselines"]["linear_cca"]
