"""A copy of what the grid needs, to be run and changed by tests."""

import shutil

from xmlib import paths

NEEDED = ("xmlib", "notebooks", "scripts", "profiles", "book/make", "book/show", "book/derivations",
          "Snakefile", "requirements.lock", "_config.yml", "book/reported.yml", "book/index.md")  # fmt: skip


def copied(target):
    """The folder, which then holds the grid without data and records."""
    for name in NEEDED:
        if (paths.ROOT / name).is_dir():
            shutil.copytree(paths.ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.ROOT / name, target / name)
    return target
