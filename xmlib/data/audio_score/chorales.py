"""Bach's chorales from the music21 corpus, as plain notes of four voices.

Many melodies were set several times, some in other keys: such chorales are relatives, as variants of a folk tune are,
because `choose` compares melodies by their intervals.
"""

from __future__ import annotations

import zipfile
from typing import Any

from xmlib.data.audio_score import folk_tunes
from xmlib.data.audio_score.folk_tunes import Bar, NotPlain, Source, Tune

VERSION = 1  # raise it when a chorale may come out differently
VOICES = 4


def sources() -> list[Source]:
    """Every MusicXML file of the collection, in the order of their names (408 of them)."""
    return [Source(f"bach/{file.stem}", str(file)) for file in sorted((folk_tunes.corpus() / "bach").glob("*.mxl"))]


def parse(source: Source) -> Tune:
    """The chorale of one file. Raises NotPlain, saying why, for one that is left out."""
    from music21 import converter

    score = converter.parseData(_music_xml(source.score), format="musicxml")
    if len(score.parts) != VOICES:
        raise NotPlain(f"{len(score.parts)} parts instead of {VOICES}")
    meters, keys = (list(score.recurse().getElementsByClass(kind)) for kind in ("TimeSignature", "KeySignature"))
    if len({meter.ratioString for meter in meters}) != 1 or len({key.sharps for key in keys}) != 1:
        raise NotPlain("not one time signature and one key")
    melody, *lower = (_voice(part) for part in score.parts)
    if len({tuple(sum(event.length for event in bar.events) for bar in voice) for voice in (melody, *lower)}) != 1:
        raise NotPlain("bars of unequal length in the voices")
    title = str(score.metadata.title or source.id) if score.metadata else source.id
    meter = (meters[0].numerator, meters[0].denominator)
    tune = Tune(source.id, title.removesuffix(".mxl"), int(keys[0].sharps), meter, melody, tuple(lower))
    if len(tune.notes()) < folk_tunes.FEWEST_NOTES:
        raise NotPlain(f"fewer than {folk_tunes.FEWEST_NOTES} notes")
    return tune


def _music_xml(file: str) -> str:
    """The score inside a compressed MusicXML file."""
    with zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name.endswith("xml") and not name.startswith("META-INF"))
        return archive.read(name).decode("utf-8")


def _voice(part: Any) -> list[Bar]:
    if part.recurse().getElementsByClass("Voice"):
        raise NotPlain("several voices in a part")
    from xmlib.data.audio_score.read_abc import longest_beam  # which imports music21

    measures = list(part.getElementsByClass("Measure"))
    beams = [[longest_beam(item) for item in measure.notesAndRests] for measure in measures]
    bars = [folk_tunes.bar_of(*both) for both in zip(measures, beams, strict=True)]
    return folk_tunes.join_ties(bars)
