"""A Python that has nothing installed but torch, numpy, scipy and what these need."""

import functools
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

from xmlib import paths

CORE = ("torch", "numpy", "scipy")
HIDER = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else super().find_spec(name, path, target)

sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""


def needed(names: tuple[str, ...]) -> set[str]:
    """The distributions that must be installed for these, themselves included."""
    found: set[str] = set()
    waiting = [name.lower() for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another system
        found.add(name)
        waiting += [re.split(r"[^\w.-]", r)[0].lower().replace("_", "-") for r in requirements if "extra ==" not in r]
    return found


@functools.cache
def hidden() -> set[str]:
    """Every top-level module that only other distributions bring."""
    kept = needed(CORE) | {"xmlib"}
    brought = importlib.metadata.packages_distributions()
    return {
        module
        for module, owners in brought.items()
        if not kept & {owner.lower().replace("_", "-") for owner in owners}
        and module not in sys.stdlib_module_names
        and module.isidentifier()
    }


def environment(folder: Path, first: str = "", **more: str) -> dict[str, str]:
    """The environment of such a Python and of what it starts; `folder` takes the file that makes it so.

    `first`: code that each of them runs at its start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"HIDDEN = {hidden()!r}\n{HIDER}\n{first}\n")
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (folder, paths.ROOT)))} | more


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    """`python arguments` in that Python, finished; `more` are variables of its environment."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(folder, **more), capture_output=True, text=True, check=False
    )
