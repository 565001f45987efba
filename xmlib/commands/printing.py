"""How commands print: tables of text, one line that moves, and files of JSON."""

import json
import sys
import time
from collections.abc import Sequence
from typing import Any


def say(line: str) -> None:
    """Print to stderr what is not the result, so that the result can be piped."""
    print(line, file=sys.stderr)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as aligned columns under their names; numbers to the right, with three digits after the point."""
    if not rows:
        return "(nothing)"
    names = list(rows[0])
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    right = [all(isinstance(row[name], int | float) for row in rows) for name in names]
    lines = [[c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)] for line in cells]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.3f}"
    return "".join(c if c.isprintable() else " " for c in str(value))  # no control codes reach the terminal


def as_json(content: Any) -> str:
    """The content as JSON; a number that is none becomes null, which other readers of JSON need."""
    return json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False)


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if hasattr(content, "item"):
        content = content.item()
    return None if isinstance(content, float) and abs(content) in (float("inf"),) or content != content else content


class Progress:
    """Lines on stderr that replace each other on a terminal.

    Elsewhere, as in a log, they follow each other: the first two after a line that stays, then one every so many
    seconds.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.width, self.lines, self.last = seconds, 0, 0, 0.0

    def __call__(self, line: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{line.ljust(self.width)}", end="", file=sys.stderr, flush=True)
            self.width = len(line)
        elif self.lines < 2 or time.monotonic() - self.last >= self.seconds:
            say(line)
            self.lines, self.last = self.lines + 1, time.monotonic()

    def keep(self, line: str) -> None:
        """Print a line that stays."""
        self.lines = 0
        self(line)
        if self.width:
            print(file=sys.stderr)
        self.width = self.lines = 0
