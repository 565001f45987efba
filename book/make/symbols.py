"""The symbols of the notation page as a script, from which a reader's pointer over a formula learns their meanings."""

import json
import re
from collections.abc import Iterator

from xmlib import paths
from xmlib.files import write_text

SOURCE = paths.ROOT / "book" / "notation.md"
TARGET = paths.ROOT / "book" / "assets" / "vendor" / "symbols.js"
GREEK = {
    "alpha": "α", "gamma": "γ", "lambda": "λ", "sigma": "σ", "Sigma": "Σ", "tau": "τ",
}  # fmt: skip
INDICES = "ijtm"  # which stand for any number: what is said of `x_i` is said of `x` and of `x_j`


def meanings() -> dict[str, list[list[str]]]:
    """Symbol as it is read off a drawn formula → [section, meaning] for each meaning that it has."""
    found: dict[str, list[list[str]]] = {}
    section = ""
    for line in SOURCE.read_text(encoding="utf-8").splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[0] != "Symbol":
            said = [section, re.sub(r"`([^`]*)`", r"\1", re.sub(r"\$([^$]*)\$", r"\\(\1\\)", cells[2]))]
            for key in keys(cells[0]):
                found.setdefault(key, []).append(said)
    return found


def keys(cell: str) -> Iterator[str]:
    """The symbols of a cell of the notation page, without marks of TeX: `$S_{xx}, S_{yy}$` has `Sxx` and `Syy`."""
    for formula in re.findall(r"\$([^$]+)\$", cell):
        for symbol in formula.split("=")[0].split(","):
            text = re.sub(r"\\([a-zA-Z]+)", lambda name: GREEK.get(name[1], " "), symbol)
            text = re.sub(r"[{}_\s]", "", text)
            if "\\bar" not in symbol and text:
                yield text
                if len(text) > 1 and set(text[1:]) <= set(INDICES):
                    yield text[0]


def script() -> str:
    """The file: a table that the page's script reads."""
    return f"window.SYMBOLS = {json.dumps(meanings(), ensure_ascii=False, separators=(',', ':'))};\n"


def write() -> bool:
    """True when the file had to be written, False when it said the same already."""
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == script():
        return False
    write_text(TARGET, script())
    return True
