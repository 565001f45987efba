"""Files that are either complete or not there.

Everything is written beside its place and renamed into it, so a killed build leaves nothing half-written and two builds
at once do no harm. A folder of the cache is complete when its manifest, written last, names every file with its size
and checksum: a file that was overwritten, or in which a bit has flipped, is noticed even at equal size.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import sys
import zlib
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
    """Write the files of a folder, then its manifest with their sizes and checksums, and one of its own."""
    for name, fill in fills.items():
        files.write(folder / name, fill)
    sizes = {name: (folder / name).stat().st_size for name in fills}
    sums = {name: checksum(folder / name) for name in fills}
    kept = {name: value for name, value in manifest.items() if name not in ("files", "sums", "sum")}
    whole = json.loads(json.dumps({**kept, "files": sizes, "sums": sums}))  # as it will be read
    write_json(folder / MANIFEST, {**whole, "sum": _sum(whole)})


def published(folder: Path) -> dict[str, Any] | None:
    """The manifest of a complete folder, else None. A damaged folder is cleared, with one line on stderr."""
    if not folder.exists():
        return None
    manifest = read_json(folder / MANIFEST)
    if manifest is None and not (folder / MANIFEST).exists():
        return None  # a build was stopped before the end
    readable = isinstance(manifest, dict) and isinstance(manifest.get("files"), dict)
    problem = _damage(folder, manifest) if readable else "its manifest cannot be read"
    if problem:
        print(f"rebuilding {folder}: {problem}", file=sys.stderr)
        shutil.rmtree(folder)
        return None
    return manifest


def _damage(folder: Path, manifest: dict[str, Any]) -> str:
    """What is wrong with a folder, "" if nothing; those of earlier versions have sizes and no checksums."""
    sums = manifest.get("sums", {})
    if ("sum" in manifest or sums) and manifest.get("sum") != _sum(manifest):
        return "its manifest is not what was written"
    for name, size in manifest["files"].items():
        found = (folder / name).stat().st_size if (folder / name).exists() else None
        if found != size:
            return f"{name} " + ("is missing" if found is None else f"has {found} bytes of {size}")
        if name in sums and checksum(folder / name) != sums[name]:
            return f"{name} is not what was written"
    return ""


def _sum(manifest: dict[str, Any]) -> str:
    return key({name: value for name, value in manifest.items() if name != "sum"})


def checksum(file: Path) -> int:
    """The CRC-32 of a file, of which a process reads each state once (2 GB take a second)."""
    found = file.stat()
    return _checksum(file, found.st_ino, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _checksum(file: Path, *_state: int) -> int:
    total = 0
    with file.open("rb") as opened:
        while piece := opened.read(2**20):
            total = zlib.crc32(piece, total)
    return total
