"""Pictures from political news with the articles they stood in, in the form of the Politics pickles.

complete_db.pickle is {side: {issue: [{"local_path": …, "content_text": …, …}, …]}}, db.pickle a list of (path, text),
train_test_paths.pickle {"train": [path, …], "test": [path, …]}. They are read without running anything in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xmlib.data.own import given, safe_pickle
from xmlib.data.own.items import Items, Row, gather
from xmlib.data.own.json_file import part
from xmlib.errors import InputError

SHORTEST = 500  # characters; of complete_db.pickle the released code keeps articles that are longer
LABELS = ("issue", "side")


def read(
    dataset_file: str | Path,
    *,
    split_file: str | Path = "",
    image_folder: str | Path = "",
    label: str = "issue",
    missing: str = "stop",
) -> Items:
    """The pictures in the order of the file, each with the texts it stands beside.

    `dataset_file`: complete_db.pickle or db.pickle. `split_file`: train_test_paths.pickle; pictures that it does not
    name are left out. `image_folder`: where the paths start, by default the folder of the pickle. `label`: "issue" or
    "side"; a picture under several keeps the first, and db.pickle knows none. Raises InputError for a pickle that is
    of another form or holds more than plain data, and for pictures that are not there (`missing`: "stop" or "skip").
    """
    if label not in LABELS:
        raise InputError(f"label {label!r} is unknown; choose one of: {', '.join(LABELS)}.")
    source = given.path(dataset_file)
    content = safe_pickle.load(source)
    rows = list(_articles(content, label, source) if isinstance(content, dict) else _pairs(content, source))
    if split_file:
        rows = _given(rows, given.path(split_file))
    first: dict[str, str] = {}
    rows = [row._replace(label=first.setdefault(row.image, row.label)) for row in rows]
    return gather(rows, image_folder, source, missing)


def _articles(content: dict[Any, Any], label: str, source: Path) -> Iterator[Row]:
    """The rows of complete_db.pickle."""
    for side in content:
        for issue in part(content, side, dict, str(source)):
            where = f"{side!r} / {issue!r} in {source}"
            for i, item in enumerate(part(content[side], issue, list, f"{side!r} in {source}")):
                text = part(item, "content_text", str, f"item {i} of {where}")
                if len(text) > SHORTEST:
                    path = part(item, "local_path", str, f"item {i} of {where}")
                    yield Row(path, text, label=str(issue if label == "issue" else side))


def _pairs(content: Any, source: Path) -> Iterator[Row]:
    """The rows of db.pickle."""
    if not isinstance(content, list):
        raise InputError(
            f"{source} holds something of type {type(content).__name__}; a dict or a list of pairs was wanted."
        )
    for i, pair in enumerate(content):
        if not isinstance(pair, (tuple, list)) or list(map(type, pair)) != [str, str]:
            raise InputError(f"item {i} of {source} is not a pair of a path and a text.")
        if pair[1]:  # the released code drops empty ones too
            yield Row(*pair)


def _given(rows: list[Row], file: Path) -> list[Row]:
    """The rows that have a split, with it."""
    content = safe_pickle.load(file)
    paths = {split: part(content, split, (list, tuple, set), str(file)) for split in ("train", "test")}
    for split, named in paths.items():
        if not all(isinstance(path, str) for path in named):
            raise InputError(f"{file} has something other than a path under {split!r}.")
    train, test = set(paths["train"]), set(paths["test"])
    if train & test:
        raise InputError(f"{file} has {len(train & test)} paths in both train and test, such as {min(train & test)}.")
    named = [row._replace(split="test" if row.image in test else "train") for row in rows if row.image in train | test]
    if not named:
        raise InputError(f"{file} names no picture of the database; the paths of both are to be written alike.")
    return named
