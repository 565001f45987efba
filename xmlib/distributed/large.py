"""Galleries and refits that are too large for one process: each has its share, and only counts and sums travel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from xmlib import evaluate
from xmlib.errors import InputError
from xmlib.retriever.moments import Moments

ROWS = 8192  # of a piece: 8 MiB a view of 128 numbers in float64


def standing(x: Tensor, candidates: Tensor, first: int) -> tuple[np.ndarray, np.ndarray]:
    """What `evaluate.standing` gives for all queries and candidates, (n,) each, in every process.

    `x`: all queries (n, d); `candidates`: the share (m, d) of this process, the right ones of the queries from number
    `first` on. The scores of the right candidates travel, n numbers, and then two counts for every query.
    Raises `InputError` where the shares do not make up n candidates, and as `evaluate.score_chunks`.
    """
    n, own = len(x), slice(first, first + len(candidates))
    covered = torch.zeros(n, dtype=torch.int64)
    covered[own] = 1
    dist.all_reduce(covered)
    if own.stop > n or not bool((covered == 1).all()):
        wrong = int((covered != 1).nonzero()[0]) if own.stop <= n else n
        raise InputError(f"The shares do not make up {n} candidates, first at {wrong}: give each to one process.")
    right = torch.zeros(n, dtype=torch.float64)
    right[own] = (x[own].double() * candidates.double()).sum(1)
    dist.all_reduce(right)
    counts = torch.cat([_counts(scores, right[i : i + len(scores)]) for i, scores in _scores(x, candidates)], dim=1)
    dist.all_reduce(counts)
    better, tied = counts.numpy()
    return better, tied


def _scores(x: Tensor, candidates: Tensor) -> Iterator[tuple[int, Tensor]]:
    return evaluate.score_chunks(x, candidates) if len(candidates) else iter([(0, x.new_empty(len(x), 0))])


def _counts(scores: Tensor, right: Tensor) -> Tensor:
    """The better and the tied candidates, (2, q), of queries whose right ones have these scores."""
    table, right = scores.numpy(), right.numpy()[:, None]
    better, not_worse = (
        np.array([np.count_nonzero(row) for row in mask])
        for mask in (table > right + evaluate.TIE, table >= right - evaluate.TIE)
    )
    return torch.from_numpy(np.stack([better, not_worse - better]))


def added_up(moments: Moments) -> Moments:
    """The moments of the pairs of all processes, from those of each; d² numbers travel, however many pairs there are.

    They are added in the order of the processes, so every process has the same digits.
    """
    parts = []
    for own in (torch.tensor([moments.n]), moments.mean, moments.products):
        of_all = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(of_all, own)
        parts.append(of_all)
    total = Moments(moments.d1, len(moments.mean) - moments.d1)
    for count, mean, products in zip(*parts, strict=True):
        if count:
            total.merge(int(count), mean, products)
    return total


def moments_of(file1: Path, file2: Path, own: slice | None = None) -> Moments:
    """Means and covariances of the pairs in two files of features, read in pieces and added up in float64.

    `file1`, `file2`: a `.npy` of (n, d), or a `.parquet` with the column `vector`; `own`: which rows (default: all).
    Raises `InputError` for files that are of other kinds, not there, or of unequal lengths.
    """
    (n, d1), (m, d2) = shape(file1), shape(file2)
    if n != m:
        raise InputError(f"{file1} has {n} rows and {file2} has {m}: pairs need as many of each, row by row.")
    total = Moments(d1, d2)
    start, stop, _ = (own or slice(0, n)).indices(n)
    for one, other in zip(rows_of(file1, start, stop), rows_of(file2, start, stop), strict=True):
        total.add(torch.from_numpy(one), torch.from_numpy(other))
    return total


def shape(file: Path) -> tuple[int, int]:
    """Rows and columns of a file of features; errors as in `moments_of`."""
    if not file.is_file():
        raise InputError(f"There is no file {file}: give features as .npy or .parquet.")
    if file.suffix == ".npy":
        found = np.load(file, mmap_mode="r", allow_pickle=False).shape
        if len(found) == 2:
            return found
        raise InputError(f"{file} has the shape {found}: features are a table of one row an item.")
    if file.suffix == ".parquet":
        from pyarrow import parquet

        opened = parquet.ParquetFile(file)
        return opened.metadata.num_rows, len(next(opened.iter_batches(1, columns=["vector"]))["vector"][0])
    raise InputError(f"{file} ends in {file.suffix or 'nothing'!r}: features are read from .npy and .parquet.")


def rows_of(file: Path, start: int, stop: int) -> Iterator[np.ndarray]:
    """Rows from `start` to `stop` of a file of features, `ROWS` at a time; no more of it is in memory."""
    if file.suffix == ".npy":
        for first in range(start, stop, ROWS):  # mapped anew each time, or what was read would count as memory
            yield np.array(np.load(file, mmap_mode="r", allow_pickle=False)[first : min(first + ROWS, stop)])
        return
    from pyarrow import parquet

    waiting, width, passed = [], shape(file)[1], 0
    for batch in parquet.ParquetFile(file).iter_batches(ROWS, columns=["vector"]):
        block = batch["vector"].flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
        waiting.append(block[max(start - passed, 0) : max(stop - passed, 0)])
        passed += len(block)
        while sum(map(len, waiting)) >= ROWS:  # batches of a file end where its row groups do
            joined = np.concatenate(waiting)
            yield joined[:ROWS]
            waiting = [joined[ROWS:]]
    if rest := sum(map(len, waiting)):
        yield np.concatenate(waiting)[:rest]
