"""The grid through a real Slurm of one node: `make test-slurm`, on a machine of one's own, as root."""

import os
import subprocess
import sys
import time
from pathlib import Path

import grid_copy
import pytest

from xmlib import paths

# It writes /etc/slurm and starts daemons as root: only where make test-slurm, which brings its plugin, asked so.
pytestmark = pytest.mark.skipif(
    "XMLIB_SLURM" not in os.environ, reason="starts a Slurm on this machine, as root: make test-slurm"
)
NODE = Path(__file__).with_name("one_node.sh")


@pytest.fixture(scope="module", autouse=True)
def node():
    subprocess.run([NODE, "start"], check=True)
    yield
    subprocess.run([NODE, "stop"], check=True)


@pytest.fixture
def root(tmp_path):
    return grid_copy.copied(tmp_path)


def running():
    """Slurm's number of every job that runs, by what the grid calls it."""
    asked = ["squeue", "--noheader", "--states", "RUNNING", "--format", "%k %i"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split() for line in lines if line.startswith("rule_"))


def kill_the_first_training(grid):
    """The name of a training whose job is killed as a node that fails would."""
    while grid.poll() is None:
        for name, job in running().items():
            if name.startswith("rule_short_run"):
                subprocess.run(["scancel", "--signal=KILL", "--full", job], check=True)
                return name
        time.sleep(0.5)
    return pytest.fail("no training was seen: " + grid.stdout.read())


def test_three_runs_of_the_grid_come_back_from_slurm_one_of_them_killed_and_restarted(root):
    own = {"PYTHONPATH": str(root), "XMLIB_DATA": str(paths.DATA), "XMLIB_RUNS": str(root / "runs")}
    command = [sys.executable, "-m", "scripts.grid", "toy", "--profile", "profiles/slurm"]
    grid = subprocess.Popen(
        command, cwd=root, env=os.environ | own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    killed = kill_the_first_training(grid)
    said, _ = grid.communicate(timeout=1200)
    assert grid.returncode == 0, said
    assert len(list((root / "book/records/toy").glob("*.json"))) == 3
    assert said.count(", tried again") == 1, said
    assert "rule_short_run" in killed
