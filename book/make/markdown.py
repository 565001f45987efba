"""How values are written in Markdown: digits, signs, and text that is to be shown as it is.

A value of None is an empty cell.
"""

from collections.abc import Iterable
from fractions import Fraction

from book.show.units import with_interval
from xmlib.scoring.intervals import Interval


def escape(text: object) -> str:
    """Markdown that shows exactly these characters, on one line, in or out of a table."""
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_{}[]$|~^":
        line = line.replace(mark, "\\" + mark)
    return line


def one_line(text: str) -> str:
    """A paragraph of its lines, with a line break at its end; nothing of nothing."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines) + "\n" if lines else ""


def gain(found: tuple[float, Interval]) -> str:
    """`+0.031 [+0.010, +0.052]`, of a difference and its interval."""
    return with_interval(*found, signed=True)


def percent(share: float, digits: int = 0) -> str:
    """`12 %` of 0.12."""
    return f"{100 * share:.{digits}f} %"


def thousands(count: float | None) -> str:
    """`12,345`, without decimals."""
    return "" if count is None else f"{count:,.0f}"


def short(value: float) -> str:
    """As few digits as say it: `0.5`, `1`."""
    return f"{value:g}"


def significant(value: float) -> str:
    """Three significant digits without an exponent: `0.0123`, `1.23`, `12300`."""
    return f"{float(f'{value:.3g}'):.10g}"


def amount(value: float, unit: str) -> str:
    """`6.2 ms`, `1.3 s`, `812 MiB`, with three significant digits."""
    if unit == "s" and value < 1:
        return f"{significant(1000 * value)} ms"
    return f"{significant(value)} {unit}"


def each(values: Iterable[object], text: str) -> list[str]:
    """The text with each value in the place of its `{}`: names of columns."""
    return [text.format(value) for value in values]


def fraction(value: float) -> str:
    """A small fraction: `1`, `1/3`."""
    return str(Fraction(value).limit_denominator(24))


def setting(value: object) -> str:
    """A setting as it is chosen: `200`, `0.5`, `1/3`, and `by method` for None."""
    if value is None:
        return "by method"
    if isinstance(value, float):
        return fraction(value) if 0.04 < value < 1 and round(value, 3) != value else short(value)
    return str(value)
