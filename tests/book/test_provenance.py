"""Tables and figures of the book say which records, which code and which numbers they come from."""

import posixpath
import re
from urllib.parse import unquote, urldefrag

import pytest
from bs4 import BeautifulSoup
from conftest import absent
from made_up import record

from book.make import provenance, sources
from book.make.results import tables
from book.make.results.runs import group
from xmlib import paths
from xmlib.runs import records

SITE = paths.ROOT / "_build" / "html"
PAGES = (
    "index", "what_stands", "comparison", "image_text", "neighborhoods_results", "speed", "hyperparameters", "trust",
    "beyond", "reproducibility", "audio_score", "emoji", "openclipart", "icons", "statistics", "losses", "methods",
    "neighborhoods",
)  # fmt: skip
NOTEBOOKS = ("audio_score-ccal_cont", "emoji-ccal_tno", "emoji-neighborhoods", "gradient_cca", "gradient_precision")
BY_HAND = re.compile(r"^\|[ :|-]+\|$", re.MULTILINE)  # of tables written in the page itself
HELD = re.compile(r"^% numbers in ", re.MULTILINE)  # above those of them whose numbers stand in code or records


def test_a_table_names_its_function_and_every_record_that_it_is_made_of():
    found = [record("ccal_cont", seed=seed) for seed in (1, 2)] + [record("ccal_tno")]
    source = sources.read(tables.filled("metrics", tables.metrics, group(found)))
    assert source.code == ["book/make/results/tables.py: metrics"]
    assert sorted(source.records) == sorted(map(records.file_name, found))


def test_the_seeds_of_what_was_run_are_one_group():
    source = sources.Source([], ["full/emoji-ccal_tno-seed1.json", "full/emoji-ccal_tno-seed2.json"])
    assert source.groups == {"full/emoji-ccal_tno": source.records}


def test_a_drawing_names_the_function_behind_a_partial_and_nothing_of_a_lambda():
    drawn = sources.in_svg(b"<svg/>\n", tables.metrics)
    assert sources.read(drawn.decode()).code == ["book/make/results/tables.py: metrics"]
    assert sources.in_svg(b"<svg/>\n", lambda: None) == b"<svg/>\n"


@pytest.fixture(scope="module")
def pages() -> dict[str, BeautifulSoup]:
    if not (SITE / "index.html").exists():
        absent("there is no site in _build/html (make book)")
    names = (*PAGES, *(f"results/{name}" for name in NOTEBOOKS))
    return {name: BeautifulSoup((SITE / f"{name}.html").read_text("utf-8"), "html.parser") for name in names}


@pytest.mark.site
@pytest.mark.parametrize("name", PAGES)
def test_every_table_and_figure_made_of_numbers_says_where_it_comes_from(pages, name):
    article = pages[name].find("article")
    text = (paths.ROOT / "book" / f"{name}.md").read_text("utf-8")
    of_words = len(BY_HAND.findall(text)) - len(HELD.findall(text))
    shown = article.find_all("table") + article.select("figure:has(img), figure.moving")
    assert len(article.select("details.provenance")) == len(shown) - of_words


@pytest.mark.site
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_table_and_figure_of_an_executed_notebook_says_where_it_comes_from(pages, name):
    page = pages[f"results/{name}"]
    outputs = [one for one in page.select("article .cell_output") if one.find(["img", "table"])]
    assert outputs
    for output in outputs:
        (told,) = output.select("details.provenance")
        assert re.search(r"Made by\s+notebooks/\w+\.py: the cell above", told.text)
        assert ("Records:" in told.text) == (not name.startswith("gradient"))
        assert output.find("img") or told.find("a", string="The numbers, as CSV")


def test_a_table_of_a_notebook_is_read_cell_by_cell():
    table = "<table><thead><tr><th></th><th>R@1</th></tr></thead><tr><th>a &amp; b</th><td> 0.5\n</td></tr></table>"
    assert provenance.rows_of(table) == [["", "R@1"], ["a & b", "0.5"]]


def test_an_output_of_a_notebook_names_the_records_of_its_method_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RECORDS", tmp_path)
    (tmp_path / "quick").mkdir()
    own = [
        f"quick/{name}-seed{seed}.json" for name in ("emoji-ccal_tno", "emoji-zero_shot-ccal_tno") for seed in (1, 2)
    ]
    for name in (*own, "quick/emoji-ccal_cont-seed1.json", "quick/icons-ccal_tno-seed1.json"):
        (tmp_path / name).touch()
    parameters = {"method": "ccal_tno", "dataset": "emoji", "profile": "quick"}
    source = provenance.of_notebook({"input_path": "notebooks/image_text.ipynb", "parameters": parameters})
    assert source.code == ["notebooks/image_text.py: the cell above"]
    assert source.records == own


@pytest.mark.site
def test_what_it_names_is_there(pages):
    runs = {tag["id"] for tag in BeautifulSoup((SITE / "all_runs.html").read_text("utf-8"), "html.parser")(id=True)}
    records_named = 0
    for name, page in pages.items():
        for told in page.select("details.provenance"):
            for link in told("a"):
                target, place = urldefrag(unquote(link["href"]))
                target = (
                    posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) if target else f"{name}.html"
                )
                assert (SITE / target).exists(), (name, target)
                assert target != "all_runs.html" or place in runs, (name, place)
                records_named += target == "all_runs.html"
            for place in told("code"):
                file = place.text.partition(": ")[0]
                assert (paths.ROOT / file).exists() or " " in file, (name, file)
    assert records_named > 100
