"""Ctrl-C while `xm train` trains, in a process of its own: once keeps the best so far, twice ends at once."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from xmlib.commands import app
from xmlib.data.own import pairs
from xmlib.data.own.ready import ready
from xmlib.retriever import Retriever, choice, training

SLOW = """
import sys, time
from xmlib.commands import app
from xmlib.retriever import folder
folder._write_manifest = lambda *given: time.sleep(600)
sys.exit(app.main())
"""


@pytest.fixture(autouse=True)
def ctrl_c_is_listened_to():
    """Also where the tests run in the background of a shell, which lets all that it starts ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    """The options that name two arrays of 800 pairs."""
    home = tmp_path_factory.mktemp("views")
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(800, 8))
    for name, d in (("a", 60), ("b", 40)):
        np.save(home / f"{name}.npy", hidden @ draw.normal(size=(8, d)) + draw.normal(size=(800, d)))
    return ["--view1", f"{home}/a.npy", "--view2", f"{home}/b.npy"]


def started(folder, views, *options, program=("-m", "xmlib")):
    command = [sys.executable, *program, "train", f"{folder}/model", *views, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupted_at(process, words) -> str:
    """What the process says on stderr up to a line with these words, at which it gets Ctrl-C."""
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            process.send_signal(signal.SIGINT)
            return said
    raise AssertionError(f"it ended before it said {words!r}: {said}")


@pytest.mark.faults
def test_ctrl_c_keeps_the_best_model_so_far_and_says_so(tmp_path, views):
    with started(tmp_path, views, "--method", "ccal_cont", "--epochs", "1000") as process:
        interrupted_at(process, "ccal_cont: epoch 2")
        out, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "the best so far, is in" in out.splitlines()[-1]
    assert error.endswith("stopped\n")
    model = Retriever.load(tmp_path / "model")
    assert (model.method, model.about["stopped"]) == ("ccal_cont", "interrupted")
    assert 2 <= len(model.about["history"]) < 1000
    assert set(model.indexes) == {"view1_to_view2", "view2_to_view1"}
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


@pytest.mark.faults
def test_a_second_ctrl_c_ends_at_once_and_leaves_what_was_there(tmp_path, views):
    old = [*views, "--method", "linear_cca"]
    assert app.main(["train", f"{tmp_path}/model", *old]) == 0
    before = Retriever.load(tmp_path / "model").about
    program = ("-c", SLOW)
    with started(tmp_path, views, "--method", "linear_nce", program=program) as process:
        interrupted_at(process, "linear_nce: epoch 1")
        interrupted_at(process, "another Ctrl-C ends at once")
        assert process.wait(timeout=300) == 130
    assert Retriever.load(tmp_path / "model").about == before
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_ctrl_c_before_the_first_epoch_has_ended_leaves_nothing(tmp_path, views, monkeypatch, capsys):
    def halted(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("xmlib.retriever.training.fit.run", halted)
    assert app.main(["train", f"{tmp_path}/model", *views, "--method", "ccal_cont"]) == 130
    assert "nothing was trained by then" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_the_model_is_written_lets_it_be_written(tmp_path, views, monkeypatch, capsys):
    keep = choice.keep

    def kept(*given):
        signal.raise_signal(signal.SIGINT)
        return keep(*given)

    monkeypatch.setattr(choice, "keep", kept)
    assert app.main(["train", f"{tmp_path}/model", *views, "--method", "linear_cca"]) == 130
    assert Retriever.load(tmp_path / "model").method == "linear_cca"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def small():
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(200, 4))
    return ready(pairs.read(*(hidden @ draw.normal(size=(4, d)) for d in (8, 6)), quiet=True))


def test_what_halts_a_training_leaves_the_weights_of_its_best_epoch():
    splits = small().splits

    def halt(row):
        if row["epoch"] == 3:
            raise training.Halted

    whole = Retriever.train(splits, method="ccal_cont", epochs=3)
    halted = Retriever.train(splits, method="ccal_cont", on_epoch=halt, epochs=50)
    rows = np.arange(20)
    np.testing.assert_array_equal(halted.embed1(splits.test.view1[rows]), whole.embed1(splits.test.view1[rows]))
    assert halted.about["stopped"] == "interrupted"


def test_methods_that_were_done_before_one_is_halted_are_kept():
    def halt(method, row):
        if method == "ccal_cont":
            raise training.Halted

    done = choice.trials(small(), 10, ("linear_nce", "ccal_cont", "learned_cont"), on_epoch=halt, epochs=2)
    assert [trial.method for trial in done] == ["linear_cca", "linear_nce", "ccal_cont"]
    assert done[-1].stopped == "interrupted"


def test_scoring_that_is_halted_is_done_again(monkeypatch):
    embed, calls = choice.fit.embed, []

    def halted(*given):
        calls.append(given)
        if len(calls) == 1:
            raise training.Halted
        return embed(*given)

    monkeypatch.setattr(choice.fit, "embed", halted)
    done = choice.trials(small(), 10, ("linear_nce",))
    assert [trial.method for trial in done] == ["linear_cca"]
    assert done[0].valid_mrr > 0.1
