"""The code on the page about the retriever runs from top to bottom, and does what the page says."""

import re
import shlex

import numpy as np
from sklearn.datasets import load_digits

from xmlib import evaluate, paths
from xmlib.commands import app

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


def test_the_commands_of_the_page_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("xmlib.paths.RUNS", tmp_path / "runs")
    images = load_digits().images
    np.save("left.npy", images[:, :, :4].reshape(-1, 32))
    np.save("right.npy", images[:, :, 4:].reshape(-1, 32))
    said = {}
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            capsys.readouterr()
            assert (program, app.main(arguments)) == ("xm", 0), line
            said[arguments[0]] = capsys.readouterr().out
    assert list(said) == ["train", "evaluate", "search", "embed", "index", "explore", "refit", "plot"]
    assert len(said["search"].splitlines()) == 6
    assert (tmp_path / "loss.svg").is_file()
