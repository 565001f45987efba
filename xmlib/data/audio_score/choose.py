"""Which tunes, which of their notes, and how each tune is played.

The test tunes are chosen first, then validation, then training; a tune related to one already chosen for another
split is left out, so no tune is on both sides in any version of it (single phrases are, see `melodies`), and a larger
training set leaves the other splits as they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from xmlib.data.audio_score import folk_tunes
from xmlib.data.audio_score.folk_tunes import Note, Tune
from xmlib.data.audio_score.relatives import TUNES, Relatives, Rule
from xmlib.errors import InputError

VERSION = 1  # raise it when the choice may come out differently


@dataclass(frozen=True)
class Size:
    """Pairs in each split and at most how many of one tune."""

    train: int
    valid: int
    test: int
    per_tune: int


@dataclass(frozen=True)
class Difficulty:
    """Instruments of each split (General MIDI programs from 0) and how long the commonest note value lasts.

    `step`: seconds, from–to, log-uniform per tune; None plays every quarter note in 0.5 s.
    """

    train: tuple[int, ...]
    valid: tuple[int, ...]
    test: tuple[int, ...]
    step: tuple[float, float] | None


@dataclass
class Chosen:
    """One tune in the data set: its split, group of relatives and notes that make a pair."""

    tune: Tune
    split: str
    group: int
    notes: list[int]


def choose(size: Size, seed: int, tunes: Callable[[int], Tune | None], total: int, rule: Rule = TUNES) -> list[Chosen]:
    """Tunes and notes of all splits, test first.

    `tunes(k)`: the k-th tune of the shuffled corpus, None if it cannot be used. `rule`: which tunes are relatives.
    Raises InputError when the corpus runs out.
    """
    relatives, chosen, k = Relatives(rule.share), {}, 0
    for split in ("test", "valid", "train"):
        wanted = getattr(size, split)
        seen: set[tuple] = set()
        while len(seen) < wanted:
            if k == total:
                raise InputError(
                    f"{wanted} {split} pairs are asked for; the corpus gives no more than {len(seen)}: ask for fewer."
                )
            tune, k = tunes(k), k + 1
            if tune is None:
                continue
            runs = rule.runs(tune.notes())
            kin = [chosen[id] for id in relatives.of(runs)]
            if any(other.split != split for other in kin):
                continue
            notes = pick(tune, min(size.per_tune, wanted - len(seen)), seen, seed)
            if not notes:
                continue
            chosen[tune.id] = Chosen(tune, split, min([other.group for other in kin], default=len(chosen)), notes)
            for other in kin:  # the new tune may join groups that were apart
                _rename(chosen.values(), other.group, chosen[tune.id].group)
            relatives.add(tune.id, runs)
    return list(chosen.values())


def _rename(chosen: Iterable[Chosen], old: int, new: int) -> None:
    for item in chosen if old != new else ():
        if item.group == old:
            item.group = new


def context(notes: list[Note], i: int) -> tuple:
    """Pitches, lengths and gaps of a note and its three neighbours each way: what a query shows."""
    around = [notes[j] if 0 <= j < len(notes) else None for j in range(i - 3, i + 4)]
    return tuple(n and (n.pitch, n.length, n.onset - notes[i].onset) for n in around)


def below(tune: Tune, notes: list[Note], i: int) -> tuple:
    """Pitches, lengths and gaps of the notes of lower voices that begin while the context of a melody's note lasts."""
    first, last = notes[max(i - 3, 0)], notes[min(i + 3, len(notes) - 1)]
    lower = (note for voice in tune.lower for note in folk_tunes.notes_of(voice))
    during = (n for n in lower if first.onset <= n.onset < last.onset + last.length)
    return tuple((n.pitch, n.length, n.onset - notes[i].onset) for n in during)


def pick(tune: Tune, most: int, seen: set[tuple], seed: int) -> list[int]:
    """At most `most` notes of a tune, at random, in order, none with a context in `seen` (which grows)."""
    notes = tune.notes()
    picked = []
    for i in _random(seed, tune, 2).permutation(len(notes)).tolist():
        shown = context(notes, i) + below(tune, notes, i)
        if len(picked) < most and shown not in seen:
            seen.add(shown)
            picked.append(i)
    return sorted(picked)


def performance(tune: Tune, split: str, difficulty: Difficulty, seed: int) -> tuple[int, float]:
    """Instrument and seconds per tick of a tune."""
    rng = _random(seed, tune, 1)
    instruments = getattr(difficulty, split)
    instrument = instruments[rng.randint(len(instruments))]
    return instrument, _seconds_per_tick(tune, difficulty, rng)


def renderings(tune: Tune, difficulty: Difficulty, seed: int, count: int) -> list[tuple[int, float]]:
    """Instruments and seconds per tick of `count` renderings of a training tune, the first its `performance`.

    No instrument comes again before all have come, and every tempo is drawn by itself. Fewer renderings are the first
    of more.
    """
    first = performance(tune, "train", difficulty, seed)
    rng = _random(seed, tune, 3)
    others = [instrument for instrument in difficulty.train if instrument != first[0]]
    order = [first[0], *rng.permutation(others).tolist()]
    further = [(order[k % len(order)], _seconds_per_tick(tune, difficulty, rng)) for k in range(1, count)]
    return [first, *further]


def _seconds_per_tick(tune: Tune, difficulty: Difficulty, rng: np.random.RandomState) -> float:
    if difficulty.step is None:
        return 0.5 / folk_tunes.TICKS
    low, high = np.log(difficulty.step)
    step = round(float(np.exp(rng.uniform(low, high))), 4)
    return step / folk_tunes.typical_length(tune.notes())


def _random(seed: int, tune: Tune, purpose: int) -> np.random.RandomState:
    """A random stream of one tune, whatever other tunes there are (RandomState: frozen across NumPy versions)."""
    return np.random.RandomState([seed, zlib.crc32(tune.id.encode()), purpose])
