"""Tests xmlib on each Python that it supports and that is found here, and repeats records there to the last digit.

Usage: `python -m scripts.pythons [PYTHON …]`, as `make test-pythons` does. Each Python gets an environment of its own,
`.venv-3.X`, by the same locks. The first makes a toy record of every notebook that trains, and each repeats them as
`xm records rerun` does. What came out is left for the page on trust.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path

import torch

from xmlib import paths
from xmlib.runs import records

SUPPORTED = ("3.11", "3.12", "3.13")
RECORD = paths.RECORDS / "pythons.json"
FORMAT = 1
FAMILIES = {  # notebook → what its toy record is of
    "image_text": {"method": "ccal_tno", "dataset": "emoji", "seeds": "1"},
    "neighborhoods": {"method": "neighborhoods", "dataset": "emoji", "seeds": "1"},
    "audio_score": {"method": "ccal_cont"},
}
FAST = ("test_cca.py", "test_polar.py", "test_objectives.py", "test_evaluate.py")
ABOUT = """
import importlib.metadata, json, platform, torch
print(json.dumps([platform.python_version(), torch.__version__, importlib.metadata.version("torch")]))
"""
RERUN = "import json, sys; from xmlib.runs import records; print(json.dumps(records.rerun(sys.argv[1])))"


def version(python: str) -> str:
    """The version of a Python, such as 3.12; empty where the command does not work."""
    try:
        said = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True)
    except OSError:
        return ""
    return said.stdout.decode().strip()


def candidates() -> list[str]:
    """The commands that may be a Python of a supported version: those of the PATH, then pyenv's."""
    on_path = [found for name in SUPPORTED if (found := shutil.which(f"python{name}"))]
    return on_path + [str(path) for path in sorted(Path.home().glob(".pyenv/versions/*/bin/python"))]


def choose(among: Iterable[str]) -> dict[str, str]:
    """Version → the first Python of that version, in order of version; unsupported ones are left out."""
    found: dict[str, str] = {}
    for python in among:
        found.setdefault(version(python), python)
    return {name: found[name] for name in SUPPORTED if name in found}


def environment(name: str, python: str) -> str:
    """The Python of the environment for a version, made or brought up to date by the locks."""
    folder = f".venv-{name}"
    subprocess.run(["scripts/setup.sh", python], cwd=paths.ROOT, env=os.environ | {"VENV": folder}, check=True)
    return str(paths.ROOT / folder / "bin" / "python")


def fast_tests(python: str) -> str:
    """What pytest says in its last line about the tests that need no notebook, such as `120 passed`."""
    files = [str(path) for name in FAST if (path := paths.ROOT / "tests" / name).exists()]
    command = [python, "-m", "pytest", "-q", "-m", "not faults and not site", "-p", "no:cacheprovider", *files]
    said = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False).stdout
    return re.sub(r"[= ]*(.*?) in .*", r"\1", said.strip().splitlines()[-1]) if said.strip() else "no test ran"


def make(python: str, notebook: str, target: Path) -> None:
    """Leave the toy record of a notebook, run from nothing by this Python, in the file `target`."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = FAMILIES[notebook] | {"profile": "toy", "device": "cpu", "record": str(target)}
        given = [part for name, value in chosen.items() for part in ("-p", name, value)]
        source, out = paths.NOTEBOOKS / f"{notebook}.ipynb", Path(folder) / "out.ipynb"
        command = [python, "-m", "papermill", "--log-level", "ERROR", "--no-progress-bar", str(source), str(out)]
        about = os.environ | {"XMLIB_RUNS": folder, "OMP_NUM_THREADS": "1"}
        subprocess.run([*command, *given], env=about, cwd=paths.ROOT, check=True)


def repeated(python: str, torch_here: str, file: Path) -> dict:
    """How far `records.rerun` by this Python is from a record: how many numbers differ, and the largest difference.

    The difference is relative to the larger of the two numbers. A record names the build of PyTorch, and `rerun`
    refuses another; that other builds give the same digits is what is asked here, so a copy names the one of here.
    """
    record = records.load(file)
    with tempfile.TemporaryDirectory() as folder:
        copy = records.save(record | {"packages": record["packages"] | {"torch": torch_here}}, Path(folder) / file.name)
        command = [python, "-c", RERUN, str(copy)]
        run = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    lines = json.loads(run.stdout.splitlines()[-1])
    return {"differences": len(lines), "largest": max(map(_relative, lines), default=0.0)}


def _relative(line: str) -> float:
    try:
        a, b = map(float, line.split(": ", 1)[1].split(" ≠ "))
    except ValueError:  # texts, or lists of unequal length
        return 1.0
    return abs(a - b) / max(abs(a), abs(b))


def tried(python: str, made: dict[str, Path]) -> dict:
    """What came out on one Python: versions, its tests, and how far its records are from those that were made."""
    about = subprocess.run([python, "-c", ABOUT], capture_output=True, text=True, check=True).stdout
    version, build, package = json.loads(about)
    again = {notebook: repeated(python, package, file) for notebook, file in made.items()}
    return {"python": version, "torch": build, "tests": fast_tests(python), "records": again}


def passed(one: dict) -> bool:
    """Whether all tests passed on a Python; that it finds other digits is told, and no failure."""
    return bool(re.fullmatch(r"\d+ passed(, \d+ (skipped|deselected))*", one["tests"]))


def main(arguments: Sequence[str]) -> int:
    """0 if some Python was found, all tests passed on each, and the first one repeated its own records."""
    chosen = choose(arguments or candidates())
    missing = [name for name in SUPPORTED if name not in chosen]
    for name in missing:
        print(f"Python {name} was not found here: it is not tried.")
    if not chosen:
        return 1
    pythons = {name: environment(name, python) for name, python in chosen.items()}
    first = next(iter(pythons))
    with tempfile.TemporaryDirectory() as folder, ThreadPool(os.cpu_count()) as pool:
        made = {notebook: Path(folder) / f"{notebook}.json" for notebook in FAMILIES}
        pool.starmap(make, [(pythons[first], *one) for one in made.items()])
        found = dict(zip(pythons, pool.map(lambda python: tried(python, made), pythons.values()), strict=True))
    about = {"format": FORMAT, "machine": records.machine(torch.device("cpu")), "pythons": found, "missing": missing}
    RECORD.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    own = all(not record["differences"] for record in found[first]["records"].values())
    return 0 if own and all(map(passed, found.values())) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
