"""Sentences with numbers: values and their digits."""

import re

import pytest
from jinja2 import UndefinedError

from book.make import markdown, templates
from book.show import units


def test_a_value_that_a_template_lacks_is_refused():
    with pytest.raises(UndefinedError, match="measured"):
        templates.fill("theory/noise.md", n=100, d=32, expected=0.5)


def test_numbers_take_their_digits_from_filters():
    written = templates.fill("theory/noise.md", n=100, d=32, expected=0.56789, measured=-0.5)
    assert written == ("For n = 100 and d = 32 that is 0.568. Draws of independent noise gave −0.500.\n")
    assert [markdown.percent(0.1234), markdown.percent(0.1234, 1)] == ["12 %", "12.3 %"]
    assert [markdown.thousands(12345.0), markdown.short(0.50), markdown.short(1.0)] == ["12,345", "0.5", "1"]


def test_the_columns_of_a_table_stand_left_and_then_right():
    head = templates.fill("theory/coverage.md", rows=[], tables=1, points=1).splitlines()[:2]
    assert head == [
        "| Made-up scores | Seeds | Groups | Holds the truth | Over seeds alone |",
        "| :-- | --: | --: | --: | --: |",
    ]


def test_what_has_no_value_is_an_empty_cell_and_what_is_exact_has_no_interval():
    assert [units.number(None), markdown.thousands(None)] == ["", ""]
    assert units.with_interval(0.5, None) == "0.500"
    assert units.with_interval(-0.5, (-0.6, 0.4)) == "−0.500 [−0.600, 0.400]"


def test_lines_of_a_paragraph_become_one_and_nothing_stays_nothing():
    assert markdown.one_line("One.\n\n  Two.\n") == "One. Two.\n"
    assert markdown.one_line("\n \n") == ""


def test_tables_and_figures_begin_by_the_macros_of_pieces_alone():
    sources = [*templates.FOLDER.rglob("*.md"), *templates.FOLDER.parent.rglob("*.py")]
    begun = {path.name for path in sources if re.search(r"\{figure\}|-:", path.read_text(encoding="utf-8"))}
    assert begun == {"pieces.md"}
