"""A user's pairs: a folder of pictures with texts beside them, or a table of paths and texts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from xmlib.data.own import given, spreadsheet
from xmlib.data.own.divide import NAMES
from xmlib.data.own.items import Items, Row, gather
from xmlib.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg")
# What a column is called if nothing else is said; the first that is there is taken.
COLUMNS = {
    "image": ("image", "image_path", "path", "file", "filename", "file_name", "filepath", "picture", "img"),
    "text": ("text", "caption", "description", "title"),
    "group": ("group",),
    "label": ("label",),
    "split": ("split",),
}
NEEDED = ("image", "text")
PARQUET = "reading Parquet needs the package pyarrow; run: pip install pyarrow."


def read(
    dataset_file: str | Path,
    *,
    image_folder: str | Path = "",
    missing: str = "stop",
    image_column: str = "",
    text_column: str = "",
    group_column: str = "",
    label_column: str = "",
    split_column: str = "",
) -> Items:
    """The pairs of a folder, or of a .csv, .tsv, .jsonl or .parquet file.

    Columns that are not named are looked for by the names in COLUMNS; only picture and text must be there. Paths lead
    below `image_folder`, by default the folder of the table. A picture named in several rows has several texts.
    In a folder, picture.png goes with picture.txt; where all pictures lie below train, valid and test, that is their
    split. Raises InputError for anything that does not fit, and for pictures without text or texts without picture
    (`missing`: "stop" or "skip").
    """
    source = given.path(dataset_file)
    if not str(dataset_file) or not (os.path.isdir(source) or os.path.isfile(source)):
        raise InputError(f"dataset_file {str(dataset_file)!r} is not there; give a folder, or a table of pairs.")
    asked = {
        "image": image_column, "text": text_column, "group": group_column, "label": label_column, "split": split_column
    }  # fmt: skip
    rows = _folder(source) if source.is_dir() else _table(source, asked)
    return gather(rows, image_folder, source, missing)


def _folder(folder: Path) -> list[Row]:
    """Pictures with the texts beside them; one without the other becomes a row that `gather` finds incomplete."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    pictures = [path for path in files if path.suffix.lower() in PICTURES]
    texts = {path.with_suffix(""): path for path in files if path.suffix.lower() == ".txt"}
    said = [texts.get(path.with_suffix("")) for path in pictures]
    rows = [
        Row(path.relative_to(folder).as_posix(), spreadsheet.decoded(text)[0] if text else "")
        for path, text in zip(pictures, said, strict=True)
    ]
    lonely = sorted(set(texts) - {path.with_suffix("") for path in pictures})
    rows += [Row(f"{path.relative_to(folder).as_posix()}.*", "no picture") for path in lonely]
    tops = [row.image.split("/")[0].lower() if "/" in row.image else "" for row in rows]
    if all(top in NAMES for top in tops):
        return [row._replace(split=top) for row, top in zip(rows, tops, strict=True)]
    return rows


def _utf8(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not in UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}).") from None


def _table(file: Path, asked: dict[str, str]) -> list[Row]:
    """The rows of a table, by the kind of its name."""
    if file.suffix.lower() not in READERS:
        raise InputError(f"{file} ends in {file.suffix or 'nothing'!r}; a table ends in {', '.join(READERS)}.")
    table = READERS[file.suffix.lower()](file)
    names = list(table.columns)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{file} has two columns {twice[0]!r}; give each column a name of its own.")
    chosen = {role: _column(file, names, role, asked[role]) for role in COLUMNS}
    cells = [_strings(file, table, name) if name else [""] * len(table) for name in chosen.values()]
    return [Row(Path(row[0]).as_posix() if row[0] else "", *row[1:]) for row in zip(*cells, strict=True)]


def _column(file: Path, names: list[Any], role: str, asked: str) -> str:
    """What the column is called, "" if there is none and none is needed."""
    known = {str(name).lower(): name for name in reversed(names)}
    found = asked if asked in names else "" if asked else next((known[n] for n in COLUMNS[role] if n in known), "")
    if not found and (asked or role in NEEDED):
        raise InputError(
            f"{file} has no column {asked or role!r} (it has: {', '.join(map(str, names)) or 'nothing'}); "
            f"call the one that is meant {role!r}, or pass {role}_column='…' in Python."
        )
    return found


def _strings(file: Path, table: pd.DataFrame, name: str) -> list[str]:
    """The cells of a column; nothing where nothing is written."""
    values = table[name].tolist()
    for i, value in enumerate(values):
        if isinstance(value, (list, tuple, dict, set, bytes)) or hasattr(value, "shape") and value.shape:
            kind = type(value).__name__
            raise InputError(f"column {name!r} of {file} has a value of type {kind} in row {i + 1}; a text was wanted.")
    return ["" if pd.isna(value) else str(value).strip() for value in values]


def read_jsonl(file: Path) -> pd.DataFrame:
    """The rows of a file with one JSON object per line."""
    rows = []
    for number, line in enumerate(_utf8(file).split("\n"), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"line {number} of {file} is not JSON ({error}).") from None
            if not isinstance(row, dict):
                raise InputError(
                    f"line {number} of {file} is of type {type(row).__name__}; an object {{…}} was wanted."
                )
            rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def _parquet(file: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(file)
    except ImportError:
        raise InputError(PARQUET) from None
    except (OSError, ValueError) as error:  # pyarrow's own are kinds of these
        raise InputError(f"{file} cannot be read as Parquet ({str(error).splitlines()[0]}).") from None


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": lambda file: spreadsheet.read(file)[0], ".tsv": lambda file: spreadsheet.read(file, separator="\t")[0],
    ".jsonl": read_jsonl, ".parquet": _parquet,
}  # fmt: skip
