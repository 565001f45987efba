"""The page on what goes wrong says what the library says."""

import contextlib
import io
import re
import warnings

import numpy as np
import pytest

from xmlib import paths
from xmlib.data import Split, Splits, View
from xmlib.errors import DivergedError, InputError
from xmlib.profiles import Settings
from xmlib.runs import experiments

PAGE = (paths.ROOT / "book" / "when_it_goes_wrong.md").read_text()
NUMBER = r"\d+(?:\.\d+)?"
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)


def spoken(code: str, names: dict) -> str:
    """What the code prints, warns and raises."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            exec(code, names)
        except (InputError, DivergedError) as error:
            print(f"{type(error).__name__}: {error}")
    once = dict.fromkeys(f"{one.category.__name__}: {one.message}" for one in warned)
    return "\n".join([*once, printed.getvalue()]).strip()


def test_the_code_of_the_page_says_what_stands_below_it():
    names: dict = {}
    for code, expected in BLOCKS:
        said = spoken(code, names)
        assert re.sub(NUMBER, "#", said).split() == re.sub(NUMBER, "#", expected).split()  # the page breaks lines
        numbers, wanted = ([float(n) for n in re.findall(NUMBER, text)] for text in (said, expected))
        assert numbers == pytest.approx(wanted, rel=0.15), said
    assert sum(bool(expected) for _, expected in BLOCKS) > 10


def test_the_sentence_on_a_wide_embedding_is_the_one_that_notebooks_print():
    draw = np.random.default_rng(0)
    rows = (draw.normal(size=(400, 9)) @ draw.normal(size=(9, 29))).astype(np.float32)
    other = draw.normal(size=(400, 70)).astype(np.float32)
    views = [View(400, view.shape[1:], lambda i, view=view: view[i]) for view in (rows, other)]
    split = Split(views[0], views[1], [str(i) for i in range(400)], np.arange(400))
    with pytest.warns(UserWarning, match="is more than these pairs can fill") as warned:
        experiments.suited({}, Splits("own", "", 0, {}, "", split, split, split), Settings(d=64))
    assert str(warned[0].message) in " ".join(PAGE.split())
