"""What a run needs can be imported where nothing is installed but torch, numpy and scipy."""

import bare
import pytest

CORE = [
    "cca",
    "encoders",
    "errors",
    "evaluate",
    "files",
    "fit",
    "methods",
    "model",
    "objectives",
    "paths",
    "polar",
    "profiles",
]
RUN = [
    "data",
    "distributed.training",
    "runs.experiments",
    "runs.packed_run",
    "runs.records",
    "runs.side_by_side",
    "scoring.refit",
]
LIST = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"xmlib.{name}")
print(*{name.partition(".")[0] for name in sys.modules})
"""
LACKING = """
import sys
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        print(name)
"""


def test_the_python_of_these_tests_has_no_other_packages(tmp_path):
    others = ["pandas", "sklearn", "yaml", "matplotlib", "music21", "nmslib", "papermill"]
    assert bare.run(tmp_path, "-c", LACKING, *others).stdout.split() == others


@pytest.mark.parametrize("names", [CORE, RUN], ids=["core", "run"])
def test_the_core_and_what_a_run_needs_import_nothing_but_torch_numpy_and_scipy(tmp_path, names):
    done = bare.run(tmp_path, "-c", LIST, *names)
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & bare.hidden()
