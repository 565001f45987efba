"""Markdown from templates: sentences and tables stand in the folder templates, and Python gives their values alone."""

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

from book.make.markdown import number, with_interval

FOLDER = Path(__file__).parent / "templates"


class Missing(StrictUndefined):
    """A value that a template names and nobody gave: an error as soon as it is used."""

    def __format__(self, spec: str) -> str:
        return str(self)  # which is refused; without this a filter would complain of its own format


def fill(name: str, /, **values: object) -> str:
    """The text of the template `name`, a path below `templates/`, with these values.

    Numbers are formatted by the filters `number`, `percent`, `thousands`, `short` and `with_interval`. A line with a
    tag `{% … %}` alone leaves nothing. Raises `jinja2.UndefinedError` for a value that the template names and nobody
    gave.
    """
    return _environment().get_template(name).render(values)


def asked(name: str) -> set[str]:
    """The names of the values that a template takes."""
    return meta.find_undeclared_variables(_environment().parse((FOLDER / name).read_text(encoding="utf-8")))


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "number": number,
        "percent": percent,
        "thousands": thousands,
        "short": short,
        "with_interval": with_interval,
    }
    return made


def percent(share: float, digits: int = 0) -> str:
    """`12 %` of 0.12."""
    return f"{100 * share:.{digits}f} %"


def thousands(count: float) -> str:
    """`12,345`, without decimals."""
    return f"{count:,.0f}"


def short(value: float) -> str:
    """As few digits as say it: `0.5`, `1`."""
    return f"{value:g}"
