"""The book as a PDF, printed from the built site as `make pdf` does."""

import io
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlparse

import pytest
from bs4 import BeautifulSoup
from conftest import absent
from pypdf import PdfReader

from book.make import joined, pdf
from xmlib.errors import InputError

NAMES = [name for _, part in joined.chapters() for name in part]
PIXELS = 96  # of CSS, an inch
WORDS = 6.5  # points: what the letters of a figure have on paper, or more
EIGHT_POINTS, DOTS = 8, 110  # the smallest letters of notebooks' figures, and dots an inch there

# Of every image its file and width, and of everything that is printed what lies beyond its page or its box.
MEASURE = """() => {
  const room = document.querySelector('main').getBoundingClientRect();
  const name = e => [e.closest('article').id, e.tagName, e.className, e.textContent.slice(0, 60)].join(' ');
  const wide = [...document.querySelectorAll('article *')].filter(e => e.checkVisibility()).filter(e => {
    const box = e.getBoundingClientRect();
    return box.width > 1 && (box.right > room.right + 1 || box.left < room.left - 1);
  });
  const cut = [...document.querySelectorAll('article *')].filter(e =>
    e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 && getComputedStyle(e).overflowX !== 'visible');
  const images = [...document.querySelectorAll('article img')].map(i => [i.src, i.clientWidth, i.naturalWidth]);
  const dead = [...document.querySelectorAll('button, input, select, summary, nav.bd-links')];
  const titles = [...document.querySelectorAll('h1')].map(e => e.textContent);
  return {wide: wide.map(name), cut: cut.map(name), dead: dead.map(name), images, titles, room: room.width,
          text: document.querySelector('main').textContent,
          ground: getComputedStyle(document.body).backgroundColor};
}"""


class Printed(NamedTuple):
    reader: PdfReader
    laid: dict  # what MEASURE found


@pytest.fixture(scope="module")
def book(chromium: str) -> Printed:
    if not (pdf.SITE / "index.html").exists():
        absent("there is no site in _build/html (make book)")
    with pdf.laid_out(pdf.SITE, chromium) as page:
        laid = page.evaluate(MEASURE)
        return Printed(PdfReader(io.BytesIO(pdf.printed(page))), laid)


def letters(text: str) -> str:
    """What a title has beside spaces: Chromium's outline drops one where a title wraps, and more between numbers."""
    return "".join(one for one in text if one.isalnum())


def entries(outline) -> list[str]:
    """The letters of the titles of an outline, of those of sections too."""
    return [title for one in outline for title in (entries(one) if isinstance(one, list) else [letters(one.title)])]


def drawn_images(page) -> list:
    """The pictures of dots on a page, not decoded."""
    held = page["/Resources"].get_object().get("/XObject", {}).values()
    return [one for one in held if one.get_object()["/Subtype"] == "/Image"]


def smallest(drawing: Path) -> float:
    """Points of the smallest letters of a figure by matplotlib, whose glyphs are drawn for a hundred points."""
    return 100 * min(map(float, re.findall(r"scale\((\S+) -\1\)", drawing.read_text("utf-8"))), default=1.0)


def images(book: Printed) -> list[tuple[Path, float, float]]:
    """The file of each image, its width on paper and its own, in pixels of CSS."""
    return [(Path(unquote(urlparse(src).path)), width, own) for src, width, own in book.laid["images"]]


@pytest.mark.site
def test_the_pdf_holds_a_page_or_more_for_each_chapter(book):
    assert len(book.reader.pages) > len(NAMES)


@pytest.mark.site
def test_every_link_within_the_pdf_has_a_place(book):
    notes = [note.get_object() for page in book.reader.pages for note in page.get("/Annots", [])]
    inside = [str(note["/Dest"]) for note in notes if "/Dest" in note]
    assert len(inside) > 1_000
    assert not set(inside) - set(book.reader.named_destinations)
    outside = [str(note["/A"]["/URI"]) for note in notes if "/A" in note]
    assert not [address for address in outside if not address.startswith("http")]


@pytest.mark.site
def test_no_link_of_the_pdf_leads_to_a_placeholder(book):
    notes = [note.get_object() for page in book.reader.pages for note in page.get("/Annots", [])]
    addresses = [str(note["/A"]["/URI"]) for note in notes if "/A" in note]
    assert not [one for one in [*addresses, book.laid["text"]] if "OWNER" in one or "example.org" in one]


@pytest.mark.site
def test_the_outline_names_every_chapter_in_its_order(book):
    chapters = [letters(title) for title in book.laid["titles"]]
    assert len(chapters) == len(NAMES) + 2  # and the title page, and the contents
    top = [letters(one.title) for one in book.reader.outline if not isinstance(one, list)]
    assert top == chapters


@pytest.mark.site
def test_every_page_of_the_pdf_holds_more_than_its_number(book):
    short = [page for page in book.reader.pages if len(page.get_contents().get_data()) < 3_000]  # instructions
    bare = [page for page in short if not drawn_images(page) and len(letters(page.extract_text())) < 10]
    assert not [page.page_number + 1 for page in bare]


@pytest.mark.site
def test_pages_of_the_pdf_carry_their_numbers(book):
    count = len(book.reader.pages)
    chosen = [1, 2, count // 2, count]
    assert [book.reader.pages[number - 1].extract_text().split()[-1] for number in chosen] == list(map(str, chosen))


@pytest.mark.site
@pytest.mark.parametrize("fault", ["wide", "cut", "dead"])
def test_nothing_of_the_pdf_leaves_its_page_is_cut_off_or_waits_for_a_click(book, fault):
    assert not book.laid[fault]


@pytest.mark.site
def test_the_pdf_is_printed_on_white(book):
    assert book.laid["ground"] == "rgba(0, 0, 0, 0)"


@pytest.mark.site
def test_letters_of_vector_figures_have_six_and_a_half_points_on_paper(book):
    found = {file.name: smallest(file) * width / own for file, width, own in images(book) if file.suffix == ".svg"}
    assert len(found) > 10
    assert not {name: round(points, 2) for name, points in found.items() if points < WORDS}


@pytest.mark.site
def test_pictures_of_notebooks_have_letters_of_six_and_a_half_points_or_the_whole_width(book):
    most = EIGHT_POINTS / WORDS * DOTS  # dots an inch
    found = [(file.name, width, own) for file, width, own in images(book) if file.suffix != ".svg"]
    assert len(found) > 10
    assert not [one for one in found if one[1] < book.laid["room"] - 1 and one[2] * PIXELS / one[1] > most]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("polar.html#a", "#polar--a"),
        ("../polar.html", "#polar"),
        ("#a", "#results-emoji-ccal_tno--a"),
        ("https://doi.org/1#a", "https://doi.org/1#a"),
        ("../_images/a.csv", None),
    ],
)
def test_links_lead_into_the_joined_document_or_out_of_the_book(address, expected):
    page = "results/emoji-ccal_tno"
    page = "cca" if address.startswith("polar") else page
    assert joined.here(address, page, {"polar", "cca", "results/emoji-ccal_tno"}) == expected


def test_the_mark_after_a_formula_stays_with_it():
    line = BeautifulSoup(
        '<p>Both <span class="math">x</span>, and <span class="math">y</span> alone</p>', "html.parser"
    )
    for formula in line.select("span.math"):
        joined.keep_mark(formula)
    assert [kept.get_text() for kept in line.select(".kept")] == ["x,"]
    assert line.get_text() == "Both x, and y alone"


def test_a_box_that_folds_lies_open_in_print():
    box = BeautifulSoup("<details class='sd-card'><summary>Code</summary><p>x = 1</p></details>", "html.parser").details
    joined.unfold(box)
    assert str(box) == '<div class="sd-card unfolded"><div>Code</div><p>x = 1</p></div>'


def test_a_missing_site_is_one_sentence(tmp_path: Path):
    with pytest.raises(InputError, match="run make book first"):
        pdf.make(tmp_path, tmp_path / "book.pdf")
