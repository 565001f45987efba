"""The code on the page about the retriever runs from top to bottom, and does what the page says."""

import re

from xmlib import evaluate, paths

PAGE = (paths.ROOT / "book" / "retriever.md").read_text()


def test_the_page_runs_from_pairs_to_a_search_in_a_grid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("xmlib.paths.RUNS", tmp_path / "runs")
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    chance = evaluate.chance_metrics(297)["mrr"]
    assert names["model"].evaluate(names["left"][1500:], names["right"][1500:])["view1_to_view2"]["mrr"] > 5 * chance
    assert names["search"].score(names["left"][1500:], names["right"][1500:]) > 5 * chance
    assert len(names["ids"]) == len(names["scores"]) == 5
    assert "digit 1500" not in names["index"].ids
    assert (tmp_path / "digits-model" / "manifest.json").is_file()
