"""Exact ranks of the right candidates, in both directions, against the released way.

The released code takes all distances with `scipy.spatial.distance.cdist` and sorts each row, once for every direction.
The library counts the candidates that score better, over chunks of queries whose scores stay in the processor's caches.
The second claim is what these chunks save over 512 queries at a time, whatever the number of candidates.
Run it as `python -m benchmarks.ranks`.
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from benchmarks import common
from xmlib import evaluate

N, D = 10_000, 32  # D: as the released embeddings of scores and sound
GOAL = 10
FIXED = 512  # queries at a time


def views() -> tuple[Tensor, Tensor]:
    """Unit-length embeddings of pairs, (n, d) each, float32; most right candidates rank far from the last."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N, D, generator=generator)
    y = x + torch.randn(N, D, generator=generator)
    return torch.nn.functional.normalize(x, dim=1), torch.nn.functional.normalize(y, dim=1)


def released(x: Tensor, y: Tensor) -> list[np.ndarray]:
    """Ranks from 1 of the right candidates, (n,) for each direction, by sorting all distances."""
    found = []
    for queries, candidates in ((x, y), (y, x)):
        distances = cdist(queries.numpy(), candidates.numpy(), metric="cosine")
        found.append(np.array([np.flatnonzero(np.argsort(row) == i)[0] + 1 for i, row in enumerate(distances)]))
    return found


def counted(x: Tensor, y: Tensor) -> list[np.ndarray]:
    """The same by the library, ties at their expected rank."""
    return [evaluate.ranks(x, y), evaluate.ranks(y, x)]


def in_large_chunks(x: Tensor, y: Tensor) -> list[np.ndarray]:
    """The same over chunks of 512 queries, whose differences of 40 MB each are mapped anew for every chunk."""
    found = []
    for queries, candidates in ((x.double(), y.double()), (y.double(), x.double())):
        better, tied = [], []
        for start in range(0, N, FIXED):
            scores = queries[start : start + FIXED] @ candidates.T
            excess = scores - scores.diagonal(start).unsqueeze(1)
            better.append((excess > evaluate.TIE).sum(1))
            tied.append((excess.abs() <= evaluate.TIE).sum(1))
        found.append(evaluate.expected_ranks(torch.cat(better).numpy(), torch.cat(tied).numpy()))
    return found


def difference(ranks: list[np.ndarray], others: list[np.ndarray]) -> str:
    """How far two results are apart: near ties, which only the library treats alike, move a rank by half a place."""
    off = np.abs(np.concatenate(ranks) - np.concatenate(others))
    return f"of {off.size} ranks {np.count_nonzero(off)} differ, by {off.max():g} at most"


def compared(name: str, other: Callable[..., list[np.ndarray]], turns: int, goal: float | None = None) -> common.Row:
    """The claim that the library is faster than another computation of the same ranks."""
    x, y = views()
    last: dict[Callable, list[np.ndarray]] = {}  # what each has found, without another computation for it

    def run(form: Callable[..., list[np.ndarray]]) -> None:
        last[form] = form(x, y)

    timing = common.paired(partial(run, counted), partial(run, other), turns)
    setting = f"{N} × {N} in both directions, d = {D}, one thread"
    return common.claim(name, setting, timing, goal, note=difference(last[counted], last[other]))


def measure() -> list[common.Row]:
    """The rows of this script."""
    return [
        compared("Exact ranks: counting against sorting all distances", released, turns=2, goal=GOAL),
        compared(f"Exact ranks: chunks sized by memory against {FIXED} queries at a time", in_large_chunks, turns=3),
    ]


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure))
