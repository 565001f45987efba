"""Writing files so that a killed process leaves the old one or the new one, never half of one."""

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

PART = ".part-"  # begins the name of a file being written


def write(path: Path, fill: Callable[[BinaryIO], Any]) -> None:
    """Let `fill` write a file, which then appears at `path` in one step; makes its folder first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PART)
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(handle)  # the bytes reach the disk before the name does
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by a file of that content in one step."""
    write(path, lambda file: file.write(content))


def svg(figure: Any) -> bytes:
    """The SVG of a Matplotlib figure; the same bytes for the same figure, since no date is in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def write_text(path: Path, content: str) -> None:
    """Replace `path` by a UTF-8 file of that text in one step."""
    write_bytes(path, content.encode())
