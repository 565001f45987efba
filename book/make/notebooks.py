"""Keeps every notebook's two files, `.py` and `.ipynb`, in step, so that an edit to either is enough.

`python -m book.make.notebooks sync` takes the edited twin over; `check` only says whether they agree.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat

from xmlib import paths
from xmlib.data.cache import read_json
from xmlib.errors import InputError
from xmlib.files import write_text

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
STAMPS = paths.ROOT / ".jupytext-stamps.json"  # what both twins were when last in step


def cells(notebook) -> list:
    """What must agree between twins: kind, source and tags of every cell."""
    return [
        (c.cell_type, c.source.rstrip(), c.metadata.get("tags", []), c.metadata.get("mystnb")) for c in notebook.cells
    ]


def from_py(text: str) -> str:
    """The `.ipynb` text of a percent-format `.py`: no outputs, cell ids counted from 0, the same on every machine."""
    notebook = jupytext.reads(text, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell["id"] = str(number)
    notebook.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": KERNEL,
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def in_step(py: Path, ipynb: Path) -> bool:
    """Whether both files exist and hold the same cells."""
    if not (py.exists() and ipynb.exists()):
        return False
    return cells(jupytext.read(py, fmt="py:percent")) == cells(nbformat.read(ipynb, as_version=4))


def sync(py: Path, stamps: dict) -> str:
    """Bring the twins of one notebook in step; returns what was done, empty if nothing had to be.

    Raises `InputError` where both were edited since they last agreed, naming both.
    """
    ipynb = py.with_suffix(".ipynb")
    if in_step(py, ipynb):
        return ""
    edited = [twin for twin in (py, ipynb) if _digest(twin) not in (stamps.get(py.stem), _committed(twin))]
    if edited == [ipynb] and ipynb.exists():
        write_text(py, jupytext.writes(_stripped(ipynb), fmt="py:percent"))
        return f"{py.name} taken over from {ipynb.name}"
    if edited == [py] or not ipynb.exists():
        write_text(ipynb, from_py(py.read_text()))
        return f"{ipynb.name} taken over from {py.name}"
    raise InputError(
        f"Both {py.name} and {ipynb.name} were edited and they differ: keep one of the two edits, "
        f"for example with `git checkout notebooks/{ipynb.name}`, and run the command again."
    )


def _digest(path: Path) -> str:
    return _hash(path.read_text(), path.suffix) if path.exists() else ""


def _hash(text: str, suffix: str) -> str:
    notebook = jupytext.reads(text, fmt="py:percent") if suffix == ".py" else nbformat.reads(text, as_version=4)
    return hashlib.sha256(json.dumps(cells(notebook), sort_keys=True).encode()).hexdigest()


def _committed(path: Path) -> str:
    """Hash of the file as committed; empty where git knows none."""
    name = f"HEAD:./{path.name}"
    try:
        run = subprocess.run(["git", "show", name], cwd=path.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return _hash(run.stdout, path.suffix)


def _stripped(ipynb: Path):
    notebook = nbformat.read(ipynb, as_version=4)
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb")}
    notebook.metadata = {"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": KERNEL}
    return notebook


def main(arguments: list[str] | None = None) -> int:
    """Command line: `sync` or `check`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m book.make.notebooks", description=__doc__)
    parser.add_argument("command", choices=("sync", "check"))
    command = parser.parse_args(arguments).command
    sources = sorted(paths.NOTEBOOKS.glob("*.py"))
    if command == "check":
        apart = [py.name for py in sources if not _clean(py)]
        print("\n".join(f"{name}: the .ipynb is not what the .py says; run `make sync`" for name in apart), end="")
        return 1 if apart else 0
    stamps = read_json(STAMPS) or {}
    try:
        for py in sources:
            if done := sync(py, stamps):
                print(done)
            stamps[py.stem] = _digest(py)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        write_text(STAMPS, json.dumps(stamps, indent=1))
    return 0


def _clean(py: Path) -> bool:
    """Whether the `.ipynb` is byte for byte what the `.py` gives: in step, stripped, stable ids."""
    ipynb = py.with_suffix(".ipynb")
    return ipynb.exists() and ipynb.read_text() == from_py(py.read_text())


if __name__ == "__main__":
    sys.exit(main())
