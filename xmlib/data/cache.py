"""Files that are either complete or not there.

Everything is written beside its place and renamed into it, so a killed build leaves nothing half-written and two builds
at once do no harm. A folder of the cache is complete when its manifest, written last, names every file with its size.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from xmlib import files
from xmlib.errors import InputError
from xmlib.files import PART, write_text

MANIFEST = "manifest.json"


def key(settings: Any) -> str:
    """16 hexadecimal digits that change with any setting."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def write_json(path: Path, content: Any) -> None:
    """Write JSON in one step."""
    write_text(path, json.dumps(content, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any | None:
    """What a JSON file says; None where there is no file or only a part of one."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def sweep(folder: Path) -> None:
    """Remove what killed builds left half-written. Call it only while no other build runs."""
    for part in folder.rglob(f"{PART}*"):
        part.unlink(missing_ok=True)


def built(home: Path, what: str, find: Callable[[], Any], make: Callable[[], Any]) -> Any:
    """What `find` finds, else what `make` makes while no other process builds in `home`.

    Raises InputError, with `what` in it, where nothing can be written there.
    """
    found = find()
    if found is not None:
        return found
    from filelock import FileLock  # only where something is to be built

    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".lock"):
            found = find()
            return make() if found is None else found
    except OSError as error:
        raise InputError(
            f"{what} cannot be built in {home} ({error.strerror or error}); if the disk is full or closed, "
            "set XMLIB_DATA to another folder."
        ) from None


def publish(folder: Path, fills: Mapping[str, Callable[[BinaryIO], Any]], manifest: dict[str, Any]) -> None:
    """Write the files of a folder, then its manifest with their sizes."""
    for name, fill in fills.items():
        files.write(folder / name, fill)
    sizes = {name: (folder / name).stat().st_size for name in fills}
    write_json(folder / MANIFEST, {**manifest, "files": sizes})


def published(folder: Path) -> dict[str, Any] | None:
    """The manifest of a complete folder, else None. A damaged folder is cleared, with one line on stderr."""
    if not folder.exists():
        return None
    manifest = read_json(folder / MANIFEST)
    if manifest is None and not (folder / MANIFEST).exists():
        return None  # a build was stopped before the end
    sizes = manifest.get("files") if isinstance(manifest, dict) else None
    problem = _damage(folder, sizes) if isinstance(sizes, dict) else "its manifest cannot be read"
    if problem:
        print(f"rebuilding {folder}: {problem}", file=sys.stderr)
        shutil.rmtree(folder)
        return None
    return manifest


def _damage(folder: Path, sizes: dict[str, int]) -> str:
    """What is wrong with the files of a folder, "" if nothing."""
    for name, size in sizes.items():
        found = (folder / name).stat().st_size if (folder / name).exists() else None
        if found != size:
            return f"{name} " + ("is missing" if found is None else f"has {found} bytes of {size}")
    return ""
