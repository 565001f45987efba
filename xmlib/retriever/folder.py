"""A folder that is written whole or not at all, with a manifest by which a changed one is known.

No file in it is code or a pickle: numbers are safetensors, the rest is JSON.
"""

import contextlib
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xmlib.data.own import given
from xmlib.errors import InputError
from xmlib.files import PART
from xmlib.runs.parameters import fits_a_name, takes_files

FORMAT = 1  # of the folder; raise it when this version can no longer be read, and go on reading older ones
MANIFEST = "manifest.json"


@contextmanager
def written(folder: Path | str, kind: str) -> Iterator[Path]:
    """An empty folder to be filled inside the `with`, which then stands at `folder` with a manifest.

    What was saved there before is replaced. Raises `InputError` where something else lies there.
    """
    folder = given.path(folder)
    check_place(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{_beside(folder)}{os.getpid()}-"))
    try:
        part = work / "new"
        part.mkdir()
        yield part
        _write_manifest(part, kind)
        if folder.exists():  # no folder can be replaced in one step; killed between the two, both are whole in `work`
            folder.rename(work / "old")
        part.rename(folder)
    finally:
        if not folder.exists() and (work / "old").exists():  # stopped between the two
            (work / "old").rename(folder)
        shutil.rmtree(work)


def _beside(folder: Path) -> str:
    """How the name of a folder begins in which this one is made; the process that makes it follows."""
    return f"{PART}{folder.name[:100]}-"


def recover(folder: Path) -> None:
    """Put into its place what a process had made that was killed between two steps, and remove what it left."""
    import psutil

    for work in folder.parent.glob(f"{glob.escape(_beside(folder))}[0-9]*"):
        process = work.name.removeprefix(_beside(folder)).split("-")[0]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            with contextlib.suppress(OSError):
                if (work / "old").is_dir() and not folder.exists():  # then the new one was whole
                    (work / "new").rename(folder)
                shutil.rmtree(work)


def check_place(folder: Path) -> None:
    """Raise `InputError` where no folder can be saved: something else lies there, or nothing can be written there."""
    if not fits_a_name(str(folder)) or not takes_files(folder.absolute().parent):
        raise InputError(f"No model can be written to {str(folder)[:200]!r}: give a new folder in one of yours.")
    if os.path.isdir(folder) and not any(folder.iterdir()):
        return
    if os.path.exists(folder) and not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} is there and holds something else than a saved model: choose another folder.")


def _write_manifest(part: Path, kind: str) -> None:
    files = {path.relative_to(part).as_posix(): _hash(path) for path in sorted(part.rglob("*")) if path.is_file()}
    content: dict[str, Any] = {"format": FORMAT, "kind": kind, "files": files}
    (part / MANIFEST).write_text(json.dumps(content | {"sha256": _own_hash(content)}, indent=1), "utf-8")
    for path in part.rglob("*"):  # the bytes reach the disk before the name does, and others may read them
        if path.is_file():
            path.chmod(0o644)
            with path.open("rb") as file:
                os.fsync(file.fileno())


def checked(folder: Path | str, kind: str) -> Path:
    """The folder, every file of which is as it was written; raises `InputError` where one is not."""
    folder = given.path(folder)
    if not os.path.isfile(folder / MANIFEST):
        recover(folder)
    if not os.path.isfile(folder / MANIFEST):
        raise InputError(f"{folder} holds no saved {kind}, since {MANIFEST} is not there: give the folder of one.")
    content = _manifest(folder)
    if content["kind"] != kind:
        raise InputError(f"{folder} holds a saved {content['kind']}, and a {kind} was wanted: give another folder.")
    for name, written_hash in content["files"].items():
        if not (folder / name).is_file():
            raise InputError(f"{name} is missing from {folder}: copy the whole folder again, or save it anew.")
        if _hash(folder / name) != written_hash:
            raise InputError(
                f"{name} in {folder} is cut short or was changed since it was saved: copy the whole folder again, or "
                "save it anew."
            )
    return folder


def _manifest(folder: Path) -> dict[str, Any]:
    """What the manifest says; a newer format is named before anything else in it is looked at."""
    changed = f"{MANIFEST} in {folder} is cut short or was changed since it was saved: copy the folder again."
    try:
        content = json.loads((folder / MANIFEST).read_text("utf-8"))
        newer, own = int(content["format"]) > FORMAT, content.pop("sha256", None)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(changed) from None
    if newer:
        raise InputError(
            f"{folder} was saved by a newer version in format {content['format']}, and this one reads up to {FORMAT}: "
            "update xmlib."
        )
    if own != _own_hash(content):
        raise InputError(changed)
    return content


def _own_hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
