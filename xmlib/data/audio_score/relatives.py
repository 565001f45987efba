"""Which tunes are variants of each other: they share runs of intervals.

Settings of the same chorale differ in passing notes, repeated notes and key. So their melodies are compared by the
notes that sound on the beats.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import groupby, pairwise
from typing import NamedTuple

from xmlib.data.audio_score.folk_tunes import TICKS, Note


def pitches(notes: list[Note]) -> list[int]:
    """The pitch of every note."""
    return [note.pitch for note in notes]


def pitches_on_beats(notes: list[Note]) -> list[int]:
    """The pitches that sound at the beginning of every quarter, one for several in a row that are the same."""
    heard = [
        note.pitch for note in notes for _ in range(-(-note.onset // TICKS), -(-(note.onset + note.length) // TICKS))
    ]
    return [pitch for pitch, _ in groupby(heard)]


class Rule(NamedTuple):
    """What is compared of two melodies, how many intervals a run has, and what part of the runs makes relatives.

    The part is of those of the melody that has fewer.
    """

    pitches: Callable[[list[Note]], list[int]]
    run: int
    share: float

    def runs(self, notes: list[Note]) -> set[tuple[int, ...]]:
        """All runs of successive intervals in semitones; the same for a melody and its transposition."""
        steps = [b - a for a, b in pairwise(self.pitches(notes))]
        return {tuple(steps[i : i + self.run]) for i in range(len(steps) - self.run + 1)}


TUNES = Rule(pitches, 6, 0.3)
CHORALES = Rule(pitches_on_beats, 5, 0.2)  # finds those with the same title, unless they have quite another melody


class Relatives:
    """Finds the tunes that share a good part of their intervals with a new one."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.sizes: dict[str, int] = {}
        self.holders: dict[tuple[int, ...], list[str]] = defaultdict(list)

    def of(self, runs: set[tuple[int, ...]]) -> list[str]:
        """Ids of added tunes that share enough of the smaller set of runs, sorted."""
        shared = Counter(id for run in sorted(runs) for id in self.holders.get(run, ()))
        return sorted(id for id, n in shared.items() if n >= self.share * min(self.sizes[id], len(runs)))

    def add(self, id: str, runs: set[tuple[int, ...]]) -> None:
        """Make a tune findable."""
        self.sizes[id] = len(runs)
        for run in runs:
            self.holders[run].append(id)
