"""Which tunes are variants of each other: they share runs of intervals."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from xmlib.data.audio_score.folk_tunes import Note

RUN = 6  # intervals in a row
RELATED = 0.3  # shared runs, as a part of the smaller tune's


def intervals(notes: list[Note]) -> set[tuple[int, ...]]:
    """All runs of six successive intervals in semitones; the same for a tune and its transposition."""
    steps = [b.pitch - a.pitch for a, b in pairwise(notes)]
    return {tuple(steps[i : i + RUN]) for i in range(len(steps) - RUN + 1)}


class Relatives:
    """Finds the tunes that share a good part of their intervals with a new one."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.holders: dict[tuple[int, ...], list[str]] = defaultdict(list)

    def of(self, runs: set[tuple[int, ...]]) -> list[str]:
        """Ids of added tunes that share at least RELATED of the smaller set of runs, sorted."""
        shared = Counter(id for run in sorted(runs) for id in self.holders.get(run, ()))
        return sorted(id for id, n in shared.items() if n >= RELATED * min(self.sizes[id], len(runs)))

    def add(self, id: str, runs: set[tuple[int, ...]]) -> None:
        """Make a tune findable."""
        self.sizes[id] = len(runs)
        for run in runs:
            self.holders[run].append(id)
