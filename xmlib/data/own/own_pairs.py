"""The data sets that a user brings: which reader belongs to which form."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xmlib.data.own import coco, good_news, politics, table
from xmlib.data.own.assemble import splits_of
from xmlib.data.own.items import Items
from xmlib.data.splits import Splits
from xmlib.errors import InputError

READERS: dict[str, Callable[..., Items]] = {
    "table": table.read,
    "coco": coco.read,
    "good_news": good_news.read,
    "politics": politics.read,
}
SHARING = ("test_share", "valid_share", "crossing")  # for `divide`
BUILDING = ("cache_folder", "processes")  # for `splits_of`, and no part of the data's identity


def load(name: str, profile: str, seed: int, dataset_file: str | Path = "", **options: Any) -> Splits:
    """The pairs of a user's file in the form `name`: "table", "coco", "good_news" or "politics".

    `options`: those of the reader's `read`, of `divide` and of `splits_of`. Raises InputError for others.
    """
    reader = READERS[name]
    own = [option for option in inspect.signature(reader).parameters if option != "dataset_file"]
    unknown = sorted(set(options) - {*own, *SHARING, *BUILDING})
    if unknown:
        raise InputError(
            f"{name} has no option {unknown[0]!r}; it has: {', '.join(['dataset_file', *own, *SHARING, *BUILDING])}."
        )
    if not dataset_file:
        raise InputError(f"{name} needs dataset_file, the path of your data.")
    reading = {key: value for key, value in options.items() if key in own}
    rest = {key: value for key, value in options.items() if key not in own}
    settings = {key: _without_folders(key, value) for key, value in {"dataset_file": dataset_file, **reading}.items()}
    missing = options.get("missing", "stop")
    return splits_of(reader(dataset_file, **reading), name, profile, seed, settings, missing=missing, **rest)


def _without_folders(key: str, value: Any) -> Any:
    """Where a file lies on this machine is nobody's business, and changes nothing."""
    return Path(value).name if key.endswith(("_file", "_folder")) else value
