"""Reads pickles that hold plain data, and runs nothing.

A pickle is a small program: it may import any function and call it, so a pickle from elsewhere can do anything to
the machine that loads it. This reader is no unpickler with a filter. It knows the instructions that build plain data
and has none that imports, calls or looks up a class.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xmlib.data.own import pickle_codes as codes
from xmlib.errors import InputError

KINDS = "dictionaries, lists, tuples, sets, texts, bytes and numbers"


def load(file: str | Path) -> Any:
    """What a pickle of any protocol holds, if that is plain data: dictionaries, lists, tuples, sets, texts, numbers.

    Byte strings of Python 2 become texts. Raises InputError, with nothing run, for a pickle that names a class or a
    function (which OrderedDict, datetime, NumPy arrays and sets in a protocol before 4 do), is damaged, or is missing.
    Memory grows with the size of the file and with nothing that the file says.
    """
    file = Path(file).expanduser()
    try:
        with file.open("rb") as opened:
            if not file.stat().st_size:
                raise InputError(f"{file} is empty; a pickle was wanted.")
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data, file).read()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}); give the path of a pickle.") from None


class _Reader:
    """A stack, a memo and a place in the file; `stacks` are those set aside by MARK."""

    def __init__(self, data: mmap.mmap, file: Path) -> None:
        self.data, self.file, self.at, self.size = data, file, 0, len(data)
        self.stack: list[Any] = []
        self.stacks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.build: dict[bytes, Callable[[], None]] = {
            b"(": self.mark, b"0": self.pop, b"1": lambda: self.items().clear(),
            b"2": lambda: self.stack.append(self.stack[-1]),
            b"a": lambda: self.extend([self.stack.pop()]), b"e": lambda: self.extend(self.items()),
            b"s": lambda: self.update([self.stack.pop(-2), self.stack.pop()]), b"u": lambda: self.update(self.items()),
            b"\x90": self.add, b"l": lambda: self.push_items(list), b"t": lambda: self.push_items(tuple),
            b"d": lambda: self.push_items(codes.dictionary), b"\x91": lambda: self.push_items(codes.frozen),
            b"p": lambda: self.put(int(self.line())), b"g": lambda: self.get(int(self.line())),
            b"\x94": lambda: self.put(len(self.memo)),
        }  # fmt: skip

    def read(self) -> Any:
        """The one object of the file."""
        try:
            while (code := self.take(1)) != b".":
                self.step(code)
            return self.stack.pop()
        except InputError:
            raise
        except (ValueError, TypeError, LookupError, struct.error, EOFError, Warning) as error:
            reason = str(error) or type(error).__name__
            raise InputError(f"{self.file} is no whole pickle (byte {self.at}: {reason}); fetch it again.") from None

    def step(self, code: bytes) -> None:
        """Carry out one instruction."""
        if code in codes.SIZED:
            form, make = codes.SIZED[code]
            self.stack.append(make(self.take(self.number(form))))
        elif code in self.build:
            self.build[code]()
        elif code in codes.PUTS:
            self.put(self.number(codes.PUTS[code]))
        elif code in codes.GETS:
            self.get(self.number(codes.GETS[code]))
        elif code in codes.NUMBERS:
            self.stack.append(self.number(codes.NUMBERS[code]))
        elif code in codes.FIXED:
            self.stack.append(codes.FIXED[code]())
        elif code in codes.TUPLES:
            self.stack[-codes.TUPLES[code] :] = [tuple(self.some(codes.TUPLES[code]))]
        elif code in codes.LINES:
            self.stack.append(codes.LINES[code](self.line()))
        elif code in codes.SKIPPED:
            self.take(codes.SKIPPED[code])
        else:
            self.refuse(code)

    def refuse(self, code: bytes) -> None:
        """Say what the file wanted."""
        begin = self.at - 1
        if code not in codes.REFUSED:
            raise ValueError(f"no instruction is called {code!r}")
        wanted = f"the instruction {codes.REFUSED[code]}"
        if code in b"ci":
            wanted = f"{self.line().decode('utf-8', 'replace')}.{self.line().decode('utf-8', 'replace')}"
        elif code == b"\x93" and all(isinstance(part, str) for part in self.stack[-2:]):
            wanted = ".".join(self.stack[-2:])
        raise InputError(
            f"{self.file} is refused, and nothing in it was run: it asks for {wanted[:100]!r} at byte {begin}, and a "
            f"pickle may hold {KINDS} only; if you trust who made it, load it there and save it as these."
        )

    def take(self, count: int) -> bytes:
        """The next bytes."""
        end = self.at + count
        if count < 0 or end > self.size:
            raise EOFError("it ends too early")
        taken, self.at = self.data[self.at : end], end
        return taken

    def line(self) -> bytes:
        """The bytes up to the end of the line."""
        taken = self.take(self.data.find(b"\n", self.at) + 1 - self.at)
        return taken[:-1].rstrip(b"\r")

    def number(self, form: str) -> Any:
        """A number in a format of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def some(self, count: int) -> list[Any]:
        """The uppermost items, which must be there."""
        if len(self.stack) < count:
            raise IndexError("its stack is empty")
        return self.stack[-count:]

    def mark(self) -> None:
        """Set the stack aside."""
        self.stacks.append(self.stack)
        self.stack = []

    def pop(self) -> None:
        """Drop the uppermost item or mark."""
        if self.stack:
            self.stack.pop()
        else:
            self.stack = self.stacks.pop()

    def items(self) -> list[Any]:
        """All since the last mark."""
        items, self.stack = self.stack, self.stacks.pop()
        return items

    def push_items(self, make: Callable[[list[Any]], Any]) -> None:
        """Turn all since the last mark into one object."""
        made = make(self.items())
        self.stack.append(made)

    def extend(self, items: list[Any]) -> None:
        """Append to the list on top."""
        codes.must_be(self.stack[-1], list).extend(items)

    def update(self, items: list[Any]) -> None:
        """Put keys and values into the dictionary on top."""
        codes.must_be(self.stack[-1], dict).update(codes.dictionary(items))

    def add(self) -> None:
        """Put items into the set on top."""
        items = self.items()
        codes.must_be(self.stack[-1], set).update(codes.frozen(items))

    def put(self, place: int) -> None:
        """Remember the uppermost item."""
        self.memo[place] = self.stack[-1]

    def get(self, place: int) -> None:
        """Push what was remembered."""
        self.stack.append(self.memo[place])
