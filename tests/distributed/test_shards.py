"""Vectors in shards: whole ones only, whoever is killed, and the right ones only."""

import subprocess
import sys

import numpy as np
import pytest

from xmlib import paths
from xmlib.distributed import shards
from xmlib.errors import InputError


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(shards, "SHARD", 10)


def numbers(start, stop):
    return np.arange(start, stop, dtype=np.float32)[:, None] * [1, 2]


def test_shards_of_two_jobs_are_those_of_one_in_order(tmp_path):
    for job in (1, 0):
        shards.write(tmp_path, 35, numbers, "a", (job, 2))
    assert np.array_equal(np.concatenate(shards.opened(tmp_path, "a")), numbers(0, 35))


def test_a_second_write_makes_the_missing_shards_alone(tmp_path):
    first, *_ = shards.write(tmp_path, 35, numbers, "a")
    first.unlink()
    assert shards.write(tmp_path, 35, numbers, "a") == [first]


def test_a_missing_shard_is_named(tmp_path):
    shards.write(tmp_path, 35, numbers, "a")[2].unlink()
    with pytest.raises(InputError, match="^Of 4 shards in .* 1 are missing, first vectors-000002.npy: "):
        shards.opened(tmp_path, "a")


def test_shards_of_another_version_are_neither_read_nor_added_to(tmp_path):
    shards.write(tmp_path, 35, numbers, "a")
    with pytest.raises(InputError, match="has vectors of version a, not b"):
        shards.opened(tmp_path, "b")
    with pytest.raises(InputError, match="choose another folder or remove it"):
        shards.write(tmp_path, 35, numbers, "b")


MILLION = """
import os, sys
from pathlib import Path
import numpy as np
from xmlib import files
from xmlib.distributed import shards

def embed(start, stop):
    return np.random.default_rng(start).standard_normal((stop - start, 16), dtype=np.float32)

write, left = files.write, int(sys.argv[2])

def write_and_perhaps_die(path, fill):
    global left
    left -= path.suffix == ".npy"
    if left == 0:
        write(path, lambda file: (file.write(b"half"), file.flush(), os.kill(os.getpid(), 9)))
    write(path, fill)

files.write = write_and_perhaps_die
print(len(shards.write(Path(sys.argv[1]), 1_000_000, embed, "made up")))
"""


@pytest.mark.faults
def test_a_million_vectors_are_complete_after_two_kills(tmp_path):
    for dies_at, status in ((7, -9), (5, -9), (0, 0)):
        command = [sys.executable, "-c", MILLION, str(tmp_path / "killed"), str(dies_at)]
        done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
    assert done.stdout == "10\n"  # of 20 shards 6 and 4 were there
    found = shards.opened(tmp_path / "killed", "made up")
    assert sum(map(len, found)) == 1_000_000
    expected = np.random.default_rng(500_000).standard_normal((50_000, 16), dtype=np.float32)
    assert np.array_equal(found[10], expected)
