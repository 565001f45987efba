"""Searching 100,000 items: an index that is loaded, asked by one query and by many, and added to.

The exact index multiplies; its rival is scikit-learn's brute-force search by cosine. The graph is nmslib's HNSW, held
against the exact index, with its recall of the ten best. What is added to a graph is searched by products, which is
held against making the graph anew.
Run it as `python -m benchmarks.search`.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks import common
from xmlib.retriever import SearchIndex

N, D, K = 100_000, 64, 10
QUERIES, MORE = 1000, 1000  # asked at once; added at once
INTRINSIC, NOISE = 16, 0.3  # embeddings fill their space unevenly: directions that carry most, and the rest
LIMIT = 1.0  # seconds, for loading
TURNS = 3
PACKAGES = (*common.PACKAGES, "nmslib", "safetensors")


def embeddings(n: int, seed: int) -> np.ndarray:
    """Unit-length rows (n, d) float32 that lie near a subspace."""
    subspace = np.random.default_rng(0).normal(size=(INTRINSIC, D))
    random = np.random.default_rng([1, seed])
    rows = random.normal(size=(n, INTRINSIC)) @ subspace + NOISE * random.normal(size=(n, D))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def recall(index: SearchIndex, exact: SearchIndex, queries: np.ndarray) -> float:
    """Share of the K best items that the index finds."""
    pairs = zip(index.search(queries, K)[0], exact.search(queries, K)[0], strict=True)
    return float(np.mean([len(set(a) & set(b)) / K for a, b in pairs]))


def one_by_one(index: SearchIndex, queries: np.ndarray) -> None:
    """Ask a hundred queries, each by itself."""
    for query in queries[:100]:
        index.search(query[None], K)


def spent(compute: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    compute()
    return time.process_time() - start


def load_row(index: SearchIndex, folder: Path, name: str) -> common.Row:
    """The claim that an index is loaded within the limit, all its files compared with their hashes."""
    index.save(folder)
    seconds = [spent(partial(SearchIndex.load, folder)) for _ in range(TURNS)]
    size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
    timing = common.compared(seconds, [LIMIT] * TURNS)
    return common.claim(f"Loading {name}: against a limit", setting(), timing, goal=1, note=f"{size:.0f} MiB on disk")


def query_rows(graph: SearchIndex, exact: SearchIndex, queries: np.ndarray) -> list[common.Row]:
    """The claims on queries by themselves and on many at once."""
    rival = NearestNeighbors(n_neighbors=K, algorithm="brute", metric="cosine", n_jobs=1).fit(exact.vectors)
    found = f"recall of the {K} best {recall(graph, exact, queries):.3f}"
    rows = []
    for many, ask in ((f"{QUERIES} queries at once", SearchIndex.search), ("100 queries, one at a time", one_by_one)):
        asked = {index: partial(ask, index, queries) for index in (graph, exact)}
        timing = common.paired(asked[graph], asked[exact], turns=TURNS)
        rows.append(common.claim("Queries: HNSW graph against products", setting(many), timing, note=found))
    brute = common.paired(partial(exact.search, queries, K), partial(rival.kneighbors, queries), turns=TURNS)
    name = "Queries: products against scikit-learn's brute force"
    return [*rows, common.claim(name, setting(f"{QUERIES} queries at once"), brute, goal=1)]


def adding_row(graph: SearchIndex, build: float) -> common.Row:
    """The claim that adding items costs less than making the graph anew; they are taken out again."""
    vectors, ids = embeddings(MORE, 2), [f"new {i}" for i in range(MORE)]
    seconds = []
    for _ in range(TURNS):
        seconds.append(spent(partial(graph.add, vectors, ids)))
        graph.remove(ids)
    timing = common.compared([statistics.median(seconds)], [build])
    return common.claim(
        f"Adding {MORE} items: kept beside the graph against a graph made anew", setting(), timing, goal=1
    )


def setting(more: str = "") -> str:
    """What a row says of its setting."""
    return f"{N} items, d = {D}, {more + ', ' if more else ''}one thread"


def measure() -> list[common.Row]:
    """The rows of this script."""
    items, queries, ids = embeddings(N, 0), embeddings(QUERIES, 1), [f"item {i}" for i in range(N)]
    exact = SearchIndex(items, ids, "exact")
    start = time.process_time()
    graph = SearchIndex(items, ids, "hnsw")
    build = time.process_time() - start
    with tempfile.TemporaryDirectory() as home:
        loads = [
            load_row(index, Path(home) / kind, name)
            for index, kind, name in ((exact, "exact", "an exact index"), (graph, "hnsw", "an HNSW graph"))
        ]
    return [*loads, *query_rows(graph, exact, queries), adding_row(graph, build)]


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, packages=PACKAGES))
