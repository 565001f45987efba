"""The book as one PDF: `make pdf`, or `python -m book.make.pdf`, from the pages that `make book` has built."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pypdf import PdfReader

from book.make import joined
from xmlib import paths
from xmlib.errors import InputError
from xmlib.files import write_bytes

if TYPE_CHECKING:
    from playwright.sync_api import Page

SITE = paths.ROOT / "_build" / "html"
TARGET = paths.ROOT / "_build" / "xmlib.pdf"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FOOT = '<div style="width:100%;text-align:center;font:8px sans-serif"><span class="pageNumber"></span></div>'
# Pictures of dots have 130 of them an inch: notebooks draw at 110, so words of 8 points have 6.8 on paper.
# Tables and formulas that are still too wide become smaller.
FIT = """async () => {
  await MathJax.startup.promise;
  await Promise.all([...document.images].map(i => i.decode()));
  for (const i of document.images) if (!/[.]svg$/.test(i.src)) i.style.width = i.naturalWidth * 96 / 130 + 'px';
  const too = (e, room) => e.scrollWidth > room.clientWidth + 1;
  for (const t of document.querySelectorAll('table')) if (too(t, t.parentElement)) t.classList.add('small');
  for (const t of document.querySelectorAll('table.small'))
    if (too(t, t.parentElement)) t.style.zoom = t.parentElement.clientWidth / t.scrollWidth;
  for (const m of document.querySelectorAll('mjx-container')) {
    const room = m.closest('div.math, p, li, td, dd, section');
    const number = room.querySelector(':scope > .eqno')?.offsetWidth ?? 0;
    const drawn = m.querySelector('svg').getBoundingClientRect().width;
    if (drawn > room.clientWidth - 2 * number) m.style.zoom = (room.clientWidth - 2 * number) / drawn;
  }
}"""


@contextmanager
def laid_out(site: Path, browser: str) -> Iterator["Page"]:
    """The whole book in a browser, as wide as on paper, once its formulas and pictures are drawn and fit."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        document = Path(folder) / "book.html"
        document.write_text(joined.book(site), encoding="utf-8")
        started = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = started.new_page(viewport={"width": 673, "height": 960})  # what A4 holds between the margins
        page.set_default_timeout(0)  # a slow machine takes minutes for a book
        page.emulate_media(media="print", color_scheme="light")
        page.goto(document.as_uri(), wait_until="load")
        page.evaluate(FIT)
        yield page
        started.close()


def printed(page: "Page") -> bytes:
    """The PDF of what is laid out."""
    return page.pdf(
        format="A4", margin={"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}, outline=True,
        print_background=True, display_header_footer=True, footer_template=FOOT, header_template="<span></span>",
        tagged=True,
    )  # fmt: skip


def needed(site: Path) -> str:
    """The path of a browser; InputError without one, or without every page of the book."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not (site / "index.html").exists():
        raise InputError("there is no site to print yet; run make book first")
    missing = [name for _, part in joined.chapters() for name in part if not (site / f"{name}.html").exists()]
    if missing:
        raise InputError(f"the site is older than the table of contents and lacks {missing[0]}; run make book first")
    if browser is None:
        raise InputError("there is no Chromium to print with; install one (Debian: apt-get install chromium)")
    return browser


def make(site: Path = SITE, target: Path = TARGET) -> None:
    """Write the PDF of a built site; InputError without a site or a browser."""
    with laid_out(site, needed(site)) as page:
        write_bytes(target, printed(page))


def main() -> int:
    """0, or 2 after one sentence where something is missing."""
    start = time.monotonic()
    try:
        make()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = f"{len(PdfReader(TARGET).pages)} pages, {TARGET.stat().st_size / 1e6:.0f} MB"
    print(f"The book is in {TARGET.relative_to(paths.ROOT)}: {size}, made in {time.monotonic() - start:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
