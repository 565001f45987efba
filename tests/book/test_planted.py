"""A script tag planted in what a page takes from outside is shown as text: in fragments, figures, notebooks, pages."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from made_up import record
from PIL import Image

from book.make.results import all_runs, image_text, pages, pages_image_text, report, tables
from book.make.write import draw
from book.show import summaries
from xmlib import paths
from xmlib.data import Pictures, Split, Splits

MARK = "<script id=planted>"  # no slash, so that a file can be called that
INLINE = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"} | {"OMP_NUM_THREADS": "1"}


def planted(value):
    """The value with the mark behind every text in it."""
    if isinstance(value, dict):
        return {key: planted(one) for key, one in value.items()}
    if isinstance(value, list):
        return [planted(one) for one in value]
    return value + MARK if isinstance(value, str) else value


def usual(dataset):
    more = {"notebook": "image_text", "corrections": {}, "settings": {"refinements": 0}} if dataset == "emoji" else {}
    return record("ccal_tno", dataset=dataset, profile="medium", **more)


def run_of(dataset):
    """A record with the mark in every text but those that are looked up in a table of ours."""
    found = usual(dataset)
    known = ("notebook", "dataset", "method", "profile", "stopped")
    free = {name: planted(value) for name, value in found.items() if name not in (*known, "metrics", "ranks", "ties")}
    own = {"packages": {MARK: MARK}, "parameters": {"dataset_file": MARK}}  # a variant with the mark is refused
    return found | {"machine": free["machine"], "data": free["data"]} | own  # as is a commit, and other names of ours


def pairs_of(n=60):
    """A data set whose texts, ids, classes and titles are the mark."""
    rows = np.arange(n)
    view = SimpleNamespace(shape=(3,))
    pictures = Pictures(np.zeros((n, 8, 8, 3), np.uint8), rows)
    split = Split(view, view, [f"{MARK}/{i}" for i in rows], rows // 3, np.array([MARK] * n), [MARK] * n)
    split.pictures, split.tunes = pictures, [{"title": MARK, "id": MARK}] * n
    return Splits(MARK, "toy", 1, {"style": MARK}, "", split, split, split)


def raw(fragments):
    """The names of what holds the tag as a tag."""
    texts = {name: str(content) for name, content in fragments.items()}  # of a drawing, its bytes
    return [name for name, text in texts.items() if "<script id=planted" in text.replace("\\", "")]


@pytest.mark.parametrize("dataset", ["audio_score", "emoji"])
def test_no_text_of_a_record_reaches_a_fragment_or_a_figure_as_a_tag(dataset):
    found = [usual(dataset), run_of(dataset), run_of(dataset) | {"variant": "other"}]
    made = {**all_runs.fragments(found), **image_text.fragments(found)}
    if dataset == "audio_score":
        made |= {**report.fragments(found, []), **report.pictures(found)}
    assert any("planted" in text for text in made.values() if isinstance(text, str))  # it was shown, as text
    assert raw(made) == []


@pytest.mark.parametrize("name", ["emoji", "openclipart", "icons"])
def test_no_text_of_a_pair_reaches_a_page_as_a_tag(name):
    splits = pairs_of()
    more = {"collections": ["lucide"]} if name == "icons" else {}
    ways = dict.fromkeys(pages_image_text.SPLITS, splits)
    made = pages_image_text._built(name, ways, np.arange(3), **more)
    made["drawn.svg"] = draw(lambda: pages_image_text.examples({"a": splits.train}, np.arange(pages_image_text.SHOWN)))
    assert "planted" in made[f"{name}_pictures.md"]
    assert raw(made) == []


def test_no_title_of_a_tune_reaches_a_page_as_a_tag(monkeypatch):
    monkeypatch.setattr(pages, "example_rows", lambda splits: [0, 1, 2, 3])
    splits = pairs_of()
    splits.train.rows = np.zeros(60, dtype=[("tune", int)])
    made = {"pairs.md": tables.filled("pairs", pages.pairs(splits))}
    assert "planted" in made["pairs.md"]
    assert raw(made) == []


def test_tables_that_notebooks_show_escape_texts():
    splits = pairs_of()
    assert raw({"by_class": summaries.by_class(splits.test, [record(dataset="emoji")]).to_html()}) == []


def drawings(folder):
    """Forty pictures whose names, ids and texts are the mark, in a table that is called that too."""
    lines = ["file,text,id"]
    for i in range(40):
        name = f"{MARK}{i}.png"
        shade = (5 * i, 255 - 5 * i, 128 * (i % 2))
        Image.new("RGB", (32, 32), shade).save(folder / name)
        lines.append(f"{name},a {'light' if i % 2 else 'dark'} {MARK} of shade {i // 4},{MARK}{i}")
    (folder / f"{MARK}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{MARK}.csv"


@pytest.mark.faults
def test_no_file_name_text_or_id_reaches_a_page_of_ones_own_pairs_as_a_tag(tmp_path, forks, record_property):
    work, pages_folder = tmp_path / "work", tmp_path / "pages"
    work.mkdir()
    pages_folder.mkdir()
    table = drawings(work)
    arguments = [
        "-p",
        "table",
        table,
        "-p",
        "key1",
        "file",
        "-p",
        "key2",
        "text",
        "-p",
        "method",
        "linear_nce",
        "-p",
        "minutes",
        "1",
    ]
    arguments += ["-y", json.dumps({"options": {"epochs": 2, "id_column": "id"}})]
    ended = forks.run(
        "-m", "papermill", "--no-progress-bar", paths.NOTEBOOKS / "your_pairs.ipynb", pages_folder / "own.ipynb",
        *arguments, cwd=work,
        env=INLINE | forks.kernels | {name: str(tmp_path) for name in ("XMLIB_RUNS", "XMLIB_DATA")},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    shown = [
        out for cell in nbformat.read(pages_folder / "own.ipynb", as_version=4).cells for out in cell.get("outputs", [])
    ]
    assert "planted" in json.dumps(shown)
    (pages_folder / "index.md").write_text(
        "# Planted\n\n```{toctree}\nown\n```\n\n" + "\n\n".join(
            text for text in (all_runs.fragments([run_of("emoji")]) | image_text.fragments([run_of("emoji")])).values()
            if isinstance(text, str) and "{figure}" not in text
        ), encoding="utf-8",
    )  # fmt: skip
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-C", "-D", "extensions=myst_nb"]
    command += ["-D", "nb_execution_mode=off", str(pages_folder), str(tmp_path / "site")]
    built = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert built.returncode == 0, built.stderr[-2000:]
    made = {file.name: file.read_text(encoding="utf-8") for file in (tmp_path / "site").rglob("*.html")}
    assert "planted" in made["own.html"]
    assert raw(made) == []
    record_property("hostile", 5)
