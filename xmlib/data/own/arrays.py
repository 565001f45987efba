"""Arrays out of files that may come from anywhere: nothing pickled, and never more memory than there is.

What a header claims is compared with the size of the file, or of the packed part of it, before anything is allocated.
"""

from __future__ import annotations

import fnmatch
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from xmlib.data.own import given
from xmlib.errors import InputError

DAMAGES = (  # what readers of binary formats raise on files that are none, or cut short
    ValueError, TypeError, LookupError, OSError, EOFError, MemoryError, RuntimeError, AttributeError, SyntaxError,
    zlib.error, struct.error, tokenize.TokenError, zipfile.BadZipFile,
)  # fmt: skip
NUMERIC, TEXTS = "biuf", "US"  # kinds of NumPy's types
SPARSE = {"format", "shape", "data"}  # arrays that scipy.sparse.save_npz writes in any case
BYTES = {"double": 8, "single": 4}  # of a number of MATLAB's
MATLAB = ("double", "single", "logical", "sparse", "char", *(f"{u}int{b}" for u in ("", "u") for b in (8, 16, 32, 64)))


def load(file: str | Path, key: str = "") -> Any:
    """The array in a .npy, .npz, .mat or .parquet file, by its `key` where there are several: numbers, or texts (n,).

    A sparse matrix, of MATLAB or of `scipy.sparse.save_npz`, comes as CSR, a MATLAB row vector as (n,). Of Parquet a
    column of lists of one length, or all columns that `key` names (`x*`: that begin with x; empty: all). Raises
    InputError for a file that is none of these, damaged, with objects in it, or larger than the free memory.
    """
    file = _there(file)
    with _Damage(file):
        found = _READERS[file.suffix.lower()](file, key)
    return _usable(found, file)


def keys(file: str | Path) -> list[str]:
    """The names of the arrays in a .npz or .mat file; none for other files."""
    file = _there(file)
    with _Damage(file):
        if file.suffix.lower() == ".npz":
            members = _members(file)
            return [] if members.keys() >= SPARSE else list(members)
        return list(_variables(file)) if file.suffix.lower() == ".mat" else []


def check_memory(size: int, file: Path) -> None:
    """Raise InputError for something of that many bytes that does not fit into the free memory."""
    import psutil

    free = psutil.virtual_memory().available
    if size > free:
        raise InputError(
            f"{file} says that it holds {size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB of memory are free; "
            "give fewer rows, or fetch the file again if it is smaller."
        )


class _Damage:
    """In a `with`: what readers raise on damaged files, said as InputError."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, DAMAGES) and not isinstance(error, InputError):
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise InputError(f"{self.file} cannot be read as {self.file.suffix} ({reason}).") from None


def _there(file: str | Path) -> Path:
    path = given.path(file)
    if not os.path.isfile(path):
        raise InputError(f"{str(file)!r} is not there; give the path of a file.")
    if path.suffix.lower() not in _READERS:
        raise InputError(f"{path} ends in {path.suffix or 'nothing'!r}; arrays are read from {', '.join(_READERS)}.")
    return path


def _usable(found: Any, file: Path) -> Any:
    """The array if it holds numbers or texts, one item a row."""
    if found.dtype.kind not in NUMERIC + TEXTS or found.dtype.names:
        raise InputError(f"{file} holds {found.dtype}; numbers or texts were wanted.")
    if not found.ndim:
        raise InputError(f"{file} holds a single value; an array with one row a pair was wanted.")
    if found.dtype.kind == "S":
        return np.char.decode(found, "utf-8", "replace")
    return found


def _npy(file: Path, key: str) -> np.ndarray:
    with file.open("rb") as opened:
        claimed = _claimed(opened, file)
        left = file.stat().st_size - opened.tell()
    if claimed != left:
        raise InputError(
            f"{file} has {left:,} bytes after its header, which promises {claimed:,}; fetch or save it again."
        )
    return np.load(file, mmap_mode="r" if claimed else None, allow_pickle=False)


def _claimed(opened: IO[bytes], file: Path) -> int:
    """How many bytes of data the header promises; the file stands behind it then."""
    version = np.lib.format.read_magic(opened)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if not read:
        raise InputError(f"{file} is of NumPy's format {version}; save it as a plain array of numbers.")
    shape, _, dtype = read(opened)
    if dtype.hasobject:
        raise InputError(f"{file} holds pickled Python objects, which could run code; save it as an array of numbers.")
    return dtype.itemsize * math.prod(shape)  # Python's whole numbers: no overflow


def _npz(file: Path, key: str) -> Any:
    members = _members(file)
    if members.keys() >= SPARSE and not key:
        return _sparse_npz(file, members)
    return _member(file, members, _one_of(list(members), key, file))


def _member(file: Path, members: dict[str, zipfile.ZipInfo], name: str) -> np.ndarray:
    with zipfile.ZipFile(file) as archive, archive.open(members[name]) as opened:
        claimed = _claimed(opened, file)
        if claimed > members[name].file_size:
            raise InputError(f"{name!r} in {file} is cut short: its header promises {claimed:,} bytes.")
        check_memory(claimed, file)
        with archive.open(members[name]) as again:
            return np.lib.format.read_array(again, allow_pickle=False)


def _sparse_npz(file: Path, members: dict[str, zipfile.ZipInfo]) -> Any:
    """The matrix that `scipy.sparse.save_npz` wrote, as CSR."""
    from scipy import sparse

    parts = {name: _member(file, members, name) for name in members}
    form, shape = np.char.decode(parts["format"]).item(), tuple(parts["shape"].tolist())
    if form in ("csr", "csc"):
        make = sparse.csr_array if form == "csr" else sparse.csc_array
        return _csr(make((parts["data"], parts["indices"], parts["indptr"]), shape), file)
    if form == "coo":
        return _csr(sparse.coo_array((parts["data"], (parts["row"], parts["col"])), shape), file)
    raise InputError(f"{file} holds a sparse matrix in the form {form!r}; save it as csr, csc or coo.")


def _csr(found: Any, file: Path) -> Any:
    """The sparse matrix as CSR, every index in it checked, since SciPy trusts them with the memory."""
    from scipy import sparse

    check_memory(8 * sum(found.shape), file)
    if found.format != "coo":  # which looks at its indices when it is made
        found.check_format(full_check=True)
    rows = sparse.csr_matrix(found)
    rows.sum_duplicates()
    return rows


def _members(file: Path) -> dict[str, zipfile.ZipInfo]:
    """The arrays in a .npz by their keys."""
    with zipfile.ZipFile(file) as archive:
        return {i.filename.removesuffix(".npy"): i for i in archive.infolist() if i.filename.endswith(".npy")}


def _mat(file: Path, key: str) -> Any:
    from scipy import io, sparse

    shapes = _variables(file)
    name = _one_of(list(shapes), key, file)
    found = io.loadmat(file, variable_names=[name])[name]
    if sparse.issparse(found):
        return _csr(found, file)
    return found[0] if found.ndim == 2 and len(found) == 1 else found


def _variables(file: Path) -> dict[str, tuple]:
    """Names and shapes of the arrays in a MATLAB file that hold numbers or texts."""
    from scipy import io

    try:
        listed = io.whosmat(file)
    except NotImplementedError:  # what SciPy raises for this one version
        raise InputError(f"{file} is of MATLAB 7.3 (HDF5), which is not read; save it with '-v7'.") from None
    except io.matlab.MatReadError as error:
        raise InputError(f"{file} cannot be read as .mat ({error}).") from None
    for _, shape, kind in listed:
        if kind != "sparse":
            check_memory(math.prod(map(int, shape)) * BYTES.get(kind, 1), file)
    return {name: shape for name, shape, kind in listed if kind in MATLAB}


def _parquet(file: Path, key: str) -> np.ndarray:
    table = parquet(file)
    names = [name for name in table.columns if fnmatch.fnmatchcase(str(name), key or "*")]
    if not names:
        raise InputError(f"{file} has no column {key!r}; it has: {', '.join(map(str, table.columns)) or 'nothing'}.")
    if len(names) > 1:
        wrong = next((name for name in names if table[name].dtype.kind not in NUMERIC), None)
        if wrong is not None:
            raise InputError(f"column {wrong!r} of {file} is no column of numbers; name those of the view by a key.")
        return table[names].to_numpy()
    return column(table[names[0]].tolist(), f"column {names[0]!r} of {file}")


def column(cells: list[Any], where: str) -> np.ndarray:
    """An array of the cells of a column: of lists of one length (n, length), else of numbers or texts (n,)."""
    lengths = sorted({len(cell) for cell in cells if isinstance(cell, (list, tuple, np.ndarray))})
    if len(lengths) > 1:
        raise InputError(f"{where} has lists of {lengths[0]} and of {lengths[-1]} numbers; give all the same length.")
    if lengths:
        empty = [np.nan] * lengths[0]
        cells = [cell if isinstance(cell, (list, tuple, np.ndarray)) else empty for cell in cells]
    try:
        return np.array(cells)
    except ValueError:
        raise InputError(f"{where} holds lists within lists of several lengths; give one list of numbers.") from None


def parquet(file: Path) -> Any:
    """The data frame in a Parquet file; raises InputError for one that is damaged or larger than the free memory."""
    try:
        from pyarrow import parquet as reader
    except ImportError:
        raise InputError("reading Parquet needs the package pyarrow; run: pip install pyarrow.") from None
    with _Damage(file):
        opened = reader.ParquetFile(file)
        about = opened.metadata
        check_memory(sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups)), file)
        return opened.read().to_pandas()


def _one_of(names: list[str], key: str, file: Path) -> str:
    if key in names:
        return key
    if not key and len(names) == 1:
        return names[0]
    asked = f"no array {key!r}" if key else "several arrays" if names else "no array"
    raise InputError(f"{file} has {asked}; it has: {', '.join(names) or 'nothing'}. Name one of these.")


_READERS: dict[str, Callable[[Path, str], Any]] = {
    ".npy": _npy, ".npz": _npz, ".mat": _mat, ".parquet": _parquet,
}  # fmt: skip
SUFFIXES = tuple(_READERS)
