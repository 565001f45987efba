"""What the book shows of the tests that kill, starve and deceive, and of other Pythons: what `make test-…` has left."""

import json
from pathlib import Path

from book.make.results.tables import filled
from xmlib import paths
from xmlib.errors import InputError

FILE = paths.RECORDS / "faults.json"
PYTHONS = paths.RECORDS / "pythons.json"
FORMAT = 1


def load(file: Path = FILE) -> dict | None:
    """The counts of the last run that kept them, None where none did; `InputError` for a file that holds none."""
    if not file.exists():
        return None
    again = "leave them again by `make test-faults ARGS=--keep-counts`"
    try:
        counts = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is broken JSON ({error}): {again}.") from None
    if not isinstance(counts, dict) or counts.get("format") != FORMAT:
        raise InputError(f"{file} holds no counts of faults: {again}.")
    return counts


def load_pythons(file: Path = PYTHONS) -> dict | None:
    """What the last `make test-pythons` found, None where none did; `InputError` for a file of something else."""
    if not file.exists():
        return None
    again = "leave it again by `make test-pythons`"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is broken JSON ({error}): {again}.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"{file} holds nothing of Pythons: {again}.")
    return found


def fragments(counts: dict | None, pythons: dict | None = None) -> dict[str, str]:
    """File name → Markdown: what was done and how it ended."""
    return {"trust.md": filled("trust", told, counts), "pythons.md": filled("pythons", told_of_pythons, pythons)}


def told(counts: dict | None) -> dict:
    """What fills the template of the counts."""
    return {"counts": counts}


def told_of_pythons(pythons: dict | None) -> dict:
    """What fills the template of the Pythons."""
    return {"found": pythons}
