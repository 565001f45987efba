"""Tables as spreadsheets save them: encoding, separator and decimal sign are found, and printed."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from xmlib.data.own import given
from xmlib.errors import InputError

SUFFIXES = (".csv", ".tsv", ".txt")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
DECIMALS = {".": "point", ",": "comma"}
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
LOOKED_AT = 200  # records by which the separator is told
SHARE = 0.2  # of the bytes that are 0 in UTF-16 of European texts: half of them, and none in other encodings
NAMED_FIRST = re.compile(r"sep=(.)\r?\n")  # a line that Excel reads and writes


def read(file: Path, encoding: str = "", separator: str = "") -> tuple[pd.DataFrame, str]:
    """Every cell as it is written, a text, under the names in the first row; and a sentence on how it was read.

    `encoding`, `separator`: as given, or found where empty. Raises InputError for what is no table, a row longer than
    the first, and two columns of one name.
    """
    text, encoding = decoded(file, encoding)
    if first := NAMED_FIRST.match(text):
        separator, text = separator or first[1], text[first.end() :]
    separator = separator or _separator(text, file)
    if len(separator) > 1 or separator in '"\r\n':
        raise InputError(f"separator {separator!r} is not one character; give the sign between two columns.")
    quoting = _quoting(text, separator, file)
    try:
        cells = pd.read_csv(
            io.StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False, engine="c", quoting=quoting
        )
    except (pd.errors.EmptyDataError, pd.errors.ParserError, ValueError) as error:
        raise InputError(f"{file} cannot be read as a table ({' '.join(str(error).split())}).") from None
    table = cells[1:].fillna("").set_axis([str(name).strip() for name in cells.iloc[0]], axis=1)
    table = table.loc[:, [bool(name) or bool(table.iloc[:, i].any()) for i, name in enumerate(table.columns)]]
    said = f"{encoding}, columns separated by {SEPARATORS.get(separator, repr(separator))}"
    return table, f"{said}{', quoted line breaks' if _breaks(table) else ''}"


def _quoting(text: str, separator: str, file: Path) -> int:
    """How quotation marks are meant: around cells, or as letters where cells do not end as they begin.

    A mark that begins a cell and is not closed would swallow the rows up to the next one. Raises InputError where
    neither reading gives every row as many cells as the first.
    """
    if '"' not in text:
        return csv.QUOTE_MINIMAL
    lines = [len(line.split(separator)) for line in text.splitlines() if line]
    alike, line = len(set(lines)) == 1, 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for record in reader:
            if separator == "\t" and alike and any("\t" in cell and "\n" in cell for cell in record):
                return csv.QUOTE_NONE  # what looks like one cell is whole rows
            line = reader.line_num
    except csv.Error as error:
        if "field limit" in str(error):
            return csv.QUOTE_MINIMAL
        if alike:
            return csv.QUOTE_NONE
        raise InputError(
            f"{file} has a quotation mark in line {line + 1} that begins a cell and does not end it; write those "
            "within a cell twice, and one before and after it."
        ) from None
    return csv.QUOTE_MINIMAL


def decoded(file: Path, encoding: str = "") -> tuple[str, str]:
    """The text of a file and its encoding, found where none is given: a mark at the beginning, UTF-8, or Windows'.

    Raises InputError for a file that does not have this encoding, and for a pipe or a device, which may never end.
    """
    given.check_plain(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}).") from None
    encoding = encoding or _encoding(content)
    try:
        return content.decode(encoding), encoding
    except UnicodeError as error:
        reason = getattr(error, "reason", str(error))
        raise InputError(f"{file} is not in {encoding} ({reason}); pass encoding='…', or save it as UTF-8.") from None
    except (LookupError, ValueError):
        raise InputError(f"encoding {encoding!r} is unknown; utf-8, utf-16 and cp1252 are the usual ones.") from None


def _encoding(content: bytes) -> str:
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return name
    head = content[:4096]
    if head.count(0) > SHARE * len(head):  # UTF-16 without its mark
        return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _separator(text: str, file: Path) -> str:
    """The separator that cuts the most of the first records into as many cells as the first, then into the most."""
    scores = {}
    for separator in SEPARATORS:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            widths = [len(record) for record, _ in zip(records, range(LOOKED_AT), strict=False) if record]
        except csv.Error:  # a cell of more than 128 KiB
            continue
        if widths and widths[0] > 1:
            scores[separator] = (np.mean([width == widths[0] for width in widths]), widths[0])
    if not scores:
        raise InputError(
            f"{file} has no two columns separated by {', '.join(SEPARATORS.values())}; "
            "save it with one of these, or pass separator='…'."
        )
    return max(scores, key=lambda separator: scores[separator])


def _breaks(table: pd.DataFrame) -> bool:
    return any("\n" in cell for name in set(table.columns) for cell in np.ravel(table[name]))


def decimal_of(cells: Sequence[str], where: str) -> str:
    """The decimal sign of cells with numbers, "" if none has a part after it.

    Raises InputError where that cannot be told: 1,234 alone may be either of two numbers.
    """
    texts = [cell.strip() for cell in cells if cell.strip()]
    comma = [text for text in texts if re.fullmatch(r"[-+]?[\d.\s]*,\d+(e[-+]?\d+)?", text, re.I)]
    point = [text for text in texts if re.fullmatch(r"[-+]?[\d,\s]*\.\d+(e[-+]?\d+)?", text, re.I)]
    if comma and point:  # 1.234,5 beside 1.234 or 1,234.5 beside 1,234: what ends in both is thousands, then decimals
        both = [text for text in comma if "." in text] or [text for text in point if "," in text]
        if both:
            return "," if both[0].rfind(",") > both[0].rfind(".") else "."
        raise InputError(f"{where} has numbers like {comma[0]!r} and like {point[0]!r}; pass decimal=',' or '.'.")
    if comma and all(re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", text) for text in comma):
        raise InputError(f"{where} has numbers like {comma[0]!r}: pass decimal=',' or, for thousands, decimal='.'.")
    return "," if comma else "." if point else ""


def numbers(cells: Sequence[str], decimal: str) -> np.ndarray:
    """(n,) float64 of cells with that decimal sign; NaN where a cell is no number, or empty."""
    thousands = "." if decimal == "," else ","
    return np.array([_number(cell.strip(), decimal or ".", thousands) for cell in cells])


def _number(text: str, decimal: str, thousands: str) -> float:
    if re.fullmatch(rf"[-+]?\d{{1,3}}({re.escape(thousands)}\d{{3}})+({re.escape(decimal)}\d*)?", text):
        text = text.replace(thousands, "")
    try:
        return float(text.replace(decimal, ".")) if thousands not in text else np.nan
    except ValueError:
        return np.nan
