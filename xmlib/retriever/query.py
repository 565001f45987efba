"""A query as it is typed: a text, the path of a picture or a sound, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xmlib.data.own import one_view
from xmlib.data.own.pairs import OF_SUFFIX
from xmlib.data.own.sides import Side
from xmlib.data.preparation import Preparation
from xmlib.errors import InputError
from xmlib.profiles import choose
from xmlib.retriever.retriever import BACKWARD, DIRECTIONS, FORWARD


def asking(direction: str) -> int:
    """The number of the view that queries in a direction, 0 or 1; raises InputError for one that is none."""
    return 0 if choose("direction", direction, DIRECTIONS) == FORWARD else 1


def kind_of(query: str) -> str:
    """What a query looks like: images or audio by its ending, numbers if it is some or a file of them, or texts."""
    suffix = Path(query).suffix.lower()
    if OF_SUFFIX.get(suffix) in ("images", "audio"):
        return OF_SUFFIX[suffix]
    return "numbers" if suffix in (".npy", ".npz", ".mat") or _numbers(query) is not None else "texts"


def direction(query: str, preparations: Sequence[Preparation], indexed: Sequence[str]) -> str:
    """The direction that a query suits: of those with an index the first whose view is of its kind."""
    kind = kind_of(query)
    suited = [way for way in DIRECTIONS if preparations[asking(way)].kind == kind]
    ways = [way for way in suited if way in indexed] or suited or [way for way in indexed if way == BACKWARD]
    return ways[0] if ways else FORWARD


def read(query: str, kind: str, row: int = 1) -> Side:
    """A side of one item of that kind; `row`, from 1, is that of a file of numbers. Raises InputError for another."""
    if kind == "texts":
        if not query.strip():
            raise InputError("The query is empty: give some words.")
        return Side("texts", [query], "query")
    if kind != "numbers":
        if OF_SUFFIX.get(Path(query).suffix.lower()) != kind:
            raise InputError(
                f"The query {query[:60]!r} is none of the {kind} that this direction asks for: give a path."
            )
        return one_view.read(query, 1, kind).side
    values = _numbers(query)
    if values is not None:
        return Side("numbers", values[None], query)
    if not Path(query).expanduser().is_file():
        raise InputError(
            f"The query {query[:60]!r} is neither numbers nor a file: give numbers such as 0.1,2, or a .npy."
        )
    found = one_view.read(query, 1, "numbers").side.items
    if row > found.shape[0]:
        raise InputError(f"row {row} was asked for of the {found.shape[0]} in {query}: lower --row.")
    return Side("numbers", found[row - 1 : row], f"row {row} of {Path(query).name}")


def _numbers(query: str) -> np.ndarray | None:
    try:
        return np.array([float(part) for part in query.replace(",", " ").split()], dtype=np.float32) if query else None
    except ValueError:
        return None
