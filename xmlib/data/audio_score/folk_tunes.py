"""Public-domain folk tunes from the music21 corpus, as plain notes.

Three collections of single-line tunes in ABC notation: O'Neill's Music of Ireland, Aird's airs, Ryan's
Mammoth. music21 reads the ABC; what comes out here is small, flat and free of music21, so that it can be stored as
JSON and engraved, synthesised and compared without it.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

VERSION = 1  # raise it when a tune may come out differently
COLLECTIONS = ("oneills1850", "airdsAirs", "ryansMammoth")
TICKS = 10080  # per quarter note; divisible by 2⁵, 3², 5 and 7, so every tuplet is a whole number
KINDS = {"whole": "1", "half": "2", "quarter": "4", "eighth": "8", "16th": "16", "32nd": "32", "64th": "64"}
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MIDDLE_LINE = 4 * 7 + 6  # B4, the middle line of the treble staff, counted in scale steps from C0
FEWEST_NOTES = 16
HIGHEST = 12  # scale steps from the middle line that fit into the picture


class NotPlain(ValueError):
    """The tune is outside what is engraved here: one line, one meter, one key."""


class Source(NamedTuple):
    """One tune as it stands in the corpus: `id` is collection/file/number within the file."""

    id: str
    score: str  # its ABC, or the file that it is in


class Event(NamedTuple):
    """One note or rest. `step` is "" for a rest; `length` in ticks; `tied` means joined to the note before."""

    step: str
    octave: int
    alter: int
    length: int
    kind: str  # MEI's @dur: "4" is a quarter
    dots: int
    tuplet: tuple[int, int, int] | None  # played, in the time of, length of the whole group in ticks
    beam: str  # "start", "continue", "stop" or ""
    tied: bool

    @property
    def pitch(self) -> int:
        """MIDI number."""
        return 12 * (self.octave + 1) + SEMITONES[self.step] + self.alter

    @property
    def height(self) -> int:
        """Scale steps above the middle line of the treble staff."""
        return 7 * self.octave + "CDEFGAB".index(self.step) - MIDDLE_LINE


class Bar(NamedTuple):
    """One bar: its events and whether a repeat starts or ends here."""

    repeat_start: bool
    repeat_end: bool
    events: list[Event]


class Note(NamedTuple):
    """One sounding note, ties joined: onset and length in ticks, MIDI pitch, bar and place of its head."""

    onset: int
    length: int
    pitch: int
    height: int
    bar: int
    event: int


class Tune(NamedTuple):
    """A tune as plain notes. `fifths`: sharps (> 0) or flats (< 0) of the key signature.

    `lower`: the bars of the voices below the melody, from high to low; a folk tune has none.
    """

    id: str
    title: str
    fifths: int
    meter: tuple[int, int]
    bars: list[Bar]
    lower: tuple[list[Bar], ...] = ()

    @property
    def voices(self) -> list[list[Bar]]:
        """The bars of every voice, the melody first."""
        return [self.bars, *self.lower]

    def notes(self) -> list[Note]:
        """The sounding notes of the melody in order, each of which can make a pair."""
        return notes_of(self.bars)

    def sounding(self) -> list[Note]:
        """The sounding notes of all voices, by onset."""
        return sorted(note for voice in self.voices for note in notes_of(voice)) if self.lower else self.notes()


def notes_of(bars: list[Bar]) -> list[Note]:
    """The sounding notes of a voice in order; repeats are drawn, not played, so audio follows the page."""
    found: list[Note] = []
    time = 0
    for b, bar in enumerate(bars):
        for e, event in enumerate(bar.events):
            if event.tied:
                found[-1] = found[-1]._replace(length=found[-1].length + event.length)
            elif event.step:
                found.append(Note(time, event.length, event.pitch, event.height, b, e))
            time += event.length
    return found


def corpus() -> Path:
    """The folder of music21's corpus, found without importing music21 (0.3 s)."""
    spec = importlib.util.find_spec("music21")
    return Path(spec.origin).parent / "corpus"


def sources() -> list[Source]:
    """Every tune of the three collections, in the order of the files (4,248 of them)."""
    found = []
    for collection in COLLECTIONS:
        for file in sorted((corpus() / collection).glob("*.abc")):
            text = file.read_bytes().decode("latin-1").replace("\r\n", "\n")
            pieces = re.split(r"(?m)^(?=X:)", text)[1:]
            found += [Source(f"{collection}/{file.stem}/{i + 1}", clean(abc)) for i, abc in enumerate(pieces)]
    return found


def clean(abc: str) -> str:
    """ABC without the leftovers of mail encoding in Ryan's Mammoth: `=3D`, `=20`, and `=` at the ends of lines."""
    return re.sub(r"(?m)=?[ \t]*$", "", abc.replace("=3D", "=").replace("=20", " ")) + "\n"


def parse(source: Source) -> Tune:
    """The tune of one ABC source. Raises NotPlain, saying why, for a tune that is left out."""
    from xmlib.data.audio_score import read_abc  # which imports music21

    score = read_abc.score(source.score)
    found = list(score.recurse().getElementsByClass(("Voice", "TimeSignature", "KeySignature")))
    meters, keys = ([item for item in found if kind in item.classes] for kind in ("TimeSignature", "KeySignature"))
    if len(score.parts) != 1 or any("Voice" in item.classes for item in found):
        raise NotPlain("several voices")
    if len(meters) != 1 or len(keys) != 1:
        raise NotPlain("not one time signature and one key")
    measures = list(score.parts[0].getElementsByClass("Measure"))
    bars = [bar_of(*beamed) for beamed in zip(measures, read_abc.beams(measures, meters[0]), strict=True)]
    bars = join_ties([bar for bar in bars if bar.events])
    title = str(score.metadata.title or "untitled") if score.metadata else "untitled"
    tune = Tune(source.id, title.strip(), int(keys[0].sharps), (meters[0].numerator, meters[0].denominator), bars)
    notes = tune.notes()
    if len(notes) < FEWEST_NOTES:
        raise NotPlain(f"fewer than {FEWEST_NOTES} notes")
    if max(abs(note.height) for note in notes) > HIGHEST:
        raise NotPlain("notes beyond the picture's height")
    return tune


def bar_of(measure: Any, beams: list[str]) -> Bar:
    """The bar that music21's measure stands for. `beams`: as from `read_abc.beams`. Raises NotPlain."""
    items = zip(measure.notesAndRests, beams, strict=True)
    events = [_event(item, beam) for item, beam in items if item.duration.quarterLength > 0]
    left, right = (getattr(line, "direction", "") for line in (measure.leftBarline, measure.rightBarline))
    return Bar(left == "start", right == "end", events)


def _event(item: Any, beam: str) -> Event:
    if item.isChord:
        raise NotPlain("chords")
    duration = item.duration
    length = duration.quarterLength * TICKS
    if duration.type not in KINDS or length != int(length) or len(duration.tuplets) > 1:
        raise NotPlain(f"a note of length {duration.quarterLength} quarters")
    tuplet = None
    if duration.tuplets:
        group = duration.tuplets[0]
        tuplet = (group.numberNotesActual, group.numberNotesNormal, int(group.totalTupletLength() * TICKS))
    if item.isRest:
        return Event("", 0, 0, int(length), KINDS[duration.type], duration.dots, tuplet, "", False)
    tied = item.tie is not None and item.tie.type in ("continue", "stop")
    spelling = item.pitch.step, item.pitch.octave, int(item.pitch.alter)
    return Event(*spelling, int(length), KINDS[duration.type], duration.dots, tuplet, beam, tied)


def join_ties(bars: list[Bar]) -> list[Bar]:
    """The same bars; a tie that does not join two equal pitches is undone."""
    before = None
    joined = []
    for bar in bars:
        events = []
        for event in bar.events:
            holds = event.tied and before is not None and before[:3] == event[:3]
            events.append(event._replace(tied=holds))
            before = event
        joined.append(bar._replace(events=events))
    return joined


def from_json(stored: list[Any]) -> Tune:
    """The tune that json wrote as nested lists."""
    id, title, fifths, meter, bars, *lower = stored
    below = tuple(_bars_from_json(voice) for voices in lower for voice in voices)
    return Tune(id, title, fifths, (meter[0], meter[1]), _bars_from_json(bars), below)


def _bars_from_json(bars: list[Any]) -> list[Bar]:
    return [Bar(start, end, [_event_from_json(row) for row in rows]) for start, end, rows in bars]


def _event_from_json(row: list[Any]) -> Event:
    event = Event(*row)
    return event._replace(tuplet=(*event.tuplet,) if event.tuplet else None)


def typical_length(notes: list[Note]) -> int:
    """The commonest time from one onset to the next, in ticks (the shorter one in a tie)."""
    gaps = Counter(b.onset - a.onset for a, b in pairwise(notes))
    return min(gaps, key=lambda gap: (-gaps[gap], gap))
