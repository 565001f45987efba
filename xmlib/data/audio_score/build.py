"""Builds the audio–score pairs into the cache.

Four kinds of files under data/audio_score, each in a folder named by a hash of what decides its content: parsed
tunes (JSON), pieces (picture and spectrogram of one tune, compressed), sounds (spectrogram of one further rendering of
a training tune), and the finished pairs. A build that was stopped goes on where it was.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xmlib import files
from xmlib.data import cache, workers
from xmlib.data.audio_score import CORPORA, DIFFICULTIES, engrave, folk_tunes, synthesize
from xmlib.data.audio_score.choose import Chosen, Difficulty, Size, choose, performance, renderings
from xmlib.data.audio_score.folk_tunes import Source, Tune
from xmlib.data.audio_score.pairs import ROW, SOUNDING, content_digest, pair_ids


def build(folder: Path, home: Path, settings: dict[str, Any], processes: int) -> dict[str, Any]:
    """Build the pairs into `folder`, with the parsed tunes, pieces and sounds under `home`; returns the manifest."""
    tunes, planned = begin(home, settings, processes)
    while True:  # a tune that cannot be rendered is left out of the next choice
        plans = planned()
        if not render_missing(plans, tunes, processes):
            break
    arrays, described = assemble(plans)
    digest = content_digest(pair_ids(arrays["rows"], described), *arrays.values())
    fills = {f"{name}.npy": partial(np.save, arr=array) for name, array in arrays.items()}
    manifest = {"digest": digest, "settings": settings, "tunes": described, "skipped": tunes.skipped}
    cache.publish(folder, fills, manifest)
    return cache.published(folder)


def begin(home: Path, settings: dict[str, Any], processes: int) -> tuple[Tunes, Callable[[], list[Plan]]]:
    """The parsed tunes, and what chooses among those that can be rendered and says where their pieces lie.

    `settings`: as `audio_score.settings` gives them.
    """
    size, seed, corpus = Size(**settings["size"]), settings["seed"], settings.get("corpus", "tunes")
    difficulty, count = DIFFICULTIES[settings["difficulty"]["name"]], settings.get("renderings", 1)
    tunes = Tunes(home / f"tunes-{cache.key(settings['tunes'])}", corpus, seed, processes)
    tunes.parse(int(1.3 * (size.train + size.valid + size.test) / size.per_tune))  # a guess; more follow if needed
    pieces = home / f"pieces-{cache.key([settings[part] for part in ('tunes', 'engraving', 'sound')])}"
    sounds = home / f"sounds-{cache.key([settings[part] for part in ('tunes', 'sound')])}"

    def planned() -> list[Plan]:
        chosen = choose(size, seed, tunes, len(tunes.sources), CORPORA[corpus].rule)
        return [_plan(item, difficulty, seed, pieces, sounds, count) for item in chosen]

    return tunes, planned


class Tunes:
    """The corpus in seeded order: `tunes(k)` is the k-th tune, parsed when needed and remembered on disk."""

    def __init__(self, folder: Path, corpus: str, seed: int, processes: int) -> None:
        sources = CORPORA[corpus].tunes.sources()
        self.corpus = corpus
        self.sources = [sources[i] for i in np.random.RandomState(seed).permutation(len(sources))]
        self.folder, self.processes = folder, processes
        self.parsed: list[Tune | None] = []
        self.skipped: dict[str, str] = {}

    def file(self, id: str) -> Path:
        """Where a parsed tune lies."""
        return self.folder / f"{id}.json"

    def parse(self, count: int) -> None:
        """Have the first `count` tunes parsed."""
        wanted = self.sources[len(self.parsed) : count]
        jobs = [[self.corpus, *s, str(self.file(s.id))] for s in wanted if cache.read_json(self.file(s.id)) is None]
        answers = workers.run(f"{__name__}:parse_job", jobs, "reading tunes", self.processes)
        problems = {job[1]: answer for job, answer in zip(jobs, answers, strict=True)}
        for source in wanted:
            stored = cache.read_json(self.file(source.id)) or {"skipped": problems.get(source.id)}
            if "skipped" in stored:
                self.skip(source.id, stored["skipped"])
            self.parsed.append(folk_tunes.from_json(stored["tune"]) if "tune" in stored else None)

    def skip(self, id: str, reason: str) -> None:
        """Leave a tune out; said on stderr unless it is by one of the plain rules of `parse`."""
        self.skipped[id] = reason
        if not reason.startswith("NotPlain"):
            print(f"left out {id}: {reason}", file=sys.stderr)

    def __call__(self, k: int) -> Tune | None:
        if k >= len(self.parsed):
            self.parse(k + 32)
        tune = self.parsed[k]
        return None if tune is None or tune.id in self.skipped else tune


def parse_job(corpus: str, id: str, score: str, target: str) -> None:
    """Parse one tune into a JSON file (run in a helper process)."""
    try:
        content: dict[str, Any] = {"tune": CORPORA[corpus].tunes.parse(Source(id, score))}
    except workers.FATAL:
        raise
    except Exception as error:  # whatever music21 raises on odd ABC: the tune is left out, and the file says why
        content = {"skipped": f"{type(error).__name__}: {error}"}
    cache.write_json(Path(target), content)


class Played(NamedTuple):
    """A rendering of a tune: the file it is in and how it is played."""

    file: Path
    instrument: int
    seconds_per_tick: float

    @property
    def described(self) -> dict[str, Any]:
        """What the manifest says of it."""
        tempo = round(60 / (self.seconds_per_tick * folk_tunes.TICKS), 3)
        return {"instrument": self.instrument, "quarters_per_minute": tempo}


class Plan(NamedTuple):
    """One chosen tune, its piece (picture and first rendering) and its further renderings, of training tunes alone."""

    item: Chosen
    piece: Played
    further: list[Played]


def _plan(item: Chosen, difficulty: Difficulty, seed: int, pieces: Path, sounds: Path, count: int) -> Plan:
    if item.split == "train":
        first, *further = renderings(item.tune, difficulty, seed, count)
    else:
        first, further = performance(item.tune, item.split, difficulty, seed), []
    return Plan(item, _played(item, pieces, *first), [_played(item, sounds, *other) for other in further])


def _played(item: Chosen, folder: Path, instrument: int, seconds_per_tick: float) -> Played:
    name = f"{item.tune.id}-{instrument}-{seconds_per_tick * folk_tunes.TICKS:.6f}.npz"
    return Played(folder / name, instrument, seconds_per_tick)


def render_missing(plans: list[Plan], tunes: Tunes, processes: int) -> bool:
    """Render the pieces and sounds that are not there; true if some could not be: `tunes` now leaves them out."""
    pieces = [(plan.item.tune.id, plan.piece) for plan in plans if read_piece(plan.piece.file) is None]
    sounds = [(plan.item.tune.id, other) for plan in plans for other in plan.further if read_sound(other.file) is None]
    problems = []
    for job, title, waiting in (("render", "engraving and playing", pieces), ("play", "playing again", sounds)):
        jobs = [[str(tunes.file(id)), str(p.file), p.instrument, p.seconds_per_tick] for id, p in waiting]
        problems += workers.run(f"{__name__}:{job}_job", jobs, title, processes)
    for (id, _), problem in zip(pieces + sounds, problems, strict=True):
        if problem:
            tunes.skip(id, problem)
    return any(problems)


def render_job(tune_file: str, target: str, instrument: int, seconds_per_tick: float) -> None:
    """Engrave and play one tune into a .npz file (run in a helper process)."""
    tune = folk_tunes.from_json(cache.read_json(Path(tune_file))["tune"])
    strip, columns = engrave.strip(tune)
    frames = synthesize.spectrogram(tune.sounding(), instrument, seconds_per_tick)
    files.write(Path(target), lambda file: np.savez_compressed(file, strip=strip, columns=columns, frames=frames))


def play_job(tune_file: str, target: str, instrument: int, seconds_per_tick: float) -> None:
    """Play one tune into a .npz file (run in a helper process)."""
    tune = folk_tunes.from_json(cache.read_json(Path(tune_file))["tune"])
    frames = synthesize.spectrogram(tune.sounding(), instrument, seconds_per_tick)
    files.write(Path(target), lambda file: np.savez_compressed(file, frames=frames))


def read_piece(path: Path) -> dict[str, np.ndarray] | None:
    """Picture, columns and spectrogram of one tune; None where the file is missing or damaged."""
    return _read(path, "strip", "columns", "frames")


def read_sound(path: Path) -> dict[str, np.ndarray] | None:
    """Spectrogram of a further rendering; None where the file is missing or damaged."""
    return _read(path, "frames")


def _read(path: Path, *names: str) -> dict[str, np.ndarray] | None:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, RuntimeError):
        print(f"rebuilding {path}: it is damaged", file=sys.stderr)
        return None


def assemble(plans: list[Plan]) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """The arrays `rows`, `strips` (all pictures end to end) and `frames` (all spectrograms), and a row per tune.

    Where there are further renderings, their spectrograms stand behind all others, and the array `sounding` says where.
    """
    rows, strips, frames, tunes = [], [], [], []
    width = length = 0
    for number, plan in enumerate(plans):
        piece, tune = read_piece(plan.piece.file), plan.item.tune
        rows += _rows(number, plan, width + piece["columns"], length)
        strips.append(piece["strip"])
        frames.append(piece["frames"])
        tunes.append({
            "id": tune.id, "title": tune.title, "split": plan.item.split, "group": plan.item.group,
            **plan.piece.described,
            "strip": [width, width := width + len(strips[-1])],
            "frames": [length, length := length + len(frames[-1])],
        })  # fmt: skip
    sounding = []
    for plan, described in zip(plans, tunes, strict=True):
        if plan.further:
            described["renderings"] = [{**plan.piece.described, "frames": described["frames"]}]
            for played in plan.further:
                frames.append(read_sound(played.file)["frames"])
                place = [length, length := length + len(frames[-1])]
                described["renderings"].append({**played.described, "frames": place})
            sounding += _sounding(plan, [played["frames"][0] for played in described["renderings"]])
    arrays = {"rows": np.array(rows, ROW), "strips": np.concatenate(strips), "frames": np.concatenate(frames)}
    return (arrays | {"sounding": np.array(sounding, SOUNDING)} if sounding else arrays), tunes


def _rows(number: int, plan: Plan, columns: np.ndarray, first_frame: int) -> list[tuple]:
    """One tune's pairs, as ROW."""
    notes, rows = plan.item.tune.notes(), []
    for i in plan.item.notes:
        onset, onset_column, frame = _heard(notes[i].onset * plan.piece.seconds_per_tick, first_frame)
        rows.append((number, i, plan.item.group, notes[i].pitch, notes[i].height, onset, onset_column,
                     columns[i] - engrave.WIDTH // 2, frame))  # fmt: skip
    return rows


def _sounding(plan: Plan, first_frames: list[int]) -> list[list[tuple]]:
    """One tune's pairs in each of its renderings, as SOUNDING."""
    notes, played = plan.item.tune.notes(), [plan.piece, *plan.further]
    places = list(zip(played, first_frames, strict=True))
    return [[_heard(notes[i].onset * p.seconds_per_tick, first) for p, first in places] for i in plan.item.notes]


def _heard(onset: float, first_frame: int) -> tuple[float, float, int]:
    """An onset in seconds, its column in the excerpt, and the excerpt's first frame."""
    frame = synthesize.onset_frame(onset)
    return onset, synthesize.EXCERPT // 2 + onset * synthesize.FRAMES_PER_SECOND - frame, first_frame + frame
