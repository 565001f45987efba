"""What may import what: the layers of pyproject.toml, held by import-linter."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xmlib import paths


def lint(root):
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    for name in ("xmlib", "book/make", "book/show", "book/derivations"):
        shutil.copytree(paths.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "book/__init__.py"):
        shutil.copy(paths.ROOT / name, tmp_path / name)
    return tmp_path


def test_no_module_imports_what_lies_above_it(copy):
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "planted"),
    [
        ("xmlib/cca.py", "from xmlib.scoring import hubness"),
        ("xmlib/data/cache.py", "import xmlib.fit"),
        ("xmlib/runs/records.py", "from xmlib.neighborhoods import text"),
        ("xmlib/show/figures.py", "from book.make import write"),
        ("xmlib/scoring/refit.py", "from book.derivations import routes"),
    ],
)
def test_a_planted_import_upwards_is_found(copy, module, planted):
    (copy / module).write_text((copy / module).read_text() + f"\n\n{planted}\n")
    done = lint(copy)
    assert done.returncode == 1
    assert "broken" in done.stdout
