"""The counts of faults as the book shows them."""

import json

import pytest

from book.make.results import trust
from xmlib.errors import InputError

COUNTS = {"format": 1, "kills": 61, "faults": 15, "hostile": 2345, "failures": 0, "python": "3.11.7",
          "bad_inputs": {"commands": 70, "pairs": 180}}  # fmt: skip


def test_the_page_has_the_counts_and_their_sum():
    text = trust.fragments(COUNTS)["trust.md"]
    for part in (
        "61 kills",
        "15 other faults",
        "2,345 files",
        "Failures: 0.",
        "| pairs | 180 |",
        "| all of these | 250 |",
    ):
        assert part in text


def test_a_page_without_counts_says_how_to_make_them():
    assert "make test-faults ARGS=--keep-counts" in trust.fragments(None)["trust.md"]


@pytest.mark.parametrize("name", trust.MADE_BY)
def test_where_no_target_has_left_its_file_there_is_nothing(tmp_path, name):
    assert trust.load(tmp_path / name) is None


@pytest.mark.parametrize("name", trust.MADE_BY)
@pytest.mark.parametrize("content", ["{", "[]", json.dumps(COUNTS | {"format": 9})])
def test_a_file_of_something_else_is_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"make it again by `{trust.MADE_BY[name]}`"):
        trust.load(tmp_path / name)


def on(python, differences=0, largest=0.0):
    record = {"differences": differences, "largest": largest}
    return {"python": python, "torch": "2.0", "tests": "9 passed", "records": {"image_text": record}}


FOUND = {"format": 1, "machine": {"processor": "A", "system": "B", "threads": 1},
         "pythons": {"3.11": on("3.11.7"), "3.12": on("3.12.1", 7, 2e-7)}, "missing": ["3.13"]}  # fmt: skip


def test_the_page_names_each_python_its_differences_and_those_not_found():
    text = trust.fragments(None, FOUND)["pythons.md"]
    assert "| 3.11.7 | 2.0 | 0 | 9 passed |" in text
    assert "| 3.12.1 | 2.0 | 7, up to 2.0e-07 | 9 passed |" in text
    assert "Not tried there: Python 3.13." in text


def test_a_page_without_other_pythons_says_how_to_try_them():
    assert "`make test-pythons` leaves one" in trust.fragments(None)["pythons.md"]
