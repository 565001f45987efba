"""Reads pickles that hold plain data, and runs nothing.

A pickle is a small program: it may import any function and call it, so a pickle from elsewhere can do anything to
the machine that loads it. Here nothing is imported, so there is nothing to call.
"""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from xmlib.data.own import given
from xmlib.errors import InputError

KINDS = "dictionaries, lists, tuples, sets, texts, bytes and numbers"
ATOMS = (str, bytes, int, float, bool, type(None))
CALLS = (pickle.REDUCE, pickle.BUILD, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX)
KEYS = {
    pickle.SETITEM: slice(-2, -1),
    pickle.SETITEMS: slice(0, None, 2),
    pickle.DICT: slice(0, None, 2),
    pickle.ADDITEMS: slice(None),
    pickle.FROZENSET: slice(None),
}  # instructions that hash, and what of the stack
ROOM = 4  # bytes of free memory for each of the file: a text with one emoji in it takes four a character


def load(file: str | Path) -> Any:
    """What a pickle of any protocol holds, if that is plain data: dictionaries, lists, tuples, sets, texts, numbers.

    Byte strings of Python 2 become texts. Raises InputError, with nothing run, for a pickle that names a class or a
    function (which OrderedDict, datetime, NumPy arrays, bytearrays and sets in a protocol before 4 do), is damaged,
    missing, or too large for the memory that is free.

    Memory grows with the size of the file and with nothing that it says: a file made for it may take 250 times its size
    (empty sets of a byte each), real ones take about theirs. No call is deeper for what is nested deeper. Time may grow
    with the square of the size, in a file full of keys that share a hash.
    """
    file = given.path(file)
    given.check_plain(file, "a pickle")
    try:
        with file.open("rb") as opened:
            _check_size(file)
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _PlainUnpickler(data, encoding="utf-8", errors="surrogateescape").load()  # texts of Python 2
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}); give the path of a pickle.") from None
    except _Refused as wanted:
        raise InputError(
            f"{file} is refused, and nothing in it was run: it asks for {str(wanted)[:100]!r}, and a pickle may hold "
            f"{KINDS} only; if you trust who made it, load it there and save it as these."
        ) from None
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file leads to
        reason = " ".join(f"{type(error).__name__} {error}".split())[:100]
        raise InputError(f"{file} is no whole pickle ({reason}); fetch it again.") from None


def _check_size(file: Path) -> None:
    size, free = file.stat().st_size, psutil.virtual_memory().available
    if not size:
        raise InputError(f"{file} is empty; a pickle was wanted.")
    if ROOM * size > free:
        raise InputError(
            f"{file} has {size / 1e6:.0f} MB, which may take {ROOM * size / 1e6:.0f} MB of memory; {free / 1e6:.0f} "
            "MB are free: close other programs, or read it on a machine with more."
        )


class _Refused(Exception):
    """What a pickle wanted to import."""


# The unpickler written in Python, which the one in C hides under the public name: that one allots a memo as long as the
# largest number in the file, and hands out functions under extension codes that it has met without asking.
class _PlainUnpickler(pickle._Unpickler):
    """Builds plain data, and refuses to look up or call anything."""

    def find_class(self, module: str, name: str) -> Any:
        raise _Refused(f"{module}.{name}")

    def get_extension(self, code: int) -> Any:
        raise _Refused(f"the extension {code}")

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("a persistent object")


def _call(reader: Any) -> None:
    raise _Refused("a call")


def _bytearray(reader: Any) -> None:
    raise _Refused("a bytearray")  # would take the memory that the file names, whether or not the bytes are there


def _with_plain_keys(instruction: Callable[[Any], None], which: slice) -> Callable[[Any], None]:
    """The instruction, after a look at what it hashes: tuples of tuples of … would exhaust the stack, or the time."""

    def checked(reader: Any) -> None:
        for key in reader.stack[which]:
            parts = key if type(key) is tuple else (key,)
            if not all(isinstance(part, ATOMS) for part in parts):
                raise TypeError(f"something of type {type(key).__name__} cannot be a key here")
        instruction(reader)

    return checked


_usual = pickle._Unpickler.dispatch
_PlainUnpickler.dispatch = {
    **_usual,
    **{code[0]: _with_plain_keys(_usual[code[0]], which) for code, which in KEYS.items()},
    **{code[0]: _call for code in CALLS},
    pickle.BYTEARRAY8[0]: _bytearray,
}
