"""The instructions of a pickle that build plain data, for `safe_pickle`, and the names of the others."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any

# What else a pickle may contain, by the name that pickletools gives it.
REFUSED = {
    b"c": "GLOBAL", b"\x93": "STACK_GLOBAL", b"i": "INST", b"o": "OBJ", b"R": "REDUCE", b"b": "BUILD",
    b"\x81": "NEWOBJ", b"\x92": "NEWOBJ_EX", b"\x82": "EXT1", b"\x83": "EXT2", b"\x84": "EXT4",
    b"P": "PERSID", b"Q": "BINPERSID", b"\x97": "NEXT_BUFFER", b"\x98": "READONLY_BUFFER",
}  # fmt: skip
ATOMS = (str, bytes, int, float, bool, type(None))


def _python2(raw: bytes) -> str:
    """A byte string of Python 2 as text; bytes that are no UTF-8 survive, so that a path still opens its file."""
    return raw.decode("utf-8", "surrogateescape")


def _unicode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _integer(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _int_line(raw: bytes) -> int | bool:
    return {b"00": False, b"01": True}[raw] if raw in (b"00", b"01") else int(raw)


def _quoted(raw: bytes) -> str:
    if len(raw) < 2 or raw[:1] not in b"'\"" or raw[-1:] != raw[:1]:
        raise ValueError("a text without quotes")
    return _python2(codecs.escape_decode(raw[1:-1])[0])


FIXED: dict[bytes, Callable[[], Any]] = {
    b"N": lambda: None, b"\x88": lambda: True, b"\x89": lambda: False,
    b"]": list, b"}": dict, b")": tuple, b"\x8f": set,
}  # fmt: skip
NUMBERS = {b"J": "<i", b"K": "<B", b"M": "<H", b"G": ">d"}
SIZED: dict[bytes, tuple[str, Callable[[bytes], Any]]] = {  # the length first
    b"U": ("<B", _python2), b"T": ("<i", _python2),
    b"X": ("<I", _unicode), b"\x8c": ("<B", _unicode), b"\x8d": ("<Q", _unicode),
    b"B": ("<I", bytes), b"C": ("<B", bytes), b"\x8e": ("<Q", bytes), b"\x96": ("<Q", bytearray),
    b"\x8a": ("<B", _integer), b"\x8b": ("<i", _integer),
}  # fmt: skip
LINES: dict[bytes, Callable[[bytes], Any]] = {  # up to the end of the line
    b"I": _int_line, b"L": lambda raw: int(raw.rstrip(b"L")), b"F": float,
    b"S": _quoted, b"V": lambda raw: raw.decode("raw-unicode-escape"),
}  # fmt: skip
TUPLES = {b"\x85": 1, b"\x86": 2, b"\x87": 3}
PUTS, GETS = {b"q": "<B", b"r": "<I"}, {b"h": "<B", b"j": "<I"}
SKIPPED = {b"\x80": 1, b"\x95": 8}  # version of the format, size of the next frame


def must_be(thing: Any, kind: type) -> Any:
    """The thing, if it is of that very kind; else TypeError."""
    if type(thing) is not kind:
        raise TypeError(f"something of type {type(thing).__name__} stands where a {kind.__name__} should")
    return thing


def _key(thing: Any) -> Any:
    """A key of a dictionary or set; a tuple of tuples of … could exhaust the stack when it is hashed."""
    if not isinstance(thing, ATOMS) and not (type(thing) is tuple and all(isinstance(part, ATOMS) for part in thing)):
        raise TypeError(f"something of type {type(thing).__name__} cannot be a key here")
    return thing


def dictionary(items: list[Any]) -> dict[Any, Any]:
    """A dictionary of keys and values by turns."""
    return {_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def frozen(items: list[Any]) -> frozenset[Any]:
    """A set that stays as it is."""
    return frozenset(map(_key, items))
