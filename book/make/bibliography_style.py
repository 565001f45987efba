"""A style of the bibliography whose entries begin as people cite them: `Andrew et al., 2013`. A Sphinx extension."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as Plain
from pybtex.style.labels import BaseLabelStyle


class AuthorYear(BaseLabelStyle):
    """Labels of authors and year; a letter tells apart those that would be alike."""

    def format_labels(self, entries: Iterable[Entry]) -> Iterator[str]:
        labels = [label(entry) for entry in entries]
        counts, seen = Counter(labels), Counter[str]()
        for own in labels:
            seen[own] += 1
            yield own + (chr(ord("a") + seen[own] - 1) if counts[own] > 1 else "")


class AuthorYearStyle(Plain):
    """As `plain`, with such labels."""

    default_label_style = AuthorYear


def label(entry: Entry) -> str:
    """`Hotelling, 1936`, `Thomas and Kovashka, 2020`, `van den Oord et al., 2018`."""
    people = entry.persons.get("author") or entry.persons["editor"]
    names = [
        " ".join(part.render_as("text") for part in (*one.rich_prelast_names, *one.rich_last_names)) for one in people
    ]
    who = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    return f"{who}, {entry.fields['year']}"


def setup(app: Any) -> dict[str, bool]:
    """Make the style known by its name."""
    register_plugin("pybtex.style.formatting", "author_year", AuthorYearStyle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
