"""What the machine does not give: room on the disk, permission to write, a home, a usual locale, a clock that rises."""

import errno
import io
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from xmlib import files, fit, paths
from xmlib.commands import app
from xmlib.data import download
from xmlib.retriever import Retriever

VIEW1 = np.random.default_rng(0).normal(size=(60, 4))
VIEW2 = VIEW1 @ np.random.default_rng(1).normal(size=(4, 5))


@pytest.fixture(scope="module")
def model():
    return Retriever.train(VIEW1, VIEW2, method="linear_cca")


class Full(io.RawIOBase):
    """A file on a disk with no room left."""

    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def writable(self):
        return True


@pytest.fixture
def full_disk(monkeypatch, record_property):
    """No file of `files.write`, and no array, finds room."""
    opened = os.fdopen

    def fdopen(handle, *how, **options):
        opened(handle, *how, **options).close()
        return Full()

    monkeypatch.setattr(files.os, "fdopen", fdopen)
    record_property("faults", 1)


@pytest.fixture
def small_disk(tmp_path, record_property):
    """A disk of its own with 200 kB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:  # mounting takes a right that a user, or root in a container, may not have
        pytest.skip(f"no small disk can be mounted here ({done.stderr.strip()})")
    record_property("faults", 1)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.faults
@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_old_file_and_no_part_of_a_new_one(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(OSError, match="No space left"):
        files.write_text(tmp_path / "a", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


@pytest.mark.faults
@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    monkeypatch.undo()
    fit.save_atomically({"history": [1]}, tmp_path / "c.pt")
    monkeypatch.setattr(files.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        fit.save_atomically({"history": [1, 2]}, tmp_path / "c.pt")
    assert fit.load_checkpoint(tmp_path / "c.pt", "cpu") == {"history": [1]}
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.faults
def test_a_model_that_does_not_fit_on_the_disk_leaves_the_old_one_and_no_part(small_disk, model):
    model.save(small_disk / "model")
    model.index("view1_to_view2", VIEW2, [f"{'x' * 3000} {i}" for i in range(60)])
    with pytest.raises(OSError, match="No space left|os error 28"):
        model.save(small_disk / "model")
    model.indexes.clear()
    assert [path.name for path in small_disk.iterdir()] == ["model"]
    Retriever.load(small_disk / "model")


@pytest.mark.faults
def test_a_command_says_a_full_disk_in_one_line(small_disk, model, tmp_path, capsys):
    model.save(tmp_path / "model")
    np.save(tmp_path / "items.npy", np.tile(VIEW2, (400, 1)))
    out = ["--view", "2", "--out", str(small_disk / "vectors.npy")]
    status = app.main(["embed", str(tmp_path / "model"), str(tmp_path / "items.npy"), *out])
    said = capsys.readouterr().err.splitlines()
    assert status == 2
    assert said[-1].startswith("error: ")
    assert "make room on the disk" in said[-1]
    assert list(small_disk.iterdir()) == []


@pytest.mark.faults
def test_a_command_says_that_nothing_can_be_written_in_one_line(model, tmp_path, capsys, record_property):
    model.save(tmp_path / "model")
    np.save(tmp_path / "items.npy", VIEW2)
    for out in ("/proc/vectors.npy", "/dev/null/vectors.npy", f"{tmp_path}/{'x' * 300}.npy"):
        status = app.main(["embed", str(tmp_path / "model"), str(tmp_path / "items.npy"), "--view", "2", "--out", out])
        said = capsys.readouterr().err.splitlines()
        assert (status, said[-1][:7]) == (2, "error: "), said
    record_property("faults", 3)


ODD = {
    "no home": {"HOME": None},
    "an empty home": {"HOME": ""},
    "a locale of bytes": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1": {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1:replace"},
    "an odd time zone": {"TZ": "Pacific/Chatham"},
    "one thread": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
}


def trained(folder, environment):
    """Embeddings of a model that the command line trains in this folder and environment."""
    folder.mkdir(parents=True)
    for view, rows in (("1", VIEW1), ("2", VIEW2)):
        np.save(folder / f"view {view}.npy", rows)
    views = ("--view1", "view 1.npy", "--view2", "view 2.npy", "--method", "linear_cca")
    command = [sys.executable, "-m", "xmlib", "train", "ein Modell", *views]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return Retriever.load(folder / "ein Modell").embed1(VIEW1)


USUAL = os.environ | {"PYTHONPATH": str(paths.ROOT)}


@pytest.fixture(scope="module")
def as_usual(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("usual") / "a", USUAL)


@pytest.mark.faults
@pytest.mark.parametrize("name", ODD)
def test_a_model_is_the_same_in_an_odd_environment_and_folder(name, as_usual, tmp_path, record_property):
    odd = {key: value for key, value in (USUAL | ODD[name]).items() if value is not None}
    found = trained(tmp_path / "Räume, 空 & ähnliches" / "it's", odd)
    np.testing.assert_array_equal(found, as_usual)
    record_property("faults", 1)


@pytest.mark.faults
def test_a_clock_that_goes_back_changes_nothing_of_a_training(monkeypatch, record_property):
    usual = Retriever.train(VIEW1, VIEW2, method="linear_nce", epochs=3)
    back = iter(range(10**6, 0, -1))
    monkeypatch.setattr(time, "time", lambda: float(next(back)))
    again = Retriever.train(VIEW1, VIEW2, method="linear_nce", epochs=3)
    for one, other in zip(usual.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    record_property("faults", 1)


@pytest.mark.faults
def test_a_download_that_meets_a_full_disk_says_so_and_not_that_there_is_no_network(
    tmp_path, monkeypatch, record_property
):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download, "_attempt", full)
    with pytest.raises(ValueError, match="No space left on device") as caught:
        download.fetch("http://localhost/x.bin", tmp_path / "x.bin")
    assert "network" not in str(caught.value)
    record_property("faults", 1)
