"""Tables of bad inputs: what is done, and words of the one sentence that it must end in."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from xmlib.errors import InputError

PATIENCE = 60  # seconds: a guard against what never ends, such as a pipe; nothing here takes one


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


def named(table: list[Bad]) -> list:
    """The rows as parameters of a test, each under its name."""
    assert len({row.name for row in table}) == len(table)
    return [pytest.param(row, id=row.name) for row in table]
