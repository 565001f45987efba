"""A user's pairs made ready for training: divided by group, then prepared by the training items alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from xmlib.data import preparation
from xmlib.data.own.divide import divide
from xmlib.data.own.items import connected, contents
from xmlib.data.own.sides import Pairs, Side
from xmlib.data.preparation import Preparation
from xmlib.data.splits import Split, Splits, View

PARTS = ("train", "valid", "test")
ITEMS = 0.5  # share of distinct texts or numbers from which on they are items; below they are labels, and tie nothing


@dataclass
class Ready:
    """`pairs` as `splits`: `rows` of the pairs in each part, and the fitted `preparations` of both views.

    `files`: what `shared` says of the pairs.
    """

    pairs: Pairs
    splits: Splits
    rows: dict[str, np.ndarray]
    preparations: tuple[Preparation, Preparation]
    files: tuple[int, np.ndarray] | None = None

    def shared(self, part: str) -> tuple[int, np.ndarray] | None:
        """What `shared` says of the pairs of a part: "train", "valid" or "test"."""
        view, number = self.files or (0, np.arange(len(self.pairs)))
        own = number[self.rows[part]]
        return (view, own) if len(np.unique(own)) < len(own) else None


def ready(
    pairs: Pairs,
    seed: int = 1,
    *,
    test_share: float = 0.2,
    valid_share: float = 0.1,
    preparations: tuple[Preparation | None, Preparation | None] = (None, None),
) -> Ready:
    """The pairs as three splits of prepared views.

    A given split stays; otherwise whole groups are drawn, see `groups_of` and `divide`. `preparations`: others than
    those of the kinds of the views. Raises `InputError` where a split would be empty or a view is unfit for training.
    """
    groups = groups_of(pairs)
    names = divide(_Divided(pairs, groups), seed, test_share=test_share, valid_share=valid_share, called="pairs")
    rows = {part: np.flatnonzero(names == part) for part in PARTS}
    views, fitted = [], []
    for side, given in zip((pairs.view1, pairs.view2), preparations, strict=True):
        made = (given or preparation.of_kind(side.kind)()).fit(preparation.take(side.items, rows["train"]))
        views.append(made.transform(side.items))
        fitted.append(made)
    train, valid, test = (_part(pairs, chosen, groups, *views) for chosen in rows.values())
    settings = {"kinds": [pairs.view1.kind, pairs.view2.kind], "test_share": test_share, "valid_share": valid_share}
    splits = Splits("own", "", seed, settings, _digest(names, *views), train, valid, test)
    return Ready(pairs, splits, rows, (fitted[0], fitted[1]), shared(pairs))


class _Divided:
    """What `divide` looks at."""

    def __init__(self, pairs: Pairs, groups: np.ndarray) -> None:
        # in a given split neither the user's own groups nor a file may be torn apart; what else looks alike is reported
        named = [_own(pairs), *(_paths(side) for side in (pairs.view1, pairs.view2))]
        self.groups = connected(len(pairs), named) if any(pairs.splits) else groups
        self.ids, self.splits = pairs.ids, pairs.splits


def groups_of(pairs: Pairs) -> np.ndarray:
    """(n,) numbers: pairs with equal ones belong together, by their group or by equal items in either view.

    Equal files always tie. Equal texts or numbers do unless fewer than half of them are distinct, which makes them
    labels: tied by these, all pairs of a class would lie in one split.
    """
    return connected(len(pairs), [_own(pairs), *(_tied(side) for side in (pairs.view1, pairs.view2))])


def _own(pairs: Pairs) -> tuple[np.ndarray, list[str]]:
    return np.arange(len(pairs)), pairs.groups


def _paths(side: Side) -> tuple[np.ndarray, list[str]]:
    """The files of a view by their paths; nothing of other views."""
    paths = [""] * len(side) if side.kind in ("texts", "numbers") else [str(path) for path in side.items]
    return np.arange(len(side)), paths


def shared(pairs: Pairs) -> tuple[int, np.ndarray] | None:
    """Of pairs that share files, as captions share a picture: the view that has these, 1 or 2, and the number (n,) of
    each pair's file, equal for equal files. None where every pair has its own.

    Where both views have such files it is the view with the fewer different ones.
    """
    numbers = []
    for view, side in enumerate((pairs.view1, pairs.view2), 1):
        if side.kind not in ("texts", "numbers"):
            numbers.append((view, connected(len(pairs), [_paths(side), _tied(side)])))
    view, number = min(numbers, key=lambda one: one[1].max(), default=(0, np.arange(len(pairs))))
    return (view, number) if number.max() + 1 < len(pairs) else None


def _tied(side: Side) -> tuple[np.ndarray, list[str]]:
    names = names_of(side)
    if side.kind in ("texts", "numbers") and len(set(names)) < ITEMS * len(names):
        names = [""] * len(names)
    return np.arange(len(names)), names


def names_of(side: Side) -> list[str]:
    """A name for the content of each item: equal for equal files, numbers, and texts apart from case and spaces."""
    if sparse.issparse(side.items):
        ends = zip(side.items.indptr, side.items.indptr[1:], strict=False)
        parts = [side.items.indices[a:b].tobytes() + side.items.data[a:b].tobytes() for a, b in ends]
        return [hashlib.sha256(part).hexdigest() for part in parts]
    if side.kind == "numbers":
        return [hashlib.sha256(np.ascontiguousarray(row).data).hexdigest() for row in side.items]
    if side.kind == "texts":
        return [" ".join(text.casefold().split()) for text in side.items]
    return contents(side.items)


def _part(pairs: Pairs, rows: np.ndarray, groups: np.ndarray, view1: Any, view2: Any) -> Split:
    labels = np.array([pairs.labels[i] for i in rows]) if all(pairs.labels) else None  # a class has all its members
    texts = next((side.items for side in (pairs.view2, pairs.view1) if side.kind == "texts"), None)
    said = [texts[i] for i in rows] if texts else None
    return Split(_view(view1, rows), _view(view2, rows), [pairs.ids[i] for i in rows], groups[rows], labels, said)


def _view(prepared: Any, rows: np.ndarray) -> View:
    """A view of some prepared items; sparse ones become dense batch by batch."""
    if sparse.issparse(prepared):
        return View(len(rows), prepared.shape[1:], lambda chosen: prepared[rows[chosen]].toarray())
    return View(len(rows), prepared.shape[1:], lambda chosen: prepared[rows[chosen]])


def _digest(names: np.ndarray, *views: Any) -> str:
    whole = hashlib.sha256("".join(name[1] for name in names).encode())
    for view in views:
        for array in (view.data, view.indices, view.indptr) if sparse.issparse(view) else (view,):
            whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()
