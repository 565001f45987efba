"""The two sides of pairs as a user's files give them: items of one kind each, and what is known about a pair."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from xmlib.data.own import arrays, spreadsheet
from xmlib.data.own.items import inside
from xmlib.data.own.table import PICTURES
from xmlib.data.preparation import count, take
from xmlib.errors import InputError

AUDIO = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".au")
KINDS = ("numbers", "texts", "images", "audio")
NAMED = 3  # how many of the pairs at fault a message names
FEWEST = 10  # pairs: with fewer there is none for validation or for the test


@dataclass
class Side:
    """One view: `kind` is one of KINDS; `name` a title; `items` float32 (n, …) or CSR, or a list of texts or of paths.

    `faults`: row → what is wrong with the item.
    """

    kind: str
    items: Any
    name: str
    faults: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return count(self.items)

    def take(self, rows: Sequence[int]) -> Side:
        """The side with only these rows."""
        chosen = take(self.items, list(rows))
        faults = {new: self.faults[i] for new, i in enumerate(rows) if i in self.faults}
        return replace(self, items=chosen, faults=faults)


@dataclass
class Pairs:
    """Two views of the same things, row by row.

    `groups`: (n,) names, equal ones belong together ("" stands alone); `labels`, `splits`: "" where nothing is said.
    `left_out`: id and reason of every pair that could not be used; `found`: sentences on what was inferred.
    """

    view1: Side
    view2: Side
    ids: list[str]
    groups: list[str]
    labels: list[str]
    splits: list[str]
    left_out: list[tuple[str, str]] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, reasons: dict[int, str], missing: str) -> Pairs:
        """The pairs without the rows that have a reason, which are named; raises InputError if `missing` is "stop"."""
        if not reasons:
            return self
        if missing == "stop":
            raise InputError(
                f"{len(reasons)} of {len(self)} pairs cannot be used ({_some(self.ids, reasons)}); "
                "put that right, or set missing to 'skip' to go on without them."
            )
        rows = [i for i in range(len(self)) if i not in reasons]
        gone = [(self.ids[i], reason) for i, reason in sorted(reasons.items())]
        return self.take(rows, self.left_out + gone)

    def take(self, rows: Sequence[int], left_out: list[tuple[str, str]] | None = None) -> Pairs:
        """The pairs of these rows."""
        lists = {name: [getattr(self, name)[i] for i in rows] for name in ("ids", "groups", "labels", "splits")}
        left_out = self.left_out if left_out is None else left_out
        return replace(self, view1=self.view1.take(rows), view2=self.view2.take(rows), **lists, left_out=left_out)


def _some(ids: Sequence[str], reasons: dict[int, str]) -> str:
    said = [f"{ids[i]}: {reason}" for i, reason in sorted(reasons.items())]
    return "; ".join(said[:NAMED]) + ("; …" if len(said) > NAMED else "")


def of_array(values: Any, name: str, kind: str = "", decimal: str = "") -> Side:
    """A side from an array with one row per item: numbers (n, …) of any type, sparse ones too, or texts (n,)."""
    if sparse.issparse(values):
        return _sparse(values, name, kind)
    try:
        found = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} has rows of unequal lengths; give every item as many numbers.") from None
    if found.dtype.kind == "O":
        raise InputError(f"{name} holds Python objects; give an array of numbers, or texts.")
    if not found.ndim:
        raise InputError(f"{name} holds a single value; an array with one row a pair was wanted.")
    if found.dtype.kind in arrays.TEXTS:
        if found.ndim > 1:
            raise InputError(f"{name} has texts in {found.ndim} dimensions; one text a row was wanted.")
        return of_cells([str(cell) for cell in found], name, kind, Path(), decimal)
    if found.dtype.kind not in arrays.NUMERIC:
        raise InputError(f"{name} holds {found.dtype}; numbers or texts were wanted.")
    _check_numbers(kind, name)
    return _numbers(found.reshape(len(found), -1) if found.size else found, name)


def _check_numbers(kind: str, name: str) -> None:
    if kind not in ("", "numbers"):
        raise InputError(f"{name} holds numbers, so its kind is no {kind!r}; leave the kind out.")


def _sparse(values: Any, name: str, kind: str) -> Side:
    """A side of sparse rows, whose zeros are never written out."""
    _check_numbers(kind, name)
    if values.ndim != 2 or values.dtype.kind not in arrays.NUMERIC:
        raise InputError(f"{name} is a sparse array of {values.dtype} in {values.ndim} dimensions; rows were wanted.")
    if not values.shape[1]:
        raise InputError(f"{name} has no features; give at least one number a row.")
    with np.errstate(over="ignore"):
        rows = sparse.csr_matrix(values, dtype=np.float32)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    bad = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))[~np.isfinite(rows.data)]
    return Side("numbers", rows, name, {int(i): f"NaN or infinite in {name}" for i in bad})


def of_cells(cells: Sequence[str], name: str, kind: str, folder: Path, decimal: str = "") -> Side:
    """A side from texts: they are paths below `folder`, numbers, or texts; `kind` is found if it is empty."""
    kind = kind or kind_of(cells)
    if kind == "numbers":
        return _numbers_of_cells(cells, name, decimal)
    if kind == "texts":
        empty = {i: f"the text of {name} is empty" for i, cell in enumerate(cells) if not cell.strip()}
        return Side("texts", [cell.encode("utf-8", "replace").decode() for cell in cells], name, empty)
    paths = [inside(cell, folder, f"row {i} of {name}") for i, cell in enumerate(cells, 1)]
    return of_files(paths, name, kind, cells)


def of_files(paths: Sequence[Path], name: str, kind: str, called: Sequence[str]) -> Side:
    """A side of files, images or audio by `kind`, or texts that are read; `called`: what a message calls each."""
    faults = {i: _absent(path, called[i], name) for i, path in enumerate(paths)}
    faults = {i: fault for i, fault in faults.items() if fault}
    if kind != "texts":
        return Side(kind, list(paths), name, faults)
    texts = ["" if i in faults else spreadsheet.decoded(path)[0].strip() for i, path in enumerate(paths)]
    side = of_cells(texts, name, "texts", Path())
    return replace(side, faults=side.faults | faults)


def kind_of(cells: Sequence[str]) -> str:
    """What most of the cells that are not empty are: names of images or of audio files, or else numbers or texts."""
    said = [cell.strip() for cell in cells if cell.strip()]
    for kind, suffixes in (("images", PICTURES), ("audio", AUDIO)):
        if sum(cell.lower().endswith(suffixes) for cell in said) > len(said) / 2:
            return kind
    numeric = sum(not np.isnan(spreadsheet.numbers([c], d)[0]) for c in said for d in ("," if "," in c else "."))
    return "numbers" if numeric > len(said) / 2 else "texts"


def _numbers_of_cells(cells: Sequence[str], name: str, decimal: str) -> Side:
    values = spreadsheet.numbers(cells, decimal or spreadsheet.decimal_of(cells, name))
    side = _numbers(values[:, None], name)
    said = {i: f"{cells[i].strip()[:40]!r} in {name} is no number" for i in side.faults if cells[i].strip()}
    return replace(side, faults=side.faults | said)


def _numbers(values: np.ndarray, name: str) -> Side:
    """A side of numbers, (n,) or (n, features)."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.asarray(values, dtype=np.float32)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if not rows.shape[1] and len(rows):
        raise InputError(f"{name} has no features; give at least one number a row.")
    finite = np.isfinite(rows).all(1)
    return Side("numbers", rows, name, {int(i): f"NaN or infinite in {name}" for i in np.flatnonzero(~finite)})


def _absent(path: Path, called: str, name: str) -> str:
    """Why a file cannot be read, "" if it can."""
    if not called.strip():
        return f"{name} names no file"
    return "" if os.path.isfile(path) and os.access(path, os.R_OK) else f"there is no file {called.strip()!r}"


def check(pairs: Pairs, missing: str) -> Pairs:
    """The pairs that can be used, of both views; raises InputError where they can be used for nothing.

    `missing`: "stop" or "skip", for items that are not there, empty, no number or not finite.
    """
    if missing not in ("stop", "skip"):
        raise InputError(f"missing {missing!r} is unknown; choose one of: stop, skip.")
    if len(pairs.view1) != len(pairs.view2):
        raise InputError(
            f"{pairs.view1.name} has {len(pairs.view1):,} items and {pairs.view2.name} has {len(pairs.view2):,}; "
            "pairs need the same number, row by row."
        )
    _check_ids(pairs.ids)
    faults = {i: pairs.view1.faults.get(i) or pairs.view2.faults[i] for i in {*pairs.view1.faults, *pairs.view2.faults}}
    whole = pairs.without(faults, missing)
    if len(whole) < FEWEST:
        raise InputError(f"{len(whole)} usable pairs are too few to train and to test on; give at least {FEWEST}.")
    for side in (whole.view1, whole.view2):
        if _all_equal(side.items):
            raise InputError(f"all {len(side)} items of {side.name} are equal, so that nothing can be found by them.")
    return whole


def _check_ids(ids: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(ids, 1):
        if first.setdefault(name, row) != row:
            raise InputError(f"the id {name!r} is in row {first[name]} and in row {row}; give each pair its own.")


def _all_equal(items: Any) -> bool:
    if isinstance(items, np.ndarray):
        return bool((items == items[0]).all())
    if sparse.issparse(items):
        return not (items.max(axis=0) != items.min(axis=0)).nnz
    return len(set(items)) == 1
