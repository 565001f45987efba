"""The parameters of a notebook as its own cell declares them. The cell is read and never run."""

import ast
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xmlib.errors import InputError

TYPES = {"bool": bool, "int": int, "float": float, "str": str}  # of a parameter that a record can hold


def declared(notebook: Path) -> dict[str, str]:
    """Name → annotated type of every parameter in the cell of an `.ipynb` that is tagged `parameters`."""
    return {ast.unparse(line.target): ast.unparse(line.annotation) for line in _lines(notebook)}


def defaults(notebook: Path) -> dict[str, Any]:
    """Name → value of every parameter as the cell has it."""
    return {ast.unparse(line.target): ast.literal_eval(line.value) for line in _lines(notebook) if line.value}


def _lines(notebook: Path) -> list[ast.AnnAssign]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = next(("".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])), "")
    return [line for line in ast.parse(tagged).body if isinstance(line, ast.AnnAssign)]


def check(notebook: Path, values: Mapping[str, Any]) -> None:
    """Raise `InputError` unless the notebook declares every one of the parameters, with a type that the value has.

    Papermill escapes texts and writes all else as it is, names too, into code that is then run.
    """
    known = declared(notebook)
    for name, value in values.items():
        if name not in known:
            raise InputError(f"{notebook.stem} has no parameter {name[:80]!r}; it has: {', '.join(known)}.")
        if not _fits(value, known[name]):
            kind = type(value).__name__
            raise InputError(f"The parameter {name} is {str(value)[:80]!r} of type {kind}; give a {known[name]}.")


def _fits(value: Any, kind: str) -> bool:
    if kind == "float":  # 1 is as good as 1.0
        return type(value) is int or type(value) is float and math.isfinite(value)
    if type(value) is str and value != value.encode("utf-8", "replace").decode():
        return False  # half a surrogate pair cannot be written into the notebook
    return kind in TYPES and type(value) is TYPES[kind]
