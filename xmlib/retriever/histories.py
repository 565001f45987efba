"""Training histories from wherever one is kept: a record, a checkpoint, the folder of a model."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xmlib import fit
from xmlib.errors import InputError
from xmlib.retriever import folder as folders
from xmlib.retriever.retriever import KIND

History = list[dict[str, Any]]


def read(file: Path | str) -> History:
    """The rows of a training, one an epoch; raises `InputError` where there are none."""
    path = Path(file).expanduser()
    if path.is_dir():
        whole = json.loads((folders.checked(path, KIND) / "settings.json").read_text("utf-8"))["about"]
    elif not path.is_file():
        raise InputError(f"{file} is not there: give a record, a checkpoint, or the folder of a model.")
    else:
        whole = fit.load_checkpoint(path, "cpu") if path.suffix == ".pt" else _of_json(path)
    rows = whole.get("history") if isinstance(whole, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and "epoch" in row for row in rows):
        raise InputError(f"{file} has no history of a training: give a record, a checkpoint, or the folder of a model.")
    return rows


def _of_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, OSError, RecursionError):
        return None


def several(files: Sequence[Path | str]) -> dict[str, History]:
    """The histories of several runs by what tells their files apart: the names, with folders where these are equal."""
    parts = [Path(file).expanduser().absolute().parts for file in files]
    if len(set(parts)) < len(parts):
        raise InputError("A run is given twice: give each of them once.")
    depth = 1
    while len({part[-depth:] for part in parts}) < len(parts):
        depth += 1
    return {"/".join(part[-depth:]): read(file) for part, file in zip(parts, files, strict=True)}


def values(history: History, key: str, name: str) -> tuple[list[int], list[float]]:
    """Epochs and values of a key; where it is no number there is NaN. Raises `InputError` where it never is one."""
    found = [_number(row.get(key)) for row in history]
    if all(math.isnan(value) for value in found):
        known = sorted({one for row in history for one, value in row.items() if not math.isnan(_number(value))})
        raise InputError(f"{name} has no {key!r} in its history; it has: {', '.join(known)}.")
    return [row["epoch"] for row in history], found


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
