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


def test_a_page_without_counts_says_how_to_make_them(tmp_path):
    assert trust.load(tmp_path / "none.json") is None
    assert "make test-faults ARGS=--keep-counts" in trust.fragments(None)["trust.md"]


@pytest.mark.parametrize("content", ["{", "[]", json.dumps(COUNTS | {"format": 9})])
def test_counts_that_are_none_are_refused(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match="leave them again by `make test-faults"):
        trust.load(tmp_path / "x.json")
