"""The chapters that derive: what they number is used, and what they name exists."""

import re

import pytest

from xmlib import paths

BOOK = paths.ROOT / "book"
CHAPTERS = ("cca", "trace_norm", "gradient", "polar")


def text(chapter: str) -> str:
    return (BOOK / f"{chapter}.md").read_text()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_numbered_equation_of_a_chapter_is_referred_to(chapter):
    everywhere = "".join(path.read_text() for path in [*BOOK.glob("*.md"), *paths.NOTEBOOKS.glob("*.py")])
    labels = re.findall(r"^\s*\$\$ \((\S+)\)$", text(chapter), re.MULTILINE)
    assert len(labels) > 5
    assert [label for label in labels if f"{{eq}}`{label}`" not in everywhere] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_of_a_chapter_has_a_solution(chapter):
    asked = re.findall(r"\{exercise\}.*\n:label: (\S+)", text(chapter))
    assert len(asked) >= 4
    assert asked == re.findall(r"\{solution\} (\S+)\n:class: dropdown", text(chapter))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_code_that_a_chapter_points_at_exists(chapter):
    source = {
        path: (paths.ROOT / path).read_text() for path in re.findall(r"`((?:xmlib|tests)/\S+?\.py)`", text(chapter))
    }
    assert source
    for name, path in re.findall(r"`(\w+)` in `((?:xmlib|tests)/\S+?\.py)`", text(chapter)):
        assert re.search(rf"^(?:def|class) {name}\b", source[path], re.MULTILINE), (name, path)
