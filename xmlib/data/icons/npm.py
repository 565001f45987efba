"""Packages of JavaScript's registry: fetched by npm without being installed, checked by their hash, and read."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from xmlib.data import cache
from xmlib.errors import InputError

TOP = "package/"  # where the files of every package lie
SAYS_NOTHING = ("npm error A complete log", "npm error code")


class Package(NamedTuple):
    """One version of a package. `sha256`: of its .tgz file."""

    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """What npm calls its file: tabler-icons-3.52.0.tgz for @tabler/icons."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    @property
    def asked(self) -> str:
        return f"{self.name}@{self.version}"


def download(packages: Sequence[Package], folder: Path, minutes: float = 10) -> list[Path]:
    """The .tgz files in a folder, those that are not there fetched by `npm pack`, which installs and runs nothing.

    A package appears when it is whole and has its hash, so a call that was stopped goes on with the next one. Raises
    InputError where there is no npm, where a package cannot be had within so many minutes, and where it is another
    than the one pinned here.
    """
    there = [folder / package.file for package in packages]

    def missing() -> list[Package]:
        return [package for package in packages if problem(package, folder)]

    def make() -> list[Path]:
        for part in folder.glob(f"{cache.PART}*"):
            shutil.rmtree(part)  # of a call that was killed; no other one is under way
        for package in missing():
            _fetch(package, folder, minutes)
            print(f"{package.asked} is there", file=sys.stderr)
        return there

    return cache.built(folder, "icons", lambda: None if missing() else there, make)


def by_hand(packages: Sequence[Package], folder: Path) -> str:
    """What to do without npm."""
    asked = " ".join(package.asked for package in packages)
    return f"run npm pack {asked} on a machine that has npm and a network, and put the files into {folder}."


def problem(package: Package, folder: Path) -> str:
    """Why a package in a folder cannot be used, "" if it can."""
    file = folder / package.file
    if not file.exists():
        return "is not there"
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    return "" if found == package.sha256 else f"has the SHA-256 {found} and not {package.sha256}"


def _fetch(package: Package, folder: Path, minutes: float) -> None:
    if shutil.which("npm") is None:
        raise InputError(f"npm is not on this machine (it comes with Node.js); {by_hand([package], folder)}")
    with tempfile.TemporaryDirectory(dir=folder, prefix=cache.PART) as part:
        wrong = _pack(package, Path(part), minutes) or problem(package, Path(part))
        if wrong:
            raise InputError(
                f"npm could not fetch {package.asked} ({wrong}); try again, which goes on with what is missing, or "
                f"{by_hand([package], folder)}"
            )
        os.replace(Path(part) / package.file, folder / package.file)


def _pack(package: Package, folder: Path, minutes: float) -> str:
    """What went wrong, "" if nothing."""
    try:
        done = subprocess.run(
            ["npm", "pack", "--ignore-scripts", package.asked], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60 * minutes,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it took longer than {minutes:g} minutes"
    said = [line for line in done.stderr.splitlines() if line.startswith("npm error ")]
    told = [line.removeprefix("npm error").strip() for line in said if not line.startswith(SAYS_NOTHING)]
    return "" if done.returncode == 0 else (told[0] if told else f"npm ended with {done.returncode}")


def files(package: Package, folder: Path) -> dict[str, bytes]:
    """Path → content of every file in a package, without the folder that all lie in.

    Raises InputError where the package is not there, or is another one than was pinned.
    """
    if wrong := problem(package, folder):
        raise InputError(
            f"{folder / package.file} {wrong}; run: xm data download icons, or {by_hand([package], folder)}"
        )
    try:
        with tarfile.open(folder / package.file, "r:gz") as archive:
            there = [member for member in archive if member.isfile() and member.name.startswith(TOP)]
            return {member.name.removeprefix(TOP): archive.extractfile(member).read() for member in there}  # type: ignore[union-attr]
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise InputError(f"{folder / package.file} is no package of npm ({error}); fetch it again.") from None
