"""Embeddings in files that other programs read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xmlib.data.own.table import PARQUET
from xmlib.errors import InputError
from xmlib.files import write as write_file

SUFFIXES = (".npy", ".parquet")
OWN = ("id", "vector")  # columns that are always there, whatever else is written


def check(file: Path) -> None:
    """Raise `InputError` for a file whose ending says no form that is written."""
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"{file} ends in {file.suffix or 'nothing'!r}; embeddings are written to .npy or .parquet.")


def write(file: Path, vectors: np.ndarray, ids: Sequence[str], columns: Mapping[str, Sequence] | None = None) -> None:
    """Write vectors (n, k) to a .npy, or to a .parquet with the columns `id`, `vector` and whatever else is given.

    `vector` is a list of k float32. `columns`: n values each by their names, but for those in `OWN`. The file is there
    whole or not at all. Raises `InputError` for another ending, and where pyarrow is missing.
    """
    check(file)
    file = file.expanduser()
    if file.suffix.lower() == ".npy":
        write_file(file, lambda opened: np.save(opened, vectors, allow_pickle=False))
        return
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(PARQUET.replace("reading", "writing")) from None
    flat = pyarrow.array(np.ascontiguousarray(vectors).ravel(), pyarrow.float32())
    column = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    table = {"id": pyarrow.array([str(one) for one in ids]), "vector": column}
    table |= {name: _column(values) for name, values in (columns or {}).items() if name not in OWN}
    write_file(file, lambda opened: parquet.write_table(pyarrow.table(table), opened))


def _column(values: Sequence) -> Any:
    """A column of Parquet; values of several types become texts, and what is missing stays so."""
    import pyarrow

    try:
        return pyarrow.array(values, from_pandas=True)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.array([None if value is None or value != value else str(value) for value in values])
