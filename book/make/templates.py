"""Markdown from templates: sentences and tables stand in the folder templates, and Python gives their values alone."""

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

from book.make import markdown
from book.show import units

FOLDER = Path(__file__).parent / "templates"
FILTERS = (
    *(units.number, units.with_interval, markdown.gain, markdown.percent, markdown.thousands, markdown.short),
    *(markdown.fraction, markdown.setting, markdown.significant, markdown.amount, units.duration),
    *(markdown.escape, markdown.one_line, markdown.each),
)


class Missing(StrictUndefined):
    """A value that a template names and nobody gave: an error as soon as it is used."""

    def __format__(self, spec: str) -> str:
        return str(self)  # which is refused; without this a filter would complain of its own format


def fill(name: str, /, **values: object) -> str:
    """The text of the template `name`, a path below `templates/`, with these values.

    `FILTERS` write the values, and the macros of `templates/pieces.md` the heads of tables, the figures and what
    several pages say. A line with a tag `{% … %}` alone leaves nothing. Raises `jinja2.UndefinedError` for a value that
    the template names and nobody gave.
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
    made.filters |= {write.__name__: write for write in FILTERS}
    return made
