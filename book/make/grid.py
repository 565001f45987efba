"""What is run, as notebooks/grid.yml lists it."""

from functools import cache
from typing import Any

import yaml

from xmlib import paths


@cache
def rows() -> dict[str, dict[str, Any]]:
    """Name → row."""
    return yaml.safe_load((paths.NOTEBOOKS / "grid.yml").read_text(encoding="utf-8"))


def methods(name: str) -> list[str]:
    """The methods of a row, those trained on mirrored pictures last."""
    row = rows()[name]
    return row["methods"] + row.get("mirrored", [])


def images(profile: str) -> list[str]:
    """The data sets of pictures and words that are trained on in that profile."""
    return [
        name
        for name, row in rows().items()
        if row["notebook"] == "image_text" and "methods" in row and profile in row["seeds"]
    ]
