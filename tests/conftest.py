import gc
import json
import os
import platform
import random
import shutil
import subprocess
import sys

os.environ.setdefault("MPLBACKEND", "Agg")  # before anyone imports matplotlib
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anyone imports torch; small matrices gain nothing from more

import numpy as np
import pytest
import torch
from forked import OF_NOTEBOOKS, Forks

from xmlib import paths
from xmlib.data import workers

# Files that take long for their number of tests, longest first: one of them begun late would keep a core busy alone.
FIRST = (
    "test_notebooks.py", "test_report.py", "test_explorer.py", "test_grid.py", "test_theory_figures.py",
    "test_side_by_side.py", "test_gradient_notebooks.py", "test_audio_score.py", "test_fit.py", "test_your_pairs.py",
    "test_neighborhoods.py", "test_sharing.py", "test_progress.py", "test_your_own_loop.py", "test_imports.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(FIRST)))


def pytest_configure():
    gc.disable()  # what is imported stays: looking through it for garbage again and again takes half of the time


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


COUNTED = {"kills": "kills done", "faults": "faults injected", "hostile": "hostile files tried"}


def pytest_addoption(parser):
    parser.addoption("--keep-counts", action="store_true", help="keep the counts of test-faults for the book")


def pytest_terminal_summary(terminalreporter, config):
    """What the tests marked `faults` did; they count by `record_property`. Nothing where no such test ran."""
    reports = [one for kind in ("passed", "failed", "error") for one in terminalreporter.stats.get(kind, [])]
    done = [(name, count) for one in reports for name, count in getattr(one, "user_properties", ()) if name in COUNTED]
    if not done:
        return
    failures = len(terminalreporter.stats.get("failed", []) + terminalreporter.stats.get("error", []))
    counts = {name: sum(count for own, count in done if own == name) for name in COUNTED} | {"failures": failures}
    said = [f"{title}: {counts[name]}" for name, title in (COUNTED | {"failures": "failures"}).items()]
    terminalreporter.write_line(", ".join(said))
    if config.getoption("--keep-counts") and not failures:
        keep_counts(counts)


def keep_counts(counts):
    """Leave the record that the page on trust shows."""
    from bad_inputs import everywhere

    about = {"format": 1, **counts, "bad_inputs": everywhere(), "python": platform.python_version()}
    (paths.RECORDS / "faults.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  libraries that draw from the global generator
    torch.manual_seed(0)


class LargestTensor(torch.utils._python_dispatch.TorchDispatchMode):
    """In a `with`: `numel` is that of the largest tensor made, a witness that no n × n one is kept."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = (t for t in torch.utils._pytree.tree_leaves(out) if torch.is_tensor(t))
        self.numel = max([self.numel, *(t.numel() for t in tensors)])
        return out


def absent(what: str) -> None:
    """Skip a test that lacks `what`; fail it instead where XMLIB_REQUIRE_SITE says that nothing may be lacking."""
    if os.environ.get("XMLIB_REQUIRE_SITE"):
        pytest.fail(f"{what}, and XMLIB_REQUIRE_SITE is set")
    pytest.skip(what)


LOAD = """
import json, sys
from pathlib import Path
dataset, home = sys.argv[1], Path(sys.argv[2])
read = set()
def note(event, about):
    if event == "open" and isinstance(about[0], str) and home in Path(about[0]).parents:
        read.add(Path(about[0]).name)
sys.addaudithook(note)
from xmlib.data import load
digest = load(dataset, "toy", cache_folder=home).digest
print(json.dumps([digest, sorted(read), sorted(sys.modules)]))
"""


def loaded_again(dataset: str, home) -> tuple[str, list[str], set[str]]:
    """What a new process has to do for toy pairs that are in the cache: their digest, files read, modules imported."""
    command = [sys.executable, "-c", LOAD, dataset, str(home)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=paths.ROOT)
    assert run.stderr == ""
    digest, read, modules = json.loads(run.stdout)
    return digest, read, set(modules)


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    """Where papermill and what notebooks import from elsewhere have been imported."""
    with Forks(tmp_path_factory.mktemp("said"), *OF_NOTEBOOKS, **workers.KEEP_MEMORY) as forks:
        yield forks


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """Where what computes the features of pictures, or reads, engraves and plays tunes, has been imported."""
    imported = "torch", "efficientnet_lite_pytorch", "resvg_py", "PIL.Image", "music21", "verovio", "midirenderer"
    with Forks(tmp_path_factory.mktemp("said"), *imported, **workers.KEEP_MEMORY) as warm:
        yield warm


@pytest.fixture(scope="module")
def quick_helpers(warm):
    """The helper processes of a build are forks, which need not import PyTorch or music21."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "COMMAND", warm.command(*workers.COMMAND[1:]))
        yield


@pytest.fixture(scope="session")
def committed() -> list[dict]:
    """Every record of the book, metrics held against ranks and names against places; not to be changed."""
    from book.make.results import report

    return report.load_records(paths.RECORDS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium or Chrome."""
    from book.make.pdf import BROWSERS

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        absent("no Chromium on this machine (Debian: apt-get install chromium)")
    return str(found)
