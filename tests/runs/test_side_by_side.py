"""Runs from a packed file of pairs, on the toy profile: the notebook's records, from a Python with three packages."""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import bare
import numpy as np
import pytest
import torch

from xmlib import data, fit, methods, paths
from xmlib.data import cache
from xmlib.data.audio_score import packed
from xmlib.errors import InputError
from xmlib.runs import packed_run, records, side_by_side

BUILT = paths.DATA
TOY = ["-p", "profile", "toy", "-p", "device", "cpu"]
LONG = [*TOY, "-p", "epochs", "6"]  # some seconds


def pairs_of(options):
    return list(zip(options[1::3], options[2::3], strict=True))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    target = tmp_path_factory.mktemp("packed") / "toy.pairs"
    packed_run.pack(packed_run.asked(pairs_of(TOY)), target)
    return target


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty machine: no data, no runs."""
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    return tmp_path


def command(file, folder, *options):
    records_in = ["--records", str(folder / "records"), "--methods", "ccal_cont", "--seeds", "1"]
    return ["-m", "xmlib.runs.side_by_side", "run", str(file), *records_in, *options]


def moved(folder):
    return dict(XMLIB_DATA=str(folder / "data"), XMLIB_RUNS=str(folder / "runs"))


class Never:
    """Halts after so many epochs, or never."""

    def __init__(self, after=np.inf):
        self.after, self.seen = after, 0

    def saw(self, row):
        self.seen += 1

    def __call__(self):
        return self.seen >= self.after


def record_of(file, folder, options, halt=None):
    """The record of one run in this process, None if it was halted."""
    target = folder / "one.json"
    chosen = packed_run.asked(pairs_of(options)) | {"method": "ccal_cont"}
    return packed_run.run(chosen, packed.unpack(file), target, halt or Never(), 1) and records.load(target)


def test_a_machine_with_three_packages_leaves_the_notebooks_record(file, forks, tmp_path):
    notebook = tmp_path / "notebook.json"
    done = forks.run(
        "-m", "papermill", "--log-level", "ERROR", paths.NOTEBOOKS / "audio_score.ipynb", tmp_path / "out.ipynb",
        *TOY[:3], "-p", "record", notebook, cwd=tmp_path,
        env=os.environ | forks.kernels | {"PYTHONPATH": str(paths.ROOT), "XMLIB_RUNS": str(tmp_path / "own")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    away = tmp_path / "away"
    done = bare.run(away, *command(file, away, *TOY), **moved(away))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"1 of 1 records are in {away / 'records'}.\n")
    one = records.load(notebook)
    other = records.load(away / "records/toy/audio_score-ccal_cont-seed1.json")
    assert records.differences(one, other) == []
    assert other["machine"].pop("runs_side_by_side") == 1
    for record in (one, other):
        record["parameters"].pop("device")  # auto, and what that was
    for name in ("notebook", "parameters", "settings", "data", "packages", "code", "commit", "machine", "stopped"):
        assert one[name] == other[name]


AT_EPOCH = """
import os, signal, time
from xmlib import fit

fit.SAVE_EVERY = 0
save = fit.save_atomically

def save_and_interrupt(state, path):
    save(state, path)
    if len(state["history"]) == {epoch}:
        {interrupt}

fit.save_atomically = save_and_interrupt
"""
STOP = """os.kill(os.getppid(), signal.SIGTERM)
        while signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # what the second signal would meet
            time.sleep(0.05)"""
KILL = "[os.kill(process, signal.SIGKILL) for process in (os.getppid(), os.getpid())]"


@pytest.mark.faults
def test_a_run_that_is_stopped_and_then_killed_goes_on_to_the_same_record(file, elsewhere):
    whole = record_of(file, elsewhere, LONG)
    away = elsewhere / "away"
    stopped = started(file, away, AT_EPOCH.format(epoch=2, interrupt=STOP))
    assert stopped.returncode == 0, stopped.stdout
    said = f"0 of 1 records are in {away / 'records'}; the same command goes on from there.\n"
    assert stopped.stdout.endswith(said)
    before = kept(away)
    assert len(before) == 2
    killed = started(file, away, AT_EPOCH.format(epoch=4, interrupt=KILL))
    assert killed.returncode == -signal.SIGKILL
    assert not list(away.glob("records/*/*.json"))
    assert len(kept(away)) == 4
    finished = started(file, away, "")
    assert finished.stdout.endswith(f"1 of 1 records are in {away / 'records'}.\n")
    resumed = records.load(next(away.glob("records/*/*.json")))
    assert records.differences(whole, resumed) == []
    assert resumed["history"][:2] == before  # with their seconds: taken over, not trained again


def started(file, away, first):
    environment = bare.environment(away, first, **moved(away))
    line = [sys.executable, *command(file, away, *LONG)]
    limit = 900  # seconds, a guard against hanging
    return subprocess.run(line, env=environment, cwd=away, capture_output=True, text=True, check=False, timeout=limit)


def kept(away):
    """The history in the checkpoint."""
    return [row for path in away.glob("runs/*/checkpoint.pt") for row in fit.load_checkpoint(path, "cpu")["history"]]


def test_a_run_that_was_halted_leaves_no_record_and_goes_on(file, elsewhere):
    whole = record_of(file, elsewhere, TOY)
    shutil.rmtree(paths.RUNS)
    (elsewhere / "one.json").unlink()
    assert not record_of(file, elsewhere, TOY, Never(after=2))
    assert not (elsewhere / "one.json").exists()
    assert records.differences(whole, record_of(file, elsewhere, TOY)) == []


def test_a_run_halts_before_the_epoch_that_would_end_too_late(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    halt = packed_run.Halt(until=1010.0)
    row = {"epoch": 1, "phase": 0, "loss": 0.1, "valid_mrr": 0.5}
    assert not halt()
    halt.saw(row | {"seconds": 9.0})
    assert not halt()
    halt.saw(row | {"seconds": 9.2})
    assert halt()


def test_a_run_halts_when_its_parent_has_gone(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    halt = packed_run.Halt(side_by_side.NEVER)
    assert not halt()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert halt()


def test_with_no_time_left_nothing_is_begun_and_with_all_records_there_neither(file, elsewhere, capsys):
    assert side_by_side.main(command(file, elsewhere, *TOY, "--minutes", "0.000001")[2:]) == 0
    assert capsys.readouterr().out.startswith("0 of 1 records")
    target = elsewhere / "records/toy/audio_score-ccal_cont-seed1.json"
    target.parent.mkdir(parents=True)
    target.write_text("{}")
    assert side_by_side.main(command(file, elsewhere, *TOY)[2:]) == 0
    assert capsys.readouterr().out == f"1 of 1 records are in {elsewhere / 'records'}.\n"


def test_the_pairs_come_out_of_the_file_as_they_were(file, elsewhere):
    there = packed.unpack(file)
    assert there.folder.is_relative_to(elsewhere)
    built = data.load("audio_score", "toy", cache_folder=BUILT).folder
    for name in there.manifest["files"]:
        assert (there.folder / name).read_bytes() == (built / name).read_bytes()
    sums = {"sums": 0, "sum": 0}  # which pairs that an earlier version built have not
    assert cache.published(there.folder) | sums == cache.published(built) | sums
    (there.folder / "frames.npy").write_bytes(bytes(there.manifest["files"]["frames.npy"]))  # zeros of the same length
    packed.unpack(file)
    assert (there.folder / "frames.npy").read_bytes() == (built / "frames.npy").read_bytes()


def test_a_record_made_without_git_has_the_commit_of_the_pairs_if_the_code_is_the_same(file, elsewhere, monkeypatch):
    monkeypatch.setattr(records, "commit", lambda: "")
    made_by = json.loads(packed.head(file).texts["code"])
    assert record_of(file, elsewhere, TOY)["commit"] == made_by["commit"]
    pairs = packed.unpack(file)
    other = pairs._replace(texts=pairs.texts | {"code": json.dumps(made_by | {"code": {"fit": "changed"}})})
    monkeypatch.setattr(packed, "unpack", lambda file: other)
    assert record_of(file, elsewhere, TOY)["commit"] == ""


def altered(file, target, change):
    """A copy of the file whose bytes `change` has altered."""
    content = bytearray(file.read_bytes())
    change(content)
    target.write_bytes(content)
    return target


def rewritten(file, target, name, change):
    """A copy of the archive, sound as an archive, with other content in one member."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            content = change(content) if info.filename == name else content
            new.writestr(info, content, zipfile.ZIP_STORED)  # LZMA would take seconds
    return target


def flip(where):
    def change(content):
        content[int(where * len(content))] ^= 0xFF

    return change


def truncate(content):
    del content[len(content) // 2 :]


@pytest.mark.parametrize("change", [truncate, *map(flip, (0.02, 0.3, 0.6, 0.9))])
def test_a_file_cut_short_or_altered_is_refused_in_one_sentence(file, elsewhere, capsys, change):
    bad = altered(file, elsewhere / "bad.pairs", change)
    assert side_by_side.main(command(bad, elsewhere, *TOY)[2:]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {bad} is cut short or altered")
    assert said.count("\n") == 1
    assert not list(elsewhere.glob("data/*/pairs-*/*"))


def noisier(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("name", ["head.json", "rows.npy", "strips.npy", "frames.npy.second-bytes"])
def test_a_sound_archive_with_one_other_bit_is_refused(file, elsewhere, name):
    bad = rewritten(file, elsewhere / "bad.pairs", name, noisier)
    with pytest.raises(InputError, match="is cut short or altered .*another hash"):
        packed.unpack(bad)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-p", "profile", "quick", "-p", "device", "cpu"], r"these pairs have size .*200.*4000.* is asked for"),
        ([*TOY, "-p", "difficulty", "easy"], "these pairs have difficulty hard, but easy is asked for"),
        ([*TOY, "-p", "renderings", "3"], "these pairs have renderings 1, but 3 is asked for"),
        ([*TOY, "-p", "widht", "1"], "no parameter 'widht'; choose one of method, profile"),
        ([*TOY, "-p", "epochs", "many"], "epochs = 'many' is not of type int"),
        ([*TOY, "-p", "width", "nan"], "width is 'nan' of type float"),
        ([*TOY, "-p", "seed", "3"], "give --seeds"),
        ([*TOY, "-p", "precision", "tf32"], "'tf32' is of CUDA devices"),
        ([*TOY, "--methods", "ccal_count"], "no method 'ccal_count'"),
        ([*TOY, "--methods", "neighborhoods"], "not for these pairs"),
        ([*TOY, "--seeds", "one"], "--seeds 'one' are no whole numbers"),
        ([*TOY, "--seeds", "1,-2"], "--seeds '1,-2' are no whole numbers"),
        ([*TOY, "-p", "threads", "0"], "threads = 0, but a run needs one"),
        ([*TOY, "-p", "dataset_file", "x.npz"], "dataset_file is for the notebook"),
        ([*TOY, "--processes", "-1"], "counts from 0"),
        pytest.param(
            TOY[:3], "no CUDA device here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here"),
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_before_anything_is_unpacked(file, elsewhere, capsys, options, words):
    assert side_by_side.main(command(file, elsewhere, *options)[2:]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    with pytest.raises(InputError, match=words):
        raise InputError(said)
    assert not (elsewhere / "data").exists()


def test_a_file_of_another_version_or_none_is_refused(file, elsewhere, monkeypatch):
    monkeypatch.setattr(packed, "VERSION", [99, 1])
    with pytest.raises(InputError, match=r"is of version \[1, 1\], and this code reads \[99, 1\]; pack"):
        packed.unpack(file)
    with pytest.raises(
        InputError, match="there is no file .*nowhere.pairs; python -m xmlib.runs.side_by_side pack writes"
    ):
        packed.unpack(elsewhere / "nowhere.pairs")


def test_linear_cca_of_another_version_is_refused(file):
    pairs = packed.head(file)
    older = json.loads(pairs.texts["linear_cca"]) | {"version": 1}
    pairs = pairs._replace(texts={"linear_cca": json.dumps(older)})
    with pytest.raises(InputError, match="linear CCA of version 1, not"):
        packed_run.check(packed_run.asked(pairs_of(TOY)), pairs)


def test_pairs_that_a_device_cuts_otherwise_are_refused(monkeypatch):
    splits = copy.copy(data.load("audio_score", "toy", cache_folder=BUILT))
    packed_run.check_cuts(splits, torch.device("cpu"))
    load = fit.load_batch
    monkeypatch.setattr(fit, "load_batch", lambda split, rows, device: [
        view + 1e-7 * (device != "cpu") for view in load(split, rows, "cpu")
    ])  # fmt: skip
    with pytest.raises(InputError, match="cpu does not cut the pairs as the processor does"):
        packed_run.check_cuts(splits, torch.device("cpu"))


def test_the_papers_methods_with_three_seeds_are_nine_runs_that_the_grid_takes_for_its_own():
    chosen = packed_run.asked()
    made = side_by_side.jobs(chosen, methods.PAPER, [1, 2, 3], paths.RECORDS)
    names = {str(job.record.relative_to(paths.ROOT)) for job in made}
    grid = (paths.ROOT / "Snakefile").read_text()
    assert 'RECORD = "book/records/{profile}/audio_score-{method}-seed{seed}.json"' in grid
    assert names == {f"book/records/full/audio_score-{m}-seed{s}.json" for m in methods.PAPER for s in (1, 2, 3)}
    assert {job.parameters["device"] for job in made} == {"cuda"}
