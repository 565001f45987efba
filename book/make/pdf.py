"""The whole book as one PDF, printed by the browser: `make pdf`, or `python -m book.make.pdf`.

Sphinx puts all pages into one, so that links between them stay links; Chromium prints it with page numbers.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from xmlib import paths
from xmlib.files import write_bytes

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOLDER = paths.ROOT / "_build" / "pdf"
TARGET = FOLDER / "cross-modal-retrieval.pdf"
FOOT = '<div style="width:100%;text-align:center;font-size:8px"><span class="pageNumber"></span></div>'
MARGIN = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}


def single_page() -> Path:
    """The book as one page, from what `make book` has generated."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(paths.ROOT / "book")]
    command += ["--config", str(paths.ROOT / "_config.yml"), "--path-output", str(FOLDER)]
    subprocess.run([*command, "--builder", "singlehtml", "--quiet"], check=True)
    return FOLDER / "_build" / "singlehtml" / "index.html"


def printed(page: Path, browser: str) -> bytes:
    """The PDF of a page, its formulas and pictures drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        opened = started.new_page()
        opened.goto(page.as_uri(), wait_until="load", timeout=120_000)
        opened.evaluate("window.MathJax ? MathJax.startup.promise.then(() => null) : null")
        opened.evaluate(
            "Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode().catch(() => {}) }))"
        )
        made = opened.pdf(
            format="A4", print_background=True, display_header_footer=True, header_template="<span></span>",
            footer_template=FOOT, margin=MARGIN, outline=True, tagged=True,
        )  # fmt: skip
        started.close()
    return made


def main() -> int:
    """0, or 2 where the book has not been made or there is no browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not (paths.ROOT / "_build" / "site.done").exists() or browser is None:
        missing = (
            "no Chromium here (Debian: apt-get install chromium)" if browser is None else "no book yet (make book)"
        )
        print(f"error: there is {missing}", file=sys.stderr)
        return 2
    write_bytes(TARGET, printed(single_page(), browser))
    print(f"The PDF is {TARGET.relative_to(paths.ROOT)}, {TARGET.stat().st_size / 1e6:.0f} MB.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
