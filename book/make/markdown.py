"""Pieces of Markdown: tables, figures, numbers."""

from collections.abc import Iterable, Sequence

from xmlib.scoring.intervals import Interval


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()) -> str:
    """A Markdown table; the columns named in `right` are aligned to the right. Cells are used as they are."""
    right = set(right)
    marks = ["--:" if name in right else ":--" for name in header]
    return "".join(f"| {' | '.join(row)} |\n" for row in [header, marks, *rows])


def figure(name: str, alt: str, caption: str) -> str:
    """A figure of book/_generated with its label, `fig-` and the name."""
    return f"```{{figure}} _generated/{name}.svg\n:name: fig-{name}\n:alt: {alt}\n:width: 100%\n\n{caption}\n```\n"


def escape(text: object) -> str:
    """Markdown that shows exactly these characters, on one line, in or out of a table."""
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_{}[]$|~^":
        line = line.replace(mark, "\\" + mark)
    return line


def number(value: float, digits: int = 3, signed: bool = False) -> str:
    """`0.583`, with a minus sign rather than a hyphen; with `signed`, a plus sign too."""
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def with_interval(value: float, interval: Interval, signed: bool = False) -> str:
    """`0.583 [0.566, 0.600]`."""
    low, high = (number(end, signed=signed) for end in interval)
    return f"{number(value, signed=signed)} [{low}, {high}]"
