"""The book as a PDF, printed from the built site as `make pdf` does."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import absent
from pypdf import PdfReader
from pypdf.generic import ContentStream

from book.make import joined, pdf
from xmlib.errors import InputError

NAMES = {name for _, part in joined.chapters() for name in part}
POINTS = 72


@pytest.fixture(scope="module")
def book(chromium: str, tmp_path_factory) -> PdfReader:
    if not (pdf.SITE / "index.html").exists():
        absent("there is no site in _build/html (make book)")
    target = tmp_path_factory.mktemp("pdf") / "book.pdf"
    pdf.make(target=target)
    return PdfReader(target)


def entries(outline) -> list[str]:
    """Titles of the outline, those of sections too."""
    return [t for one in outline for t in (entries(one) if isinstance(one, list) else [" ".join(one.title.split())])]


def densities(page, reader: PdfReader) -> list[float]:
    """Dots an inch, across, of each image drawn on a page."""
    forms = page["/Resources"].get("/XObject", {})
    found, stack, matrix = [], [], (1.0, 0.0, 0.0, 1.0)
    for operands, operator in ContentStream(page.get_contents(), reader).operations:
        if operator == b"q":
            stack.append(matrix)
        elif operator == b"Q":
            matrix = stack.pop()
        elif operator == b"cm":
            a, b, c, d = map(float, operands[:4])
            e, f, g, h = matrix
            matrix = (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)
        elif operator == b"Do" and forms[operands[0]]["/Subtype"] == "/Image":
            found.append(forms[operands[0]]["/Width"] * POINTS / (matrix[0] ** 2 + matrix[1] ** 2) ** 0.5)
    return found


@pytest.mark.site
def test_the_pdf_holds_a_book(book):
    assert len(book.pages) > 50


@pytest.mark.site
def test_every_link_within_the_pdf_has_a_place(book):
    notes = [note.get_object() for page in book.pages for note in page.get("/Annots", [])]
    inside = {str(note["/Dest"]) for note in notes if "/Dest" in note}
    assert len(inside) > 100
    assert not inside - set(book.named_destinations)
    outside = [str(note["/A"]["/URI"]) for note in notes if "/A" in note]
    assert not [address for address in outside if not address.startswith("http")]


@pytest.mark.site
def test_the_outline_names_every_chapter(book):
    pages = {name: BeautifulSoup((pdf.SITE / f"{name}.html").read_text("utf-8"), "html.parser") for name in NAMES}
    titles = {joined.heading(page).removesuffix("#").replace("\n", " ") for page in pages.values()}
    assert not titles - set(entries(book.outline))


@pytest.mark.site
def test_no_page_of_the_pdf_is_blank(book):
    drawn = [len(page.get_contents().get_data()) + 1_000 * len(densities(page, book)) for page in book.pages]
    assert min(drawn) > 1_000, f"page {drawn.index(min(drawn)) + 1}"  # a page number alone takes a few hundred


@pytest.mark.site
def test_pictures_in_the_pdf_have_130_dots_an_inch(book):
    found = [(round(dots), number) for number, page in enumerate(book.pages, 1) for dots in densities(page, book)]
    assert len(found) > 10
    assert not [one for one in found if one[0] < 130]


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


def test_a_missing_site_is_one_sentence(tmp_path: Path):
    with pytest.raises(InputError, match="run make book first"):
        pdf.make(tmp_path, tmp_path / "book.pdf")
