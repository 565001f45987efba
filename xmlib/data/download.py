"""Fetches the papers' own files when asked to: `xm data download iapr`.

A download that breaks off is kept and goes on where it was, now or in the next call. A file appears at its place only
when it is whole.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

from xmlib import paths
from xmlib.errors import InputError

ADDRESSES = {
    "iapr": "http://www.cp.jku.at/people/dorfer/cca_layer/iapr.npz",
    "audio_score": "http://www.cp.jku.at/people/dorfer/cca_layer/audio_sheet_music.npz",
}
TRIES = 5  # in a row without a single new byte
PAUSE = 1.0  # seconds before the next try
PATIENCE = 60.0  # seconds without an answer
BLOCK = 1 << 16
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)  # faults of the disk, not of the network


def place(name: str, cache_folder: Path | None = None) -> Path:
    """Where the original file of a data set belongs."""
    return Path(cache_folder or paths.DATA) / "originals" / ADDRESSES[name].rsplit("/", 1)[1]


def original(name: str, *, cache_folder: Path | None = None, address: str = "", sha256: str = "") -> Path:
    """The original file of a data set, fetched if it is not there. Raises InputError as `fetch` does."""
    if name not in ADDRESSES:
        raise InputError(f"there is nothing to download for {name!r}; choose one of: {', '.join(ADDRESSES)}.")
    target = place(name, cache_folder)
    if not target.exists():
        return fetch(address or ADDRESSES[name], target, sha256)
    _check_sha256(target, target, sha256)
    print(f"{target} is there already", file=sys.stderr)
    return target


def fetch(address: str, target: Path, sha256: str = "") -> Path:
    """The file at `target`, downloaded with a progress bar on stderr.

    The length must be the one that the server announces, the hash `sha256` if one is given, and an .npz must open as
    one. Raises InputError naming the address and the place when the server cannot be reached or refuses, when the
    download keeps breaking off (what came is kept), and when what came is wrong (it is thrown away).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.download")
    from tqdm import tqdm

    with tqdm(desc=target.name, unit="B", unit_scale=True, file=sys.stderr, leave=False) as bar:
        _fill(address, target, part, bar)
    if target.suffix == ".npz" and not zipfile.is_zipfile(part):
        _throw_away(part)
        raise InputError(f"what {address} sent is no .npz file; fetch it by hand and put it at {target}.")
    _check_sha256(part, target, sha256, remove=True)
    os.replace(part, target)
    _throw_away(part)
    return target


def _fill(address: str, target: Path, part: Path, bar: Any) -> None:
    """Have the whole file at `part`, trying again as long as something comes."""
    failures = 0
    while not _whole(part):
        before = _size(part)
        try:
            if _attempt(address, part, bar) is None:
                return  # the server does not say how long the file is
            problem = f"it broke off after {_size(part)} of {_announced(part)['total']} bytes"
        except urllib.error.HTTPError as error:
            with error:
                raise InputError(
                    f"{address} cannot be had: the server answers {error.code} ({error.reason}); ask the authors for "
                    f"the file and put it at {target}."
                ) from None
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise InputError(
                    f"{target} cannot be written ({error.strerror}): make room, or set XMLIB_DATA to another folder; "
                    f"{_size(part)} bytes are kept and the next call goes on from there."
                ) from None
            problem = f"{getattr(error, 'reason', None) or error or type(error).__name__}"
        failures = 0 if _size(part) > before else failures + 1
        if failures >= (TRIES if _size(part) else 1):  # without a first byte there is most likely no network
            kept = f"; {_size(part)} bytes are kept and the next call goes on from there" if _size(part) else ""
            raise InputError(
                f"{address} cannot be fetched ({problem}){kept}; try again with a network, or fetch it by hand and put "
                f"it at {target}."
            )
        if not _whole(part):
            time.sleep(PAUSE)


def _whole(part: Path) -> bool:
    return _size(part) > 0 and _size(part) == _announced(part).get("total")


def _attempt(address: str, part: Path, bar: Any) -> int | None:
    """Ask for what is missing and append it; the length of the whole file, None where the server does not say."""
    have, known = _size(part), _announced(part)
    headers = {"User-Agent": "xmlib", "Accept-Encoding": "identity"}
    if have and known.get("total") and known.get("version"):  # without it two files might be joined
        headers |= {"Range": f"bytes={have}-", "If-Range": known["version"]}  # a file that has changed is sent whole
    try:
        answer = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code != 416 or "Range" not in headers:
            raise
        error.close()
        _throw_away(part)  # the server has no such place in the file: it is another one
        return _attempt(address, part, bar)
    with answer:
        start, total = _range(answer)
        if start and (start != have or total != known.get("total")):
            _throw_away(part)
            raise OSError("the server has another file than before")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        _note(part, {"version": "" if version.startswith("W/") else version, "total": total})
        bar.reset(total)
        bar.update(start)
        with part.open("ab" if start else "wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
                bar.update(len(block))
    return total


def _range(answer: Any) -> tuple[int, int | None]:
    """The first byte that an answer holds, and the length of the whole file (None: unknown)."""
    if answer.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if found is None:
            raise OSError("the server sends a part without saying which")
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = answer.headers.get("Content-Length")
    return 0, int(length) if length and length.isdigit() else None


def _check_sha256(file: Path, target: Path, expected: str, remove: bool = False) -> None:
    """Say the hash of a file; raise InputError if it is not the expected one."""
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if expected and found != expected.strip().lower():
        if remove:
            _throw_away(file)
        raise InputError(f"the SHA-256 of {target.name} is {found} and not {expected}; fetch {target} again.")
    print(f"sha256 {found}  {target}", file=sys.stderr)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _note(part: Path, known: dict[str, Any]) -> None:
    """Write down what tells whether the server still has the same file."""
    _notes(part).write_text(json.dumps(known))


def _announced(part: Path) -> dict[str, Any]:
    try:
        return json.loads(_notes(part).read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _throw_away(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)
