"""Whatever is killed at whatever moment leaves nothing that is taken for whole, and ends as if it had not been."""

import json
import os
import subprocess
import sys
from pathlib import Path

import killed
import pytest

from xmlib import paths


@pytest.mark.faults
@pytest.mark.parametrize("stage", killed.STAGES)
def test_what_is_killed_again_and_again_ends_as_if_it_had_not_been(stage, tmp_path, record_property):
    command = [sys.executable, killed.__file__, stage, str(tmp_path / "räume und ähnliches"), "1"]
    environment = os.environ | {"PYTHONPATH": f"{paths.ROOT}{os.pathsep}{Path(killed.__file__).parent}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=900)
    assert done.returncode == 0, done.stderr
    kills = json.loads(done.stdout.splitlines()[-1])["kills"]
    record_property("kills", kills)
    assert kills == killed.STAGES[stage].kills


def test_at_least_50_kills_are_done():
    assert sum(stage.kills for stage in killed.STAGES.values()) >= 50
