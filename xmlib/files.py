"""Writing files so that a killed process leaves the old one or the new one, never half of one."""

import os
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by a file of that content in one step, making its folder first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    os.replace(part, path)


def write_text(path: Path, content: str) -> None:
    """Replace `path` by a UTF-8 file of that text in one step."""
    write_bytes(path, content.encode())
