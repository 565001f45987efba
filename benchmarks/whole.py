"""A whole gallery that does not fit: exact ranks of 100,000 queries among as many candidates against the bare products.

Takes minutes, so it runs when it is named only: `python -m benchmarks whole`. Blocks of queries take turns with their
bare products, in a process whose memory is watched.
"""

import sys
import time
from collections.abc import Callable

from torch import Tensor

from benchmarks import common
from benchmarks.large import MEMORY, D, N, multiplied, views
from xmlib import evaluate

BLOCK = 10_000  # queries a turn: several of their chunks


def counted(x: Tensor, y: Tensor, first: int) -> None:
    """Exact counts of a block of queries against all candidates, as `evaluate.standing` has them."""
    for start, scores in evaluate.score_chunks(x[first : first + BLOCK], y):
        evaluate._counts(scores, first + start)


def ranked() -> tuple[list[float], list[float], float]:
    """Seconds of every block of ranks, of every block of products, and how many MiB all of it took."""
    x, y = views(N)
    spent: dict[Callable, list[float]] = {counted: [], products: []}

    def all_blocks() -> None:
        for turn, first in enumerate(range(0, N, BLOCK)):
            for compute in (counted, products) if turn % 2 == 0 else (products, counted):
                start = time.process_time()
                compute(x, y, first)
                spent[compute].append(time.process_time() - start)

    grown = common.growth(all_blocks)
    return spent[counted], spent[products], grown


def products(x: Tensor, y: Tensor, first: int) -> None:
    """The bare products of the same chunks."""
    multiplied(x[first : first + BLOCK], y, BLOCK)


def measure() -> list[common.Row]:
    """The rows of this script; times are those of all queries."""
    ours, other, grown = common.apart(ranked)
    setting = f"{N} queries × {N}, d = {D}, one direction"
    timing = common.compared(ours, other) | {"ours": sum(ours), "other": sum(other), "ratio": sum(other) / sum(ours)}
    limit = common.compared([grown], [MEMORY])
    return [
        common.claim("Exact ranks of all against the bare products", f"{setting}, one thread", timing, 0.5),
        common.claim("Exact ranks of all: extra memory against a GiB", setting, limit, 1, "MiB"),
    ]


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure))
