"""The code on the page about where the numbers come from runs, and gives what the records say."""

import re

import pytest

from xmlib import evaluate, paths

PAGE = (paths.ROOT / "book" / "reproducibility.md").read_text(encoding="utf-8")


def test_the_lines_of_the_page_compute_the_mrr_of_a_record_from_its_ranks(monkeypatch):
    monkeypatch.chdir(paths.ROOT)
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    told = names["record"]["metrics"]["view1_to_view2"]["mrr"]
    assert names["reciprocal"].mean() == pytest.approx(told, rel=1e-12)
    assert names["reciprocal"] == pytest.approx(
        evaluate.recorded_reciprocal_ranks(names["record"], "view1_to_view2"), rel=1e-9
    )
