"""Tables of bad inputs: what is done, and words of the one sentence that it must end in."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from xmlib.errors import InputError


class Bad(NamedTuple):
    """A bad input: its `name`, what is done with it (in an empty folder, if it takes one), and what must be said."""

    name: str
    do: Callable
    says: str


def stops(do: Callable, says: str, folder: Path) -> None:
    """Assert that `do` ends in an InputError whose message is one line, ends as a sentence does, and has the words."""
    with pytest.raises(InputError) as caught:
        do(folder) if inspect.signature(do).parameters else do()
    message = str(caught.value)
    assert re.search(says, message), message
    assert "\n" not in message
    assert message.rstrip()[-1] in ".…'):", message


def everywhere() -> dict[str, int]:
    """How many rows the tables of each door hold."""
    folder, counts = Path(__file__).parent / "doors", {}
    sys.path.append(str(folder))
    for path in sorted(folder.glob("test_bad_*.py")):
        tables = [table for table in vars(importlib.import_module(path.stem)).values() if isinstance(table, list)]
        names = [row.name for table in tables if table and isinstance(table[0], Bad) for row in table]
        assert len(names) == len(set(names))
        counts[path.stem.removeprefix("test_bad_").replace("_", " ")] = len(names)
    return counts


def named(table: list[Bad]) -> list:
    """The rows as parameters of a test, each under its name."""
    assert len({row.name for row in table}) == len(table)
    return [pytest.param(row, id=row.name) for row in table]
