"""Which picture is for training, for validation and for the test: whole groups, seeded, before anything is fitted."""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np

from xmlib.errors import InputError

NAMES = {
    "train": "train", "training": "train", "restval": "train",  # restval: of COCO's validation pictures, by Karpathy
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
CROSSING = ("stop", "warn")


class Divisible(Protocol):
    """Items with group numbers (n,), a name and a given split ("" if none) each."""

    @property
    def groups(self) -> np.ndarray: ...
    @property
    def ids(self) -> list[str]: ...
    @property
    def splits(self) -> list[str]: ...


def divide(
    items: Divisible,
    seed: int,
    *,
    test_share: float = 0.2,
    valid_share: float = 0.1,
    crossing: str = "stop",
    called: str = "pictures",
) -> np.ndarray:
    """(n,) "train", "valid" or "test" for each picture, or whatever the items are `called`.

    A split that is given stays. A test or validation split that is not given is drawn from the training pictures, whole
    groups at a time; `test_share` and `valid_share` are of all pictures, at most. Test pictures are drawn first, by
    random numbers of their own, so `valid_share` never moves them. `crossing`: "stop" or "warn" (a UserWarning) when a
    group is in two given splits. Raises InputError where a split would be empty.
    """
    _check(test_share, valid_share, crossing)
    groups, names = items.groups, _named(items.splits, called)
    _cross(items, names, crossing, called)
    for stream, (name, share) in enumerate((("test", test_share), ("valid", valid_share))):
        if name not in names:
            free = np.flatnonzero(names == "train")
            chosen = _draw(groups[free], round(share * len(names)), np.random.default_rng([seed, stream]))
            names[free[chosen]] = name
    counts = {name: int((names == name).sum()) for name in ("train", "valid", "test")}
    if min(counts.values()) == 0:
        raise InputError(
            f"{len(names)} {called} in {len(np.unique(groups))} groups make {counts['train']} for training, "
            f"{counts['valid']} for validation and {counts['test']} for the test; give more {called}, smaller groups, "
            f"or other shares than test_share={test_share} and valid_share={valid_share}."
        )
    return names


def _check(test_share: float, valid_share: float, crossing: str) -> None:
    for name, share in (("test_share", test_share), ("valid_share", valid_share)):
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
            raise InputError(f"{name} {share!r} is not a share; give a number between 0 and 1, such as 0.1.")
    if crossing not in CROSSING:
        raise InputError(f"crossing {crossing!r} is unknown; choose one of: {', '.join(CROSSING)}.")


def _named(given: list[str], called: str) -> np.ndarray:
    """The given splits by our names; "train" for all where none is given."""
    if not any(given):
        return np.full(len(given), "train", dtype="<U5")
    wrong = sorted({name for name in given if name.lower() not in NAMES})
    if wrong:
        said = repr(wrong[0]) if wrong[0] else "empty"
        raise InputError(
            f"{sum(name in wrong for name in given)} {called} have a split that is {said}; "
            "write train, valid or test for every one, or leave all empty."
        )
    return np.array([NAMES[name.lower()] for name in given], dtype="<U5")


def _cross(items: Divisible, names: np.ndarray, crossing: str, called: str) -> None:
    """Stop or warn when a group is in two splits."""
    both = np.unique(np.stack([items.groups, np.unique(names, return_inverse=True)[1]]), axis=1)
    crossed = np.flatnonzero(np.bincount(both[0]) > 1)
    if not len(crossed):
        return
    members = np.flatnonzero(items.groups == crossed[0])
    one, other = members[0], members[names[members] != names[members[0]]][0]
    message = (
        f"{len(crossed)} groups of related {called} lie in more than one given split, the first with {items.ids[one]} "
        f"in {names[one]} and {items.ids[other]} in {names[other]}, so that the test is too easy"
    )
    if crossing == "stop":
        raise InputError(f"{message}; give each group one split, or pass crossing='warn' to go on.")
    warnings.warn(f"{message}.", stacklevel=3)


def _draw(groups: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Numbers of at most `count` items: whole groups in random order, those left out that would be too many."""
    numbers, sizes = np.unique(groups, return_counts=True)
    order, chosen = random.permutation(len(numbers)), []
    for place in order:
        if sizes[place] <= count:
            chosen.append(numbers[place])
            count -= sizes[place]
    return np.flatnonzero(np.isin(groups, chosen))
