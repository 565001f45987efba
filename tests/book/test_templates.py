"""Sentences with numbers: values and their digits."""

import pytest
from jinja2 import UndefinedError

from book.make import templates


def test_a_value_that_a_template_lacks_is_refused():
    with pytest.raises(UndefinedError, match="measured"):
        templates.fill("theory/noise.md", n=100, d=32, expected=0.5)


def test_numbers_take_their_digits_from_filters():
    written = templates.fill("theory/noise.md", n=100, d=32, expected=0.56789, measured=-0.5)
    assert written == (
        "For n = 100 and d = 32 that is 0.568. Independent noise, drawn again and again, measured −0.500.\n"
    )
    assert [templates.percent(0.1234), templates.percent(0.1234, 1)] == ["12 %", "12.3 %"]
    assert [templates.thousands(12345.0), templates.short(0.50), templates.short(1.0)] == ["12,345", "0.5", "1"]
