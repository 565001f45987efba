"""How often intervals over queries and seeds hold the truth, on tables of scores whose truth is 0 (book, protocol).

A score is the sum of what its seed, its group, its query and chance add to it. Groups and queries add skewed numbers,
as reciprocal ranks are skewed. The sizes of what they add are about those in the runs on pictures and words.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from xmlib.scoring.intervals import crossed_mean, seed_interval

TABLES = 2000  # of each kind


class Kind(NamedTuple):
    """Tables of one kind: their size, and the standard deviation of what each source adds to a score."""

    name: str
    seeds: int
    groups: int
    of_seed: float
    of_group: float
    of_query: float
    of_rest: float


KINDS = (
    Kind("MRR of a method", 5, 290, 0.005, 0.14, 0.14, 0.125),
    Kind("MRR of a method", 3, 290, 0.005, 0.14, 0.14, 0.125),
    Kind("difference of two methods", 5, 290, 0.005, 0.03, 0.03, 0.15),
    Kind("difference of two methods", 3, 290, 0.005, 0.03, 0.03, 0.15),
    Kind("seeds that differ four times as much", 5, 290, 0.02, 0.14, 0.14, 0.125),
    Kind("as few groups as sheet music has", 5, 80, 0.005, 0.14, 0.14, 0.125),
)


def scores(kind: Kind, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A table (seeds, queries) and the group of every query: four in five groups have one, the others two to four."""
    sizes = np.where(rng.random(kind.groups) < 0.8, 1, rng.integers(2, 5, kind.groups))
    member = np.repeat(np.arange(kind.groups), sizes)
    shared = kind.of_group * (rng.exponential(size=kind.groups)[member] - 1)
    shared = shared + kind.of_query * (rng.exponential(size=len(member)) - 1)
    seeds = kind.of_seed * rng.normal(size=(kind.seeds, 1))
    return seeds + shared + kind.of_rest * rng.normal(size=(kind.seeds, len(member))), member


@cache
def coverage() -> list[dict]:
    """One row a kind of table: the `kind`, and how often the interval over `both`, and that over `seeds`, holds 0."""
    rows = []
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng([41, number])
        tables = [scores(kind, rng) for _ in range(TABLES)]
        found = {
            "both": [crossed_mean(values, groups).interval() for values, groups in tables],
            "seeds": [seed_interval(values.mean(1)) for values, _ in tables],
        }
        held = {name: float(np.mean([low < 0 < high for low, high in ends])) for name, ends in found.items()}
        rows.append({"kind": kind, **held})
    return rows
