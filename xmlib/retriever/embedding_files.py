"""Embeddings in files that other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xmlib.data.own.table import PARQUET
from xmlib.errors import InputError
from xmlib.files import write as write_file

SUFFIXES = (".npy", ".parquet")


def check(file: Path) -> None:
    """Raise `InputError` for a file whose ending says no form that is written."""
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"{file} ends in {file.suffix or 'nothing'!r}; embeddings are written to .npy or .parquet.")


def write(file: Path, vectors: np.ndarray, ids: Sequence[str]) -> None:
    """Write vectors (n, k) to a .npy, or with their ids to a .parquet with the columns `id` and `vector`.

    `vector` is a list of k float32. The file is there whole or not at all. Raises `InputError` for another ending, and
    where pyarrow is missing.
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
    table = pyarrow.table({"id": pyarrow.array([str(one) for one in ids]), "vector": column})
    write_file(file, lambda opened: parquet.write_table(table, opened))
