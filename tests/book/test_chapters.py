"""The pages of the book: what they number is used, and the code that they name or show exists."""

import ast
import functools
import re
from collections.abc import Iterator

import pytest

from xmlib import paths

BOOK = paths.ROOT / "book"
PAGES = sorted(path.stem for path in BOOK.glob("*.md"))


def text(chapter: str) -> str:
    return (BOOK / f"{chapter}.md").read_text()


def blocks(page: str) -> list[tuple[list[str], str, list[tuple[str, str]]]]:
    """What the title of each folded block names, its file, and the (path, object) of every piece of code in it."""
    found = re.findall(r"^:::\{dropdown\} Code: ([^\n]+), (\S+)\n(.*?)^:::$", text(page), re.MULTILINE | re.DOTALL)
    include = r"\{literalinclude\} (\S+)\n:pyobject: (\S+)\n:language: python\n(?::dedent:\n)?```"
    return [(re.findall(r"`([\w.]+)`", names), file, re.findall(include, body)) for names, file, body in found]


@functools.cache
def definitions(path: str) -> dict[str, int]:
    """Name → lines of each function, class and constant of a module, and what classes hold as `Class.name`."""
    return {name: node.end_lineno - node.lineno + 1 for name, node in named(ast.parse((paths.ROOT / path).read_text()))}


def named(parent: ast.Module | ast.ClassDef, before: str = "") -> Iterator[tuple[str, ast.stmt]]:
    for node in parent.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield before + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from named(node, f"{before}{node.name}.")
        targets = getattr(node, "targets", [getattr(node, "target", None)])  # of an assignment, with a type or without
        yield from ((before + target.id, node) for target in targets if isinstance(target, ast.Name))


def labels(page: str) -> list[str]:
    return re.findall(r"^\s*\$\$ \((\S+)\)$", text(page), re.MULTILINE)


def exercises(page: str) -> list[str]:
    return re.findall(r"\{exercise\}.*\n:label: (\S+)", text(page))


def test_enough_is_numbered_for_the_tests_of_it_to_mean_something():
    assert sum(len(labels(page)) for page in PAGES) > 60
    assert sum(len(exercises(page)) for page in PAGES) > 20


@pytest.mark.parametrize("page", PAGES)
def test_every_numbered_equation_of_a_page_is_referred_to(page):
    sources = [*BOOK.glob("*.md"), *(BOOK / "make" / "templates").rglob("*.md"), *paths.NOTEBOOKS.glob("*.py")]
    everywhere = "".join(path.read_text() for path in sources)
    assert [label for label in labels(page) if f"{{eq}}`{label}`" not in everywhere] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_exercise_of_a_page_has_a_solution(page):
    asked = exercises(page)
    assert asked == re.findall(r"\{solution\} (\S+)\n:class: dropdown", text(page))


@pytest.mark.parametrize("page", PAGES)
def test_the_code_that_a_page_points_at_exists(page):
    for path in re.findall(r"`((?:xmlib|tests|book)/\S+?\.py)`", text(page)):
        assert (paths.ROOT / path).is_file(), path
    for names, path in re.findall(r"((?:`[\w.]+`(?:,| and)? )+)in `((?:xmlib|tests|book)/\S+?\.py)`", text(page)):
        for name in re.findall(r"`([\w.]+)`", names):
            assert name in definitions(path), (name, path)


def test_enough_code_is_shown_for_the_tests_of_it_to_mean_something():
    assert sum(len(blocks(page)) for page in PAGES) > 40


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_code_that_exists_and_names_it_in_the_title(page):
    assert text(page).count("{literalinclude}") == sum(len(shown) for *_, shown in blocks(page))
    for names, file, shown in blocks(page):
        assert [name for _, name in shown] == names
        assert {(BOOK / path).resolve() for path, _ in shown} == {paths.ROOT / file}
        assert set(names) <= set(definitions(file)), (names, file)


@pytest.mark.parametrize("page", PAGES)
def test_code_that_a_page_shows_fits_a_screen(page):
    long = [name for names, file, _ in blocks(page) for name in names if definitions(file)[name] > 40]
    assert long == []
