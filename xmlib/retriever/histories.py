"""Training histories from wherever one is kept: a record, a checkpoint, the folder of a model."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xmlib import fit
from xmlib.errors import InputError
from xmlib.files import write_text
from xmlib.retriever import folder as folders
from xmlib.retriever.retriever import KIND

History = list[dict[str, Any]]
QUIET, EPOCHS = 60.0, 3  # a run has ended that wrote nothing for a minute and three of its longest epochs


def read(file: Path | str) -> History:
    """The rows of a training, one an epoch; raises `InputError` where there are none."""
    return _rows(_whole(file), file)


def _whole(file: Path | str) -> Any:
    path = Path(file).expanduser()
    if path.is_dir():
        return json.loads((folders.checked(path, KIND) / "settings.json").read_text("utf-8"))["about"]
    if not path.is_file():
        raise InputError(f"{file} is not there: give a record, a checkpoint, or the folder of a model.")
    return fit.load_checkpoint(path, "cpu") if path.suffix == ".pt" else _of_json(path)


def _rows(whole: Any, file: Path | str) -> History:
    rows = whole.get("history") if isinstance(whole, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and "epoch" in row for row in rows):
        raise InputError(f"{file} has no history of a training: give a record, a checkpoint, or the folder of a model.")
    return rows


def _of_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, OSError, RecursionError):
        return None


class Kept:
    """Writes the rows of trainings to FOLDER/METHOD.json as they come, each with those before; no FOLDER, no file."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.rows = folder, defaultdict(list)

    def __call__(self, method: str, row: dict[str, Any]) -> None:
        """One more row."""
        self.rows[method].append(row)
        self._write(method, "")

    def end(self, method: str, stopped: str) -> None:
        """Note why a training ended, by which `Followed` knows that it did."""
        if method in self.rows:
            self._write(method, stopped)

    def _write(self, method: str, stopped: str) -> None:
        if self.folder:
            content = {"method": method, "stopped": stopped, "history": self.rows[method]}
            write_text(self.folder.expanduser() / f"{method}.json", json.dumps(content, indent=1))


@dataclass
class Followed:
    """A run that may still train: `rows` are those of when it was last looked at, `written` is when they came."""

    file: Path
    rows: History = field(default_factory=list)
    written: float = 0.0
    stopped: bool = False

    def look(self) -> bool:
        """Whether there is something new, which is read; raises `InputError` for a file without a history."""
        path = self.file.expanduser()
        there = path / folders.MANIFEST if path.is_dir() else path
        written = there.stat().st_mtime if there.is_file() else math.nan
        if written == self.written:
            return False
        whole = _whole(self.file)
        self.rows, self.written = _rows(whole, self.file), written
        self.stopped = path.is_dir() or bool(whole.get("stopped"))
        return True

    def ended(self) -> bool:
        """Whether no more is to be expected: it says so itself, or has been quiet for so long."""
        longest = max(_number(row.get("seconds", 0)) for row in self.rows)
        return self.stopped or time.time() - self.written > QUIET + EPOCHS * longest


def several(files: Sequence[Path | str]) -> dict[str, History]:
    """The histories of several runs by the names of `names_of`."""
    return {name: read(file) for name, file in zip(names_of(files), files, strict=True)}


def names_of(files: Sequence[Path | str]) -> list[str]:
    """What tells several files apart: their names, with folders where these are equal."""
    parts = [Path(file).expanduser().absolute().parts for file in files]
    if len(set(parts)) < len(parts):
        raise InputError("A run is given twice: give each of them once.")
    depth = 1
    while len({part[-depth:] for part in parts}) < len(parts):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def values(history: History, key: str, name: str) -> tuple[list[int], list[float]]:
    """Epochs and values of a key; where it is no number there is NaN. Raises `InputError` where it never is one."""
    found = [_number(row.get(key)) for row in history]
    if all(math.isnan(value) for value in found):
        known = sorted({one for row in history for one, value in row.items() if not math.isnan(_number(value))})
        raise InputError(f"{name} has no {key!r} in its history; it has: {', '.join(known)}.")
    return [row["epoch"] for row in history], found


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
