"""Builds the audio–score pairs into the cache.

Three kinds of files under data/audio_score, each in a folder named by a hash of what decides its content: parsed
tunes (JSON), pieces (picture and spectrogram of one tune, compressed), and the finished pairs. A build that was
stopped goes on where it was.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xmlib.data import cache, engrave, folk_tunes, synthesize, workers
from xmlib.data.choose import Chosen, Difficulty, Size, choose, performance
from xmlib.data.folk_tunes import Source, Tune
from xmlib.data.pairs import ROW, content_digest, pair_ids


def build(
    folder: Path, home: Path, settings: dict[str, Any], size: Size, difficulty: Difficulty, seed: int, processes: int
) -> dict[str, Any]:
    """Build the pairs into `folder`, with the parsed tunes and pieces under `home`; returns the manifest."""
    tunes = Tunes(home / f"tunes-{cache.key(settings['tunes'])}", seed, processes)
    tunes.parse(int(1.3 * (size.train + size.valid + size.test) / size.per_tune))  # a guess; more follow if needed
    pieces = home / f"pieces-{cache.key([settings[part] for part in ('tunes', 'engraving', 'sound')])}"
    while True:  # a tune that cannot be rendered is left out of the next choice
        chosen = choose(size, seed, tunes, len(tunes.sources))
        plans = [_plan(item, difficulty, seed, pieces) for item in chosen]
        if not render_missing(plans, tunes, processes):
            break
    arrays, described = assemble(plans)
    digest = content_digest(pair_ids(arrays["rows"], described), *arrays.values())
    fills = {f"{name}.npy": partial(np.save, arr=array) for name, array in arrays.items()}
    manifest = {"digest": digest, "settings": settings, "tunes": described, "skipped": tunes.skipped}
    cache.publish(folder, fills, manifest)
    return cache.published(folder)


class Tunes:
    """The corpus in seeded order: `tunes(k)` is the k-th tune, parsed when needed and remembered on disk."""

    def __init__(self, folder: Path, seed: int, processes: int) -> None:
        sources = folk_tunes.sources()
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
        jobs = [[*s, str(self.file(s.id))] for s in wanted if cache.read_json(self.file(s.id)) is None]
        answers = workers.run(f"{__name__}:parse_job", jobs, "reading tunes", self.processes)
        problems = {job[0]: answer for job, answer in zip(jobs, answers, strict=True)}
        for source in wanted:
            stored = cache.read_json(self.file(source.id)) or {"skipped": problems.get(source.id)}
            if "skipped" in stored:
                self.skip(source.id, stored["skipped"])
            self.parsed.append(folk_tunes.from_json(stored["tune"]) if "tune" in stored else None)

    def skip(self, id: str, reason: str) -> None:
        """Leave a tune out; said on stderr unless it is by one of the plain rules of `folk_tunes.parse`."""
        self.skipped[id] = reason
        if not reason.startswith("NotPlain"):
            print(f"left out {id}: {reason}", file=sys.stderr)

    def __call__(self, k: int) -> Tune | None:
        if k >= len(self.parsed):
            self.parse(k + 32)
        tune = self.parsed[k]
        return None if tune is None or tune.id in self.skipped else tune


def parse_job(id: str, abc: str, target: str) -> None:
    """Parse one tune into a JSON file (run in a helper process)."""
    try:
        content: dict[str, Any] = {"tune": folk_tunes.parse(Source(id, abc))}
    except workers.FATAL:
        raise
    except Exception as error:  # whatever music21 raises on odd ABC: the tune is left out, and the file says why
        content = {"skipped": f"{type(error).__name__}: {error}"}
    cache.write_json(Path(target), content)


class Plan(NamedTuple):
    """One chosen tune, how it is played, and the file of its piece."""

    item: Chosen
    piece: Path
    instrument: int
    seconds_per_tick: float


def _plan(item: Chosen, difficulty: Difficulty, seed: int, pieces: Path) -> Plan:
    instrument, seconds_per_tick = performance(item.tune, item.split, difficulty, seed)
    name = f"{item.tune.id}-{instrument}-{seconds_per_tick * folk_tunes.TICKS:.6f}.npz"
    return Plan(item, pieces / name, instrument, seconds_per_tick)


def render_missing(plans: list[Plan], tunes: Tunes, processes: int) -> bool:
    """Render the pieces that are not there; true if some could not be, which `tunes` now leaves out."""
    waiting = [plan for plan in plans if read_piece(plan.piece) is None]
    jobs = [[str(tunes.file(p.item.tune.id)), str(p.piece), p.instrument, p.seconds_per_tick] for p in waiting]
    problems = workers.run(f"{__name__}:render_job", jobs, "engraving and playing", processes)
    for plan, problem in zip(waiting, problems, strict=True):
        if problem:
            tunes.skip(plan.item.tune.id, problem)
    return any(problems)


def render_job(tune_file: str, target: str, instrument: int, seconds_per_tick: float) -> None:
    """Engrave and play one tune into a .npz file (run in a helper process)."""
    tune = folk_tunes.from_json(cache.read_json(Path(tune_file))["tune"])
    strip, columns = engrave.strip(tune)
    frames = synthesize.spectrogram(tune.notes(), instrument, seconds_per_tick)
    cache.write(Path(target), lambda file: np.savez_compressed(file, strip=strip, columns=columns, frames=frames))


def read_piece(path: Path) -> dict[str, np.ndarray] | None:
    """Picture, columns and spectrogram of one tune; None where the file is missing or damaged."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in ("strip", "columns", "frames")}
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError):
        print(f"rebuilding {path}: it is damaged", file=sys.stderr)
        return None


def assemble(plans: list[Plan]) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """The arrays `rows`, `strips` (all pictures end to end) and `frames` (all spectrograms), and a row per tune."""
    rows, strips, frames, tunes = [], [], [], []
    width = length = 0
    for number, plan in enumerate(plans):
        piece, tune = read_piece(plan.piece), plan.item.tune
        rows += _rows(number, plan, width + piece["columns"], length)
        strips.append(piece["strip"])
        frames.append(piece["frames"])
        tunes.append({
            "id": tune.id, "title": tune.title, "split": plan.item.split, "group": plan.item.group,
            "instrument": plan.instrument,
            "quarters_per_minute": round(60 / (plan.seconds_per_tick * folk_tunes.TICKS), 3),
            "strip": [width, width := width + len(strips[-1])],
            "frames": [length, length := length + len(frames[-1])],
        })  # fmt: skip
    return {"rows": np.array(rows, ROW), "strips": np.concatenate(strips), "frames": np.concatenate(frames)}, tunes


def _rows(number: int, plan: Plan, columns: np.ndarray, first_frame: int) -> list[tuple]:
    """One tune's pairs, as ROW."""
    notes, rows = plan.item.tune.notes(), []
    for i in plan.item.notes:
        onset = notes[i].onset * plan.seconds_per_tick
        frame = synthesize.onset_frame(onset)
        onset_column = synthesize.EXCERPT // 2 + onset * synthesize.FRAMES_PER_SECOND - frame
        rows.append((number, i, plan.item.group, notes[i].pitch, notes[i].height, onset, onset_column,
                     columns[i] - engrave.WIDTH // 2, first_frame + frame))  # fmt: skip
    return rows
