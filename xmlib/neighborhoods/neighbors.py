"""The nearest neighbours of vectors: exactly or by nmslib's HNSW graph, and one drawn at random for each item."""

import functools
import io
import os
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xmlib.errors import InputError
from xmlib.files import write_bytes

K = 200  # neighbours kept of each item in the released code
NEAREST = 10  # of these, the ones that a pair's neighbour is drawn from
# Exact search is the faster one up to here. Processor seconds on one thread, 200 dimensions, k = 200, exact and HNSW:
# 20,000 items 8 and 29; 40,000 items 34 and 94. The first grows with n², the second little faster than n;
# where they meet is extrapolated from these.
EXACT_UP_TO = 100_000
CHUNK = 512  # queries at once: bounds the memory of exact search to CHUNK · n numbers
SAMPLE = 1000  # items that the recall is measured on
GRAPH = {"M": 16, "efConstruction": 200, "post": 2, "indexThreadQty": 1}  # more threads give another graph each time
SEARCH = 400  # candidates that HNSW keeps while it asks; at least k


@dataclass(frozen=True)
class Neighbors:
    """The k nearest neighbours of every item, nearest first; no item is its own neighbour.

    `indices`, `distances`: (n, k), Euclidean; 0 exactly where two vectors are equal, and ties in order of index.
    `recall`, `recall_k`: share of the 10 and of the k truly nearest that were found; 1 for exact search.
    `index`: "exact" or "hnsw".
    """

    indices: np.ndarray
    distances: np.ndarray
    recall: float
    recall_k: float
    index: str

    def save(self, path: Path | str) -> Path:
        """Write the neighbours to an .npz file in one step; returns its path."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **vars(self))
        write_bytes(Path(path), buffer.getvalue())
        return Path(path)

    @staticmethod
    def load(path: Path | str) -> "Neighbors":
        """The neighbours in a file; raises `InputError` for one that is not there or not what `save` writes."""
        if not Path(path).is_file():
            raise InputError(f"There are no neighbours in {str(path)!r}: compute them and save them there.")
        try:
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
                indices, distances, *scalars = (file[name] for name in Neighbors.__dataclass_fields__)
        except (
            ValueError,
            KeyError,
            OSError,
            EOFError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
            TypeError,
        ) as error:
            raise InputError(f"{str(path)!r} holds no neighbours ({error}): remove it and compute it anew.") from None
        return Neighbors(indices, distances, *(value.item() for value in scalars))


def nearest(vectors: np.ndarray, k: int | None = None, index: str = "auto") -> Neighbors:
    """The k nearest neighbours of every row of `vectors` (n, size) among the others, by Euclidean distance.

    `k`: None takes 200, or n − 1 where there are fewer. `index`: "exact", "hnsw", or "auto" for exact search
    up to `EXACT_UP_TO` items, where it is the faster. Every run of either gives the same neighbours.
    Raises `InputError` for fewer than two items, a k that was asked for and is too large, and infinite values.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    n = len(vectors)
    k = _checked_k(n, k)
    if not np.isfinite(vectors).all():
        raise InputError("The vectors hold NaN or infinite values: mend them before neighbours are searched.")
    if index not in ("auto", "exact", "hnsw"):
        raise InputError(f"There is no index {index!r}; choose one of auto, exact, hnsw.")
    if index == "exact" or (index == "auto" and n <= EXACT_UP_TO):
        return Neighbors(*_exact(vectors, np.arange(n), k), recall=1.0, recall_k=1.0, index="exact")
    indices, distances = _hnsw(vectors, k)
    recalls = recall(vectors, distances, min(NEAREST, k)), recall(vectors, distances, k)
    return Neighbors(indices, distances, *recalls, index="hnsw")


def _checked_k(n: int, k: int | None) -> int:
    if n < 2:
        raise InputError(f"Neighbours need two items at least, but there are {n}: give more items.")
    if k is not None and not 1 <= k < n:
        raise InputError(
            f"k = {k} neighbours were asked for, but each of the {n} items has {n - 1} others: "
            f"choose k between 1 and {n - 1}, or leave it out."
        )
    return k or min(K, n - 1)


def recall(vectors: np.ndarray, distances: np.ndarray, k: int, sample: int = SAMPLE) -> float:
    """Share of the `k` truly nearest neighbours that stand among the first k, over `sample` items spread evenly.

    `distances`: (n, ≥ k), ascending, of the neighbours found. One at the distance of the last true one counts:
    which of two equal texts was found does not matter.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(sample, len(vectors))).astype(int))
    true = _exact(vectors, rows, k)[1]
    return float((distances[rows, :k] <= true[:, -1:]).mean())


def _exact(vectors: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of those rows by matrix products: |a − b|² = |a|² + |b|² − 2ab, which picks the candidates."""
    centred = vectors - vectors.mean(0)  # the same distances, and less to cancel below
    squares = (centred**2).sum(1)
    margin = min(k + 8, len(vectors) - 1)  # a few more than k: rounding may swap the last ones
    found = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        scores = squares - 2 * centred[chunk] @ centred.T  # (chunk, n); |a|² is the same in a row
        scores[np.arange(len(chunk)), chunk] = np.inf
        candidates = np.argpartition(scores, margin - 1, axis=1)[:, :margin]
        found.append(_sorted(vectors, chunk, candidates, k))
    indices, distances = (np.concatenate(side) for side in zip(*found, strict=True))
    return indices, distances


def _sorted(vectors: np.ndarray, rows: np.ndarray, candidates: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of each row's candidates by distances taken from differences, which are 0 for equal vectors."""
    candidates = np.sort(candidates, axis=1)  # so that the stable sort below breaks ties by index
    distances = np.empty(candidates.shape, dtype=np.float32)
    for i, row in enumerate(rows):
        distances[i] = np.linalg.norm(vectors[candidates[i]] - vectors[row], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(candidates, order, 1), np.take_along_axis(distances, order, 1)


def _hnsw(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours by nmslib's graph; rows for which it finds fewer than k others are searched exactly."""
    graph = _nmslib().init(method="hnsw", space="l2")
    graph.addDataPointBatch(vectors)
    graph.createIndex(GRAPH, print_progress=False)
    graph.setQueryTimeParams({"efSearch": max(SEARCH, k + 1)})
    # One more than k, since an item finds itself. The distances, squared ones, are taken anew in `_sorted`.
    answers = [found for found, _ in graph.knnQueryBatch(vectors, k=k + 1, num_threads=1)]
    others = [found[found != row][:k] for row, found in enumerate(answers)]
    full = np.array([row for row, found in enumerate(others) if len(found) == k], dtype=int)
    short = np.array([row for row, found in enumerate(others) if len(found) < k], dtype=int)
    indices = np.empty((len(vectors), k), dtype=np.int64)
    distances = np.empty((len(vectors), k), dtype=np.float32)
    if len(full):
        indices[full], distances[full] = _sorted(vectors, full, np.stack([others[row] for row in full]), k)
    if len(short):
        indices[short], distances[short] = _exact(vectors, short, k)
    return indices, distances


@functools.cache
def _nmslib():
    """nmslib, imported without its advice on compilation, which it prints on the stderr of the process."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import nmslib
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    return nmslib


def draw(
    neighbors: Neighbors, seed: int, epoch: int, nearest: int = NEAREST, groups: np.ndarray | None = None
) -> np.ndarray:
    """One neighbour of every item, (n,) indices: at random from the `nearest` ones at a distance above 0.

    The same seed and epoch give the same draw. `groups` (n,): also pass over neighbours of the item's own group, near
    duplicates for instance, which the released code does not. Raises `InputError` where an item has none left.
    """
    eligible = neighbors.distances > 0  # (n, k)
    if groups is not None:
        eligible &= groups[neighbors.indices] != groups[:, None]
    place = np.cumsum(eligible, axis=1)  # 1 for the first eligible one
    counts = np.minimum(place[:, -1], nearest)
    if not counts.all():
        raise InputError(_none_left(np.flatnonzero(counts == 0), neighbors.indices.shape[1], groups is not None))
    drawn = np.random.default_rng([seed, epoch]).integers(1, counts + 1)  # (n,)
    columns = np.argmax(eligible & (place == drawn[:, None]), axis=1)
    return neighbors.indices[np.arange(len(columns)), columns]


def _none_left(items: np.ndarray, k: int, grouped: bool) -> str:
    own = " or in its own group" if grouped else ""
    return (
        f"{len(items)} items have all their {k} neighbours at distance 0{own}, first number {items[0]}: their texts "
        "are repeated too often; raise k, or keep fewer copies."
    )


def summary(neighbors: Neighbors) -> dict[str, Any]:
    """What a record says of the neighbours: their index, number, recall and size."""
    n, k = neighbors.indices.shape
    return {"index": neighbors.index, "items": n, "k": k, "recall10": neighbors.recall, "recall_k": neighbors.recall_k}
