"""Pictures with texts, as every loader of users' data hands them on."""

from __future__ import annotations

import hashlib
import os
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xmlib.data.own import given
from xmlib.errors import InputError

MISSING = ("stop", "skip")
NAMED = 3  # how many of the missing files a message names


class Row(NamedTuple):
    """One text and its picture, as a file gives them; "" where nothing is said."""

    image: str  # path, from the folder of the pictures
    text: str
    group: str = ""
    label: str = ""
    split: str = ""


@dataclass(frozen=True)
class Items:
    """Pictures and texts; a picture may have several texts.

    One for each picture: `paths`, `ids`, `groups` (equal numbers stay in one split), `labels` and `splits` ("" where
    none is given). One for each text: `texts` and `image_of_text`, the number of its picture. `skipped`: how many rows
    were left out.
    """

    paths: list[Path]
    ids: list[str]
    groups: np.ndarray
    labels: list[str]
    splits: list[str]
    texts: list[str]
    image_of_text: np.ndarray
    skipped: int = 0


def gather(
    rows: Iterable[Row], folder: str | Path, source: Path, missing: str = "stop", *, same_text_groups: bool = True
) -> Items:
    """The rows of a file brought together by picture, in the order of the file.

    `folder`: where the pictures are, empty for that of the `source`, a file or the folder itself. `missing`: "stop" or
    "skip" when a picture is not there or a text is empty. Pictures of one group, with the same bytes, or (if
    `same_text_groups`) with the same text apart from case and spaces come out as one group. Raises InputError for all
    that does not fit together.
    """
    if missing not in MISSING:
        raise InputError(f"missing {missing!r} is unknown; choose one of: {', '.join(MISSING)}.")
    folder = given.path(folder) if folder else source if source.is_dir() else source.parent
    named = [row._replace(image=_below(row.image, folder, source)) for row in rows]
    if not named:
        raise InputError(f"{source} has no pairs of a picture and a text.")
    whole = _without_missing(named, folder, source, missing)
    images = _merged(whole, source)
    number = {image: i for i, image in enumerate(images)}
    image_of_text = np.array([number[row.image] for row in whole])
    paths, every = [folder / image for image in images], np.arange(len(images))
    tied = [(every, [row.group for row in images.values()]), (every, contents(paths))]
    if same_text_groups:
        tied.append((image_of_text, [" ".join(row.text.casefold().split()) for row in whole]))
    return Items(
        paths, [_printable(image) for image in images], connected(len(images), tied),
        [row.label for row in images.values()], [row.split for row in images.values()],
        [_printable(row.text) for row in whole], image_of_text, len(named) - len(whole),
    )  # fmt: skip


def inside(cell: str, folder: Path, where: str) -> Path:
    """The file below the folder that a cell names, also as Windows writes paths or with letters composed otherwise.

    Raises InputError, which says `where` the cell stands, for one that is outside.
    """
    cell = cell.strip()
    plain = cell.replace("\\", "/")
    ways = (cell, plain, *(unicodedata.normalize(form, plain) for form in ("NFC", "NFD")))
    found = next((way for way in ways if os.path.isfile(folder / way)), plain)
    path = Path(os.path.abspath(folder / found))  # not resolved: the user's own links may lead anywhere
    if not path.is_relative_to(os.path.abspath(folder)):
        raise InputError(f"{where} names {cell[:80]!r}, which is outside of {folder}; pass the folder that holds all.")
    return path


def _below(image: str, folder: Path, source: Path) -> str:
    """The path of a picture from the folder, "" where none is given."""
    return image and inside(image, folder, str(source)).relative_to(os.path.abspath(folder)).as_posix()


def only(items: Items, images: list[int], reason: str) -> Items:
    """The items of some pictures (their numbers, rising), with a line on stderr that says why the others are left out.

    Groups are numbered anew; pictures tied by one that is left out stay together. Raises InputError if none is left.
    """
    print(f"skipped: {reason}", file=sys.stderr)
    if not images:
        raise InputError("no usable picture is left; give at least a few.")
    number = np.full(len(items.paths), -1)
    number[images] = np.arange(len(images))
    rows = np.flatnonzero(number[items.image_of_text] >= 0)
    return Items(
        [items.paths[i] for i in images], [items.ids[i] for i in images],
        np.unique(items.groups[images], return_inverse=True)[1],
        [items.labels[i] for i in images], [items.splits[i] for i in images],
        [items.texts[i] for i in rows], number[items.image_of_text[rows]],
        items.skipped + len(items.texts) - len(rows),
    )  # fmt: skip


def _without_missing(rows: list[Row], folder: Path, source: Path, missing: str) -> list[Row]:
    """The rows whose picture is there and whose text says something."""
    there = {image: _readable(folder / image) for image in dict.fromkeys(row.image for row in rows)}
    gone = [image for image, is_there in there.items() if not is_there]
    empty = [row.image for row in rows if there[row.image] and not row.text.strip()]
    for names, total, fault in (
        (gone, len(there), f"pictures named in {source} are not in {folder}"),
        (empty, len(rows), f"texts in {source} are empty"),
    ):
        if names:
            _stop_or_skip(names, total, fault, missing)
    whole = [row for row in rows if there[row.image] and row.text.strip()]
    if not whole:
        raise InputError(f"{source} has no pair whose picture is there and whose text is not empty.")
    return whole


def _merged(rows: list[Row], source: Path) -> dict[str, Row]:
    """The first row of each picture."""
    images: dict[str, Row] = {}
    for row in rows:
        first = images.setdefault(row.image, row)
        if (first.group, first.label, first.split) != (row.group, row.label, row.split):
            raise InputError(
                f"{source} gives the picture {row.image} different groups, labels or splits: {_said(first)} and "
                f"{_said(row)}; give one of each."
            )
    return images


def _stop_or_skip(names: list[str], total: int, fault: str, missing: str) -> None:
    first = ", ".join(map(_printable, names[:NAMED])) + (", …" if len(names) > NAMED else "")
    found = f"{len(names)} of {total} {fault} ({first})"
    if missing == "stop":
        raise InputError(f"{found}; put that right, or set missing to 'skip' to go on without them.")
    print(f"skipped: {found}", file=sys.stderr)


def _readable(path: Path) -> bool:
    return os.path.isfile(path) and os.access(path, os.R_OK)  # False too for a name that no file can have


def _said(row: Row) -> str:
    return " / ".join(part or "none" for part in (row.group, row.label, row.split))


def _printable(text: str) -> str:
    """The text without what UTF-8 cannot write (half a surrogate pair)."""
    return text.encode("utf-8", "replace").decode()


def contents(paths: list[Path]) -> list[str]:
    """A name for the content of each file, "" where no other file has the same; only files of one size are read."""
    of_size: dict[int, list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        of_size[path.stat().st_size].append(i)
    names, known = [""] * len(paths), {}
    for same in of_size.values():
        for i in same if len(same) > 1 else []:
            if paths[i] not in known:
                known[paths[i]] = _digest(paths[i])
            names[i] = known[paths[i]]
    return names


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def connected(n: int, tied: list[tuple[np.ndarray, list[str]]]) -> np.ndarray:
    """(n,) numbers from 0: pictures that share a name in any of the lists, directly or by way of others, are together.

    `tied`: lists of names, each with the number of the picture that a name belongs to; "" ties nothing.
    """
    links: list[tuple[int, int]] = []
    for pictures, names in tied:
        first: dict[str, int] = {}
        links += [(first.setdefault(name, i), i) for i, name in zip(pictures.tolist(), names, strict=True) if name]
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    matrix = coo_array((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(n, n))
    return connected_components(matrix, directed=False)[1].astype(np.int64)
