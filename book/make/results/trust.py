"""What the book shows of the tests that kill, starve and deceive: counts that `make test-faults` has left."""

import json
from pathlib import Path

from book.make.results.tables import filled
from xmlib import paths
from xmlib.errors import InputError

FILE = paths.RECORDS / "faults.json"
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


def fragments(counts: dict | None) -> dict[str, str]:
    """File name → Markdown: what was done and how it ended."""
    return {"trust.md": filled("trust", told, counts)}


def told(counts: dict | None) -> dict:
    """What fills the template."""
    return {"counts": counts}
