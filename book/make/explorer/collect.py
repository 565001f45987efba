"""What the explorer says of finished runs: which queries, what each run finds for them and at which rank, and a map."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from book.make.explorer import exhibits
from book.make.results.runs import title
from xmlib import evaluate
from xmlib.data import Splits
from xmlib.runs.embeddings import Embedded
from xmlib.runs.records import ending

TOP = 10
QUERIES = 60  # at most
FAMILY = 5  # queries of one group of related pairs: enough to see what is alike, few enough for variety
SOUNDS = 1000  # at most, of queries and of what is found for them: they are most of the page's weight
SEED = 5


class Found(NamedTuple):
    """One run: its record and its test embeddings."""

    record: dict
    embedded: Embedded


def collect(splits: Splits, runs: Sequence[Found]) -> tuple[dict, dict[str, bytes]]:
    """What data.js says of one data set, and the files of its items."""
    tops = [best(run.embedded.x, run.embedded.y) for run in runs]  # (2, n, TOP) each
    queries, heard, seen = choose(splits.test.groups, np.all([run.embedded.same for run in runs], axis=0), tops)
    rows = [*queries, *(row for row in heard if row not in set(queries))]
    rows += [row for row in seen if row not in set(rows)]
    number = {row: i for i, row in enumerate(rows)}
    shown = exhibits.SHOWN.get(splits.name, exhibits.picture_text)(splits, rows, len(set(queries) | set(heard)))
    described = {
        "name": splits.name,
        "title": shown.title,
        "views": [asdict(view) for view in shown.views],
        "columns": exhibits.COLUMNS,
        "candidates": len(splits.test),
        "labels": shown.labels,
        "sounds": sorted(shown.sounds),
        "queries": len(queries),
        "runs": [describe(run, top, queries, number) for run, top in zip(runs, tops, strict=True)],
    }
    return described, shown.files


def best(x: Tensor, y: Tensor) -> np.ndarray:
    """The candidates of highest cosine for every query in both directions, best first, (2, n, at most TOP)."""
    ways = []
    for queries, candidates in ((x, y), (y, x)):
        chunks = (scores for _, scores in evaluate.score_chunks(queries, candidates))
        ways.append(np.concatenate([np.argsort(-s.numpy(), axis=1, kind="stable")[:, :TOP] for s in chunks]))
    return np.stack(ways)


def choose(
    groups: np.ndarray, usable: np.ndarray, tops: Sequence[np.ndarray]
) -> tuple[list[int], list[int], list[int]]:
    """Rows of the queries; of all items that are found as view 2, or queried; and of those found as view 1.

    Whole groups come in an order drawn by a seed, `FAMILY` usable pairs of each, until the limits are reached.
    """
    rng = np.random.default_rng(SEED)
    queries: list[int] = []
    heard: dict[int, None] = {}  # in the order of the queries, so that what belongs together lies on one sheet
    for group in rng.permutation(np.unique(groups)):
        members = np.flatnonzero((groups == group) & usable)
        for row in sorted(rng.permutation(members)[:FAMILY].tolist()):
            more = dict.fromkeys([row, *(int(r) for top in tops for r in top[0, row])])
            if len(queries) == QUERIES or len(heard | more) > SOUNDS:
                break
            queries.append(row)
            heard |= more
    seen = dict.fromkeys(int(r) for row in queries for top in tops for r in top[1, row])
    return queries, list(heard), list(seen)


def describe(run: Found, top: np.ndarray, queries: Sequence[int], number: dict[int, int]) -> dict[str, Any]:
    """What data.js says of a run: per direction and query the ten best, their scores and the record's rank; the map."""
    record, (x, y, _) = run
    described = {
        "method": record["method"],
        "title": title(record["method"]),
        "profile": record["profile"],
        "seed": record["seed"],
        "ending": ending(record),
        "epochs": len(record["history"]),
        "ways": [],
        "map": layout(x[queries], y[queries]).tolist(),
    }
    for way, direction, (asking, found) in zip(top, evaluate.DIRECTIONS, ((x, y), (y, x)), strict=True):
        scores = [(asking[q].double() @ found[way[q]].double().T).tolist() for q in queries]
        described["ways"].append({
            "mrr": record["metrics"][direction]["mrr"],
            "ranks": [record["ranks"][direction][q] for q in queries],
            "top": [[number[int(row)] for row in way[q]] for q in queries],
            "scores": [[round(score, 3) for score in some] for some in scores],
        })  # fmt: skip
    return described


def layout(x: Tensor, y: Tensor) -> np.ndarray:
    """Places of both views of the queries on a map, (2, queries, 2) whole numbers from 0 to 1000: t-SNE, seeded."""
    from sklearn.manifold import TSNE

    points = np.concatenate([x.double().numpy(), y.double().numpy()])
    perplexity = min(15, (len(points) - 1) / 3)
    spots = TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(points)
    low, high = spots.min(0), spots.max(0)
    return np.round(1000 * (spots - low) / np.maximum(high - low, 1e-9)).astype(int).reshape(2, -1, 2)
