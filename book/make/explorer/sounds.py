"""The excerpts of audio–score pairs as small MP3 files, for listening: the tunes are played again, note for note."""

import functools
import string
import sys
from pathlib import Path
from typing import Any

import numpy as np

from xmlib import paths
from xmlib.data import Split, Splits, cache, workers
from xmlib.data.audio_score import INSTRUMENTS, folk_tunes, synthesize
from xmlib.data.audio_score.folk_tunes import Note
from xmlib.errors import InputError
from xmlib.files import write_bytes

VERSION = 1  # raise it when a file may come out differently
KBPS = 24  # of 22,050 Hz mono: about 6 kB an excerpt
PEAK = 0.8  # of the loudest moment of a tune
FADE = 0.005  # seconds at both ends, against clicks


def excerpts(splits: Splits, rows: list[int]) -> dict[int, Path]:
    """Row of the test split → MP3 file of its excerpt, in the cache of the data set; made where it is missing."""
    split, folder = splits.test, _folder(splits)
    files = {row: folder / f"{split.ids[row]}.mp3".replace("#", "-") for row in rows}
    waiting: dict[int, list[int]] = {}
    for row in rows:
        if not files[row].exists():
            waiting.setdefault(int(split.rows["tune"][row]), []).append(row)
    if waiting:
        _encoder()  # a package that is missing is said once, in a sentence
    jobs = [_job(splits, tune, [(float(split.rows["onset"][row]), str(files[row])) for row in those])
            for tune, those in waiting.items()]  # fmt: skip
    for job, problem in zip(jobs, workers.run(f"{__name__}:write_excerpts", jobs, "playing excerpts"), strict=True):
        if problem:
            print(f"no sound of {job[0]}: {problem}", file=sys.stderr)
    return {row: file for row, file in files.items() if file.exists()}


def _folder(splits: Splits) -> Path:
    """Beside the data sets: a build clears what others are writing in its own."""
    return paths.DATA / "excerpts" / f"{splits.name}-{cache.key([VERSION, KBPS, splits.settings])}"


def _job(splits: Splits, number: int, wanted: list[tuple[float, str]]) -> list[Any]:
    tune = splits.test.tunes[number]
    ticks_per_second = tune["quarters_per_minute"] * folk_tunes.TICKS / 60
    return [tune["id"], str(stored_tune(splits, tune["id"])), tune["instrument"], 1 / ticks_per_second, wanted]


def stored_tune(splits: Splits, id: str) -> Path:
    """Where the parsed tune lies that the pairs were made of."""
    return paths.DATA / splits.name / f"tunes-{cache.key(splits.settings['tunes'])}" / f"{id}.json"


@functools.lru_cache(maxsize=256)
def notes_of(id: str, file: Path) -> list[Note]:
    """The sounding notes of a tune: stored while the pairs were built, or read from the corpus again."""
    kept = cache.read_json(file)
    if kept and "tune" in kept:
        return folk_tunes.from_json(kept["tune"]).notes()
    return folk_tunes.parse(next(source for source in folk_tunes.sources() if source.id == id)).notes()


def write_excerpts(id: str, file: str, instrument: int, seconds_per_tick: float, wanted: list[list[Any]]) -> None:
    """Play one tune and write what sounds around each (onset in seconds, path) of it; run in a helper process."""
    timed = [(n.onset * seconds_per_tick, (n.onset + n.length) * seconds_per_tick, n.pitch)
             for n in notes_of(id, Path(file))]  # fmt: skip
    sound = synthesize.render(synthesize.midi(timed, instrument))
    sound *= PEAK / np.abs(sound).max()
    for onset, target in wanted:
        write_bytes(Path(target), mp3(cut(sound, onset)))


def cut(sound: np.ndarray, onset: float) -> np.ndarray:
    """The 42 frames around an onset in seconds, as samples (46,305,); silence where the tune has not begun."""
    per_frame = synthesize.RATE / synthesize.FRAMES_PER_SECOND
    first = synthesize.onset_frame(onset) - synthesize.EXCERPT // 2
    start, length = round((first - 0.5) * per_frame), round(synthesize.EXCERPT * per_frame)
    padded = np.pad(sound, (max(0, -start), max(0, start + length - len(sound))))
    excerpt = padded[max(0, start) :][:length]
    edge = np.minimum(np.arange(length), np.arange(length)[::-1]) / (FADE * synthesize.RATE)
    return excerpt * np.minimum(edge, 1)


def mp3(sound: np.ndarray) -> bytes:
    """A mono MP3 file of samples in [-1, 1] at 22,050 Hz; the same bytes for the same sound."""
    encoder = _encoder()
    encoder.set_bit_rate(KBPS)
    encoder.set_in_sample_rate(synthesize.RATE)
    encoder.set_channels(1)
    encoder.set_quality(2)  # the best but one
    return bytes(encoder.encode(np.round(sound * 32767).astype("<i2").tobytes()) + encoder.flush())


def _encoder() -> Any:
    try:
        import lameenc
    except ImportError:
        raise InputError("The package lameenc is needed for the sounds of the explorer; run: make setup.") from None
    encoder = lameenc.Encoder()
    encoder.silence()
    return encoder


def title(tune: dict[str, Any]) -> str:
    """The title of a tune for readers: capitals throughout, which some collections use, become small letters."""
    name = " ".join(tune["title"].replace(" -- ", " – ").rstrip(".").split())
    return string.capwords(name.lower()) if name.isupper() else name


def played(tune: dict[str, Any]) -> str:
    """The instrument of a tune and its tempo in quarter notes a minute: `dulcimer, ♩ = 65`."""
    return f"{INSTRUMENTS[tune['instrument']]}, ♩ = {tune['quarters_per_minute']:.0f}"


def note_name(pitch: int, height: int) -> str:
    """`F♯5` of a MIDI pitch that stands `height` scale steps above the middle line of the treble staff."""
    octave, step = divmod(height + folk_tunes.MIDDLE_LINE, 7)
    natural = 12 * (octave + 1) + list(folk_tunes.SEMITONES.values())[step]
    accidental = {-2: "𝄫", -1: "♭", 0: "", 1: "♯", 2: "𝄪"}[pitch - natural]
    return f"{'CDEFGAB'[step]}{accidental}{octave}"


def around(notes: list[Note], i: int, reach: int = 3) -> str:
    """The names of a note and its neighbours in order, `E5 D5 [C5] B4 A4`."""
    names = [note_name(n.pitch, n.height) for n in notes[max(0, i - reach) : i + reach + 1]]
    place = min(i, reach)
    names[place] = f"[{names[place]}]"
    return " ".join(names)


def of_pair(split: Split, row: int) -> tuple[dict[str, Any], int]:
    """The tune of a pair, and which of its sounding notes the pair belongs to, from 0."""
    return split.tunes[split.rows["tune"][row]], int(split.rows["note"][row])
