"""Tables and figures of the book say which records, which code and which numbers they come from."""

import re
from urllib.parse import unquote, urldefrag

import pytest
from bs4 import BeautifulSoup
from conftest import absent
from made_up import record

from book.make import sources
from book.make.results import tables
from book.make.results.runs import group
from xmlib import paths
from xmlib.runs import records

SITE = paths.ROOT / "_build" / "html"
PAGES = (
    "index", "what_stands", "comparison", "image_text", "neighborhoods_results", "speed", "hyperparameters", "trust",
    "beyond", "reproducibility", "audio_score", "emoji", "openclipart", "icons", "statistics", "losses",
)  # fmt: skip
BY_HAND = re.compile(r"^\|[ :|-]+\|$", re.MULTILINE)  # of tables of words, written in the page itself


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
    return {name: BeautifulSoup((SITE / f"{name}.html").read_text("utf-8"), "html.parser") for name in PAGES}


@pytest.mark.site
@pytest.mark.parametrize("name", PAGES)
def test_every_table_and_figure_made_of_numbers_says_where_it_comes_from(pages, name):
    article = pages[name].find("article")
    by_hand = BY_HAND.findall((paths.ROOT / "book" / f"{name}.md").read_text("utf-8"))
    shown = article.find_all("table") + [figure for figure in article.find_all("figure") if figure.find("img")]
    assert len(article.select("details.provenance")) == len(shown) - len(by_hand)


@pytest.mark.site
def test_what_it_names_is_there(pages):
    runs = {tag["id"] for tag in BeautifulSoup((SITE / "all_runs.html").read_text("utf-8"), "html.parser")(id=True)}
    records_named = 0
    for name, page in pages.items():
        for told in page.select("details.provenance"):
            for link in told("a"):
                target, place = urldefrag(unquote(link["href"]))
                assert (SITE / (target or f"{name}.html")).exists(), (name, target)
                assert target != "all_runs.html" or place in runs, (name, place)
                records_named += target == "all_runs.html"
            for place in told("code"):
                file = place.text.partition(": ")[0]
                assert (paths.ROOT / file).exists() or " " in file, (name, file)
    assert records_named > 100
