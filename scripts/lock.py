"""Makes requirements.lock, requirements-cuda.lock and the pins of environment.yml from pyproject.toml.

Usage: `python -m scripts.lock [option of uv …]`, with `uv` installed beside it. Versions stay as they are where
pyproject.toml still admits them; `--upgrade` or `--upgrade-package NAME` takes newer ones.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK, CUDA_LOCK, CONDA = (ROOT / n for n in ("requirements.lock", "requirements-cuda.lock", "environment.yml"))
OF_CUDA = ("nvidia-", "cuda-", "triton")  # PyTorch's CUDA build needs these, its CPU build does not

HEAD = """\
# Made by `python -m scripts.lock`; do not edit. Every package of the project at one version, with the hashes of all its
# files: `make` installs nothing else into .venv. For Python 3.11 to 3.13; PyTorch in its CUDA build or without.
"""
CUDA_HEAD = """\
# Made by `python -m scripts.lock`; do not edit. What PyTorch's CUDA build needs besides requirements.lock: `make`
# installs it where pip has chosen that build.
"""


def resolved(options: Sequence[str]) -> str:
    """The pins and hashes of every package that pyproject.toml wants, on any system, as uv writes them."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    [lowest] = re.findall(r">=([\d.]+)", wanted)
    shape = [
        "--universal",
        "--python-version",
        lowest,
        "--all-extras",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
    ]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "all.lock"  # uv keeps the versions that it finds in this file
        out.write_text("".join(file.read_text() for file in (LOCK, CUDA_LOCK) if file.exists()))
        command = ["uv", "pip", "compile", "--quiet", *shape, *options, "--output-file", str(out), "pyproject.toml"]
        subprocess.run(command, check=True, cwd=ROOT)
        return out.read_text()


def blocks(text: str) -> list[list[str]]:
    """The lines of each package in a lock: the pin, and a hash a line. A package may have a version for each Python."""
    return [block.splitlines() for block in re.findall(r"^[a-z0-9].*==.*(?:\n    --hash.*)*", text, flags=re.M)]


def hash_of_what_pip_takes(pin: str) -> str:
    """The line with the hash of the file that pip would install here for `pin`, without installing it."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
    said = subprocess.run([*command, "--report", "-", pin], check=True, capture_output=True, text=True).stdout
    return f"    --hash=sha256:{json.loads(said)['install'][0]['download_info']['archive_info']['hashes']['sha256']}"


def with_hashes(lines: Sequence[str], more: Sequence[str]) -> list[str]:
    """The lines of a package with those of further hashes among them, each once and in order."""
    hashes = sorted({line.removesuffix(" \\") for line in [*lines[1:], *more]})
    return [lines[0], *(f"{line} \\" for line in hashes[:-1]), hashes[-1]]


def text(head: str, packages: Sequence[Sequence[str]]) -> str:
    """A lock: its head and the lines of its packages."""
    return head + "".join(f"{line}\n" for lines in packages for line in lines)


def conda(before: str, packages: Sequence[Sequence[str]]) -> str:
    """environment.yml with the pins of these packages in place of those that it has."""
    pins = [lines[0].removesuffix(" \\") for lines in packages]
    quoted = [f'"{pin}"' if ";" in pin else pin for pin in pins]
    rest = [line for line in before.splitlines() if not re.match(r' +- "?[\w.-]+==', line)]
    place = rest.index("      - -e .")
    return "\n".join([*rest[:place], *(f"      - {pin}" for pin in quoted), *rest[place:]]) + "\n"


def main(options: Sequence[str]) -> None:
    """Write the three files."""
    before = {lines[0]: lines[1:] for lines in blocks(LOCK.read_text())}
    packages = blocks(resolved(options))
    [torch] = [lines for lines in packages if lines[0].startswith("torch==")]
    taken = hash_of_what_pip_takes(torch[0].removesuffix(" \\"))  # a CPU build is not among the files that uv sees
    torch[:] = with_hashes(torch, [taken, *before.get(torch[0], [])])
    of_cuda = [lines for lines in packages if lines[0].startswith(OF_CUDA)]
    others = [lines for lines in packages if lines not in of_cuda]
    LOCK.write_text(text(HEAD, others))
    CUDA_LOCK.write_text(text(CUDA_HEAD, of_cuda))
    CONDA.write_text(conda(CONDA.read_text(), others))


if __name__ == "__main__":
    main(sys.argv[1:])
