"""Paths that a user gave."""

import os
from pathlib import Path

from xmlib.errors import InputError


def path(text: str | Path) -> Path:
    """With the home folder in place of `~`; unlike pathlib, no error where there is no user of that name."""
    return Path(os.path.expanduser(text))


def check_plain(file: Path, what: str = "a file") -> None:
    """Raise `InputError` for a folder, a pipe or a device, which may never end; a file that is not there passes."""
    if os.path.exists(file) and not os.path.isfile(file):
        raise InputError(f"{file} is a folder, a pipe or a device; give the path of {what}.")
