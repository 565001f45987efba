"""What the book shows of the tests that kill, starve and deceive, and of other Pythons: what `make test-…` has left."""

import json
from pathlib import Path

from book.make.results.tables import filled
from xmlib import paths
from xmlib.errors import InputError

FILE = paths.RECORDS / "faults.json"
PYTHONS = paths.RECORDS / "pythons.json"
MADE_BY = {FILE.name: "make test-faults ARGS=--keep-counts", PYTHONS.name: "make test-pythons"}
FORMAT = 1


def load(file: Path) -> dict | None:
    """What a target of `MADE_BY` left in its file, None where it left none; `InputError` for something else there."""
    if not file.exists():
        return None
    again = f"make it again by `{MADE_BY[file.name]}`"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is broken JSON ({error}): {again}.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"{file} is not of the format {FORMAT}: {again}.")
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
