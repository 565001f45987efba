"""Debian packages: fetched by apt-get without being installed, and read without dpkg."""

from __future__ import annotations

import io
import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from xmlib.errors import InputError

STDERR = 2  # the number of the stream, which notebooks replace by an object without one
HEADER = 60  # bytes before each member of an ar archive


def download(packages: Sequence[str], folder: Path, minutes: float = 30) -> list[Path]:
    """The .deb files, fetched by `apt-get download` into a folder; needs no root and installs nothing.

    Where the list of packages is missing or old, a list of our own is fetched first and thrown away afterwards. Raises
    InputError where there is no apt-get or a package cannot be had; the folder is then as it was.
    """
    where = by_hand(packages, folder)
    if shutil.which("apt-get") is None:
        raise InputError(f"apt-get is not on this machine (Debian and Ubuntu have it); {where}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part:
        own = _own_state(Path(part) / "apt")
        problem = _apt(["download", *packages], Path(part), minutes)
        if problem:
            problem = _apt([*own, "update"], Path(part), minutes) or _apt(
                [*own, "download", *packages], Path(part), minutes
            )
        fetched = sorted(Path(part).glob("*.deb"))
        if problem or len(fetched) != len(packages):
            raise InputError(f"apt-get could not fetch {' and '.join(packages)} ({problem or 'no file came'}); {where}")
        for file in fetched:
            os.replace(file, folder / file.name)
    return [folder / file.name for file in fetched]


def by_hand(packages: Sequence[str], folder: Path) -> str:
    """What to do without apt-get."""
    files = " and ".join(f"{name}_…_all.deb" for name in packages)
    return f"fetch {files} by hand from https://packages.debian.org and put them into {folder}."


def _own_state(folder: Path) -> list[str]:
    """Options that make apt-get keep its lists in a folder of ours, which takes no root."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    return ["-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]


def _apt(arguments: list[str], folder: Path, minutes: float) -> str:
    """What went wrong, "" if nothing. The program's own progress goes to stderr."""
    root = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []  # else it warns of the folder's owner
    try:
        done = subprocess.run(
            ["apt-get", *root, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=STDERR,
            stderr=subprocess.PIPE, text=True, timeout=60 * minutes, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it took longer than {minutes:g} minutes"
    said = [line for line in done.stderr.splitlines() if line.startswith("E:")]
    return "" if done.returncode == 0 else (said[-1][2:].strip() if said else f"apt-get ended with {done.returncode}")


def files(deb: Path, below: str) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file in a package whose path begins with `below`, such as usr/share/openclipart/.

    Links and anything but plain files are passed over. Raises InputError for a file that is no whole package.
    """
    try:
        with _contents(deb) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if member.isfile() and name.startswith(below) and ".." not in name.split("/"):
                    yield name.removeprefix(below), archive.extractfile(member).read()
    except (OSError, EOFError, ValueError, tarfile.TarError, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"{deb} is no Debian package, or only a part of one ({error}); fetch it again.") from None


def _contents(deb: Path) -> tarfile.TarFile:
    name, packed = next((name, content) for name, content in _members(deb.read_bytes()) if name.startswith("data.tar"))
    if not name.endswith(".zst"):
        return tarfile.open(fileobj=io.BytesIO(packed), mode="r:*")
    if shutil.which("dpkg-deb") is None:  # Ubuntu packs with zstandard, which Python 3.11 cannot read
        raise ValueError("it is packed with zstandard, which takes dpkg-deb to open")
    plain = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], capture_output=True, check=False).stdout
    return tarfile.open(fileobj=io.BytesIO(plain), mode="r:")


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of the members of an ar archive. Raises ValueError if it is none, or has no contents."""
    if not archive.startswith(b"!<arch>\n"):
        raise ValueError("it does not begin like one")
    place = 8
    while place + HEADER <= len(archive):
        header = archive[place : place + HEADER]
        length = int(header[48:58])
        if place + HEADER + length > len(archive):
            raise ValueError("it ends too early")
        yield header[:16].decode("ascii", "replace").rstrip(" /"), archive[place + HEADER : place + HEADER + length]
        place += HEADER + length + length % 2
    raise ValueError("it holds no files")
