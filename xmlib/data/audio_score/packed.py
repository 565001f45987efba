"""Finished pairs as one file, for a machine on which they cannot be built.

A zip archive: a head with all that is small, and the files of a folder of the cache. Of float16 numbers the first and
the second bytes stand apart. The first are hardly more than noise and are stored, the second shrink to less than a
half. The pairs of the profile full take 74 MiB, 50 of which are first bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from xmlib import files, paths
from xmlib.data import cache
from xmlib.data.audio_score.pairs import VERSION as PAIRS
from xmlib.data.audio_score.pairs import content_digest, pair_ids
from xmlib.errors import InputError

VERSION = [1, PAIRS]  # raise the first when files written before can no longer be read
HEAD, HASH = "head.json", "head.sha256"
HALVES = {".first-bytes": zipfile.ZIP_STORED, ".second-bytes": zipfile.ZIP_LZMA}  # of float16
BROKEN = (
    zipfile.BadZipFile, lzma.LZMAError, struct.error, EOFError, RuntimeError, MemoryError, ValueError, LookupError,
    TypeError,
)  # fmt: skip


class Packed(NamedTuple):
    """What is small in a file of pairs: the manifest, versions of the packages that made them, and other texts."""

    manifest: dict[str, Any]
    packages: dict[str, str]
    texts: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where the pairs lie in the cache, once they are unpacked or built."""
        return paths.DATA / "audio_score" / f"pairs-{cache.key(self.manifest['settings'])}"


def pack(folder: Path, target: Path, packages: Mapping[str, str], texts: Mapping[str, str]) -> None:
    """Write the pairs of a finished folder of the cache into one file, with those versions and texts.

    Raises InputError where the pairs are not there or the file cannot be written.
    """
    manifest = cache.published(folder)
    if manifest is None:
        raise InputError(f"there are no finished pairs in {folder}; build them first.")
    head = {"version": VERSION, "manifest": manifest, "packages": dict(packages), "texts": dict(texts)}
    try:
        files.write(target, lambda file: _fill(file, folder, json.dumps(head).encode(), list(manifest["files"])))
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}); choose another place.") from None


def _fill(file: BinaryIO, folder: Path, head: bytes, names: list[str]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(HEAD, head)
        archive.writestr(HASH, hashlib.sha256(head).hexdigest())
        for name in names:
            content = (folder / name).read_bytes()
            if np.load(folder / name, mmap_mode="r").dtype == np.float16:
                for start, (half, method) in enumerate(HALVES.items()):
                    archive.writestr(name + half, content[start::2], method)
            else:
                archive.writestr(name, content)


def head(file: Path) -> Packed:
    """What is small in a file of pairs. Raises InputError as `unpack`."""
    with _opened(file) as archive:
        return _head(archive, file)


def unpack(file: Path) -> Packed:
    """What is small in a file of pairs, whose arrays now lie in the cache, where `audio_score.load` finds them too.

    Head and arrays are checked by their hashes. Raises InputError for a file that is not there, cut short, altered or
    of another version, and where the cache cannot be written.
    """
    with _opened(file) as archive:
        packed = _head(archive, file)
        if _is_there(packed):
            return packed
        contents = {name: _content(archive, name) for name in packed.manifest["files"]}
        if _digest(packed.manifest, contents) != packed.manifest["digest"]:
            raise ValueError("its pairs have another hash")
    _publish(packed, contents)
    return packed


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever in it cannot be read becomes one InputError."""
    if not file.is_file():
        raise InputError(f"there is no file {file}; python -m xmlib.runs.side_by_side pack writes one.")
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except InputError:
        raise
    except BROKEN as error:
        why = str(error) or type(error).__name__
        raise InputError(f"{file} is cut short or altered ({why}); copy it here again.") from None


def _head(archive: zipfile.ZipFile, file: Path) -> Packed:
    content = archive.read(HEAD)
    if hashlib.sha256(content).hexdigest() != archive.read(HASH).decode():
        raise ValueError("its head has another hash")
    found = json.loads(content)
    if found["version"] != VERSION:
        raise InputError(
            f"{file} is of version {found['version']}, and this code reads {VERSION}; pack the pairs with this code."
        )
    return Packed(found["manifest"], found["packages"], found["texts"])


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    if name in archive.namelist():
        return archive.read(name)
    halves = [np.frombuffer(archive.read(name + half), np.uint8) for half in HALVES]
    return np.stack(halves, axis=1).tobytes()


def _is_there(packed: Packed) -> bool:
    """Whether the cache has the pairs, by the hash of what lies there."""
    if cache.published(packed.folder) is None:
        return False
    try:
        there = {name: (packed.folder / name).read_bytes() for name in packed.manifest["files"]}
        return _digest(packed.manifest, there) == packed.manifest["digest"]
    except (OSError, *BROKEN):
        return False


def _digest(manifest: dict[str, Any], contents: Mapping[str, bytes]) -> str:
    arrays = {name: np.load(io.BytesIO(content), allow_pickle=False) for name, content in contents.items()}
    return content_digest(pair_ids(arrays["rows.npy"], manifest["tunes"]), *arrays.values())


def _publish(packed: Packed, contents: Mapping[str, bytes]) -> None:
    fills = {name: (lambda file, content=content: file.write(content)) for name, content in contents.items()}
    try:
        cache.publish(packed.folder, fills, packed.manifest)
    except OSError as error:
        raise InputError(
            f"the pairs cannot be written to {packed.folder} ({error.strerror}); if the disk is full or closed, "
            "set XMLIB_DATA to another folder."
        ) from None
