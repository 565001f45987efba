"""Copy MathJax into the book's assets, so that the site draws its formulae without a network, and write its symbols.

`python -m book.make.vendor` takes the one file that is needed out of the installed package
sphinx-mathjax-offline. It copies only when the file is missing or different; the copy is not under version control.
"""

import filecmp
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from book.make import symbols
from xmlib import paths
from xmlib.files import write_bytes

PACKAGE = "sphinx-mathjax-offline"
NAME = "tex-svg-full.js"  # the plain tex-svg.js loads further files while the page is open
TARGET = paths.ROOT / "book" / "assets" / "vendor" / "mathjax" / NAME


def source() -> Path:
    """The path of MathJax inside the installed package; FileNotFoundError says what to install."""
    try:
        found = [file for file in files(PACKAGE) or [] if file.name == NAME]
    except PackageNotFoundError:
        found = []
    if not found:
        raise FileNotFoundError(f"{NAME} is missing: install the package {PACKAGE} (it is in requirements.lock)")
    return Path(str(found[0].locate()))


def copy(target: Path = TARGET) -> bool:
    """True when the file had to be copied to `target`, False when the same bytes were already there."""
    origin = source()
    if target.exists() and filecmp.cmp(origin, target, shallow=False):
        return False
    write_bytes(target, origin.read_bytes())
    return True


if __name__ == "__main__":
    try:
        print(f"{TARGET.name}: {'copied' if copy() else 'up to date'}", file=sys.stderr)
        print(f"{symbols.TARGET.name}: {'written' if symbols.write() else 'up to date'}", file=sys.stderr)
    except FileNotFoundError as error:
        sys.exit(f"error: {error}")
