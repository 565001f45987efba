"""ABC as music21 reads it, without what takes it most of the time.

music21 gives every part beams and stems, and looks for meter and clef anew in every bar. Stems are not needed here, and
beams are music21's own, but found once for every rhythm: bars of the same rhythm in the same meter are beamed alike.
`benchmarks/building.py` measures what that saves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from music21 import converter, stream

_found: dict[tuple, list[str]] = {}  # beams by meter and rhythm, those of this process


def score(abc: str) -> Any:
    """The music21 score of one tune, without beams."""
    with _no_beams():
        return converter.parseData(abc, format="abc")


@contextlib.contextmanager
def _no_beams() -> Iterator[None]:
    """Nobody beams a whole part in here, which music21's reader of ABC does and offers no option for."""
    stream.Part.makeBeams = lambda part, **options: None  # hides that of its base class, which bars keep
    try:
        yield
    finally:
        del stream.Part.makeBeams


def beams(measures: list[Any], meter: Any) -> list[list[str]]:
    """What the longest beam does at each of `notesAndRests` of every bar: "start", "continue", "stop", or "" for none.

    `meter`: the one time signature of the tune.
    """
    if not measures or measures[0].timeSignature is not meter:  # bars before the meter have no beams
        return [_own_beams(measure, list(measure.notesAndRests)) for measure in measures]
    beats = str(meter.beamSequence)
    return [_beams_of_rhythm(measure, meter, beats) for measure in measures]


def _beams_of_rhythm(measure: Any, meter: Any, beats: str) -> list[str]:
    items = list(measure.notesAndRests)
    lengths = ((item.duration.quarterLength, item.duration.type, item.duration.isGrace) for item in items)
    rhythm = tuple((item.offset, item.isRest, *length) for item, length in zip(items, lengths, strict=True))
    key = (beats, measure.paddingLeft, measure.paddingRight, rhythm)
    if key not in _found:
        measure.timeSignature = meter  # spares a search through the bars before
        _found[key] = _own_beams(measure, items)
    return _found[key]


def _own_beams(measure: Any, items: list[Any]) -> list[str]:
    measure.makeBeams(inPlace=True, setStemDirections=False)
    return [longest_beam(item) for item in items]


def longest_beam(item: Any) -> str:
    """What the longest beam does at a note, or "" where there is none, as at a rest."""
    return next((beam.type for beam in getattr(item, "beams", ()) if beam.number == 1), None) or ""
