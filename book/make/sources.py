"""Where a table or a figure of the book comes from: comments in its file, shown below it by `book.make.site`."""

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from xmlib import paths
from xmlib.runs.records import file_name

MADE, RECORD = "made by", "record"
LINE = re.compile(rf"^(?:%|<!--) ({MADE}|{RECORD}) (\S.*?)(?: -->)?$", re.MULTILINE)
# By the module of the code, functions of their own first: where the numbers of no run are, and what makes them again.
OTHERS = {
    "book/make/results/advice.py": ("book/records/advice.json", "python -m book.make.trials"),
    "book/make/results/speed.py": ("benchmarks/records", "make bench ARGS=--keep"),
    "book/make/results/beyond.py": ("benchmarks/records/scaling.json", 'make bench ARGS="scaling --keep"'),
    "book/make/agreement.py": ("book/records/agreement.json", "python -m book.make.agreement"),
    "book/make/results/trust.py: told_of_pythons": ("book/records/pythons.json", "make test-pythons"),
    "book/make/results/trust.py": ("book/records/faults.json", "make test-faults ARGS=--keep-counts"),
    "book/make/results/licences.py": ("requirements.lock", "python -m book.make"),
    "book/make/theory": ("", "python -m book.make.theory.figures"),
    "notebooks": ("", "papermill {notebook} out.ipynb"),
    "": ("", "python -m book.make"),
}


class Source(NamedTuple):
    """The places of the code, `file: function`, and the files of the records, below book/records.

    `held`: of a table that is written by hand, where the code has its numbers.
    """

    code: list[str]
    records: list[str]
    held: str = ""

    @property
    def groups(self) -> dict[str, list[str]]:
        """What was run → its records, one a seed."""
        found: dict[str, list[str]] = {}
        for file in self.records:
            found.setdefault(re.sub(r"-seed\d+\.json$", "", file), []).append(file)
        return found

    @property
    def others(self) -> tuple[str, str]:
        """Where the numbers are that are of no run, empty for those that the code computes; what makes them again."""
        where, command = next(told for start, told in OTHERS.items() if self.code[0].startswith(start))
        return where, command.format(notebook=self.code[0].partition(":")[0].replace(".py", ".ipynb"))


def comments(make: Callable, *of: Any) -> str:
    """What makes something, and the records in what it is made of, as lines of Markdown that nobody sees."""
    return "".join(f"% {kind} {what}\n" for kind, what in _told(make, of)) + "\n"


def in_svg(drawn: bytes, make: Callable) -> bytes:
    """A drawing with what draws it, a function or a `partial` of one, as a comment at its end."""
    called = f"{MADE} {place(make)}"
    return drawn if "<lambda>" in called else drawn + f"<!-- {called} -->\n".encode()


def _told(make: Callable, of: Any) -> Iterator[tuple[str, str]]:
    yield MADE, place(make)
    for file in Counter(map(file_name, _records(of))):
        yield RECORD, file


def place(make: Callable) -> str:
    """`file: name` of a function of this repository."""
    function = make.func if isinstance(make, partial) else make
    return f"{Path(inspect.getfile(function)).relative_to(paths.ROOT)}: {function.__qualname__}"


def _records(value: Any) -> Iterator[dict]:
    """Every record in mappings, sequences and data classes, as deep as they go."""
    if isinstance(value, Mapping):
        if {"history", "metrics", "seed"} <= set(value):
            yield dict(value)
        else:
            yield from _records(list(value.values()))
    elif isinstance(value, list | tuple):
        numbers = isinstance(value, list) and value and isinstance(value[0], float | int)  # of a record, a million
        for one in () if numbers else value:
            yield from _records(one)
    elif is_dataclass(value):
        yield from _records(list(vars(value).values()))


def read(text: str) -> Source | None:
    """What the comments in a file say; None where there is none."""
    found = LINE.findall(text)
    code, records = ([what for own, what in found if own == kind] for kind in (MADE, RECORD))
    return Source(list(dict.fromkeys(code)), list(dict.fromkeys(records))) if code else None


def anchor(file: str) -> str:
    """The place of a record on the page of all runs."""
    return "run-" + file.removesuffix(".json").replace("/", "-")
