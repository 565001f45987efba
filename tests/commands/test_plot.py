"""`xm plot` on a record, a checkpoint and the folder of a model."""

import json
import os
import signal
import subprocess
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from xmlib.commands import app, plot
from xmlib.retriever import Retriever, histories
from xmlib.show import figures

ROWS = [{"epoch": i + 1, "loss": 1 / (i + 1), "valid_mrr": float("nan") if i == 1 else i / 10} for i in range(4)]


@pytest.fixture
def runs(tmp_path):
    """A record, the checkpoint of a run of two epochs, and a model."""
    (tmp_path / "record$x_$.json").write_text(json.dumps({"history": ROWS}))
    (tmp_path / "run").mkdir()
    torch.save({"history": ROWS[:2]}, tmp_path / "run" / "checkpoint.pt")
    draw = np.random.default_rng(0)
    model = Retriever.train(draw.normal(size=(60, 5)), draw.normal(size=(60, 4)), method="linear_nce", epochs=2)
    model.save(tmp_path / "model")
    return [str(tmp_path / name) for name in ("record$x_$.json", "run/checkpoint.pt", "model")]


def test_any_key_is_read_from_every_place_that_has_a_history(runs, capsys):
    assert app.main(["plot", *runs, "--key", "loss", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["record$x_$.json"] == {"epoch": [1, 2, 3, 4], "loss": [1, 1 / 2, 1 / 3, 1 / 4]}
    assert found["checkpoint.pt"] == {"epoch": [1, 2], "loss": [1, 0.5]}
    assert found["model"]["loss"] == [row["loss"] for row in Retriever.load(runs[2]).about["history"]]


def test_the_table_has_first_lowest_highest_and_last_of_what_is_a_number(runs, capsys):
    assert app.main(["plot", runs[0]]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "record$x_$.json",
        "4",
        "0.000",
        "0.000",
        "0.300",
        "0.300",
    ]


def test_the_figure_has_a_line_for_each_run_and_no_mathematics_in_their_names():
    ax = figures.histories({"record$x_$": ([1, 2], [0.1, 0.2]), "b": ([1, 2, 3], [0.3, 0.2, 0.1])}, "loss")
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.1, 0.2], [0.3, 0.2, 0.1]]
    ax.figure.canvas.draw()  # raises where a name is taken for mathematics


@pytest.mark.parametrize(("name", "begins"), [("loss.svg", b"<?xml"), ("loss.PNG", b"\x89PNG")])
def test_the_figure_is_of_the_kind_that_its_name_says(runs, tmp_path, name, begins):
    assert app.main(["plot", *runs, "--key", "loss", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path, capsys):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "r.json").write_text(json.dumps({"history": ROWS}))
    assert app.main(["plot", f"{tmp_path}/a/r.json", f"{tmp_path}/b/r.json"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["a/r.json", "b/r.json"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.json"], "nowhere.json is not there"),
        (["{}/other.json"], "has no history of a training"),
        (["{}/text.json"], "has no history of a training"),
        (["{}/record.json", "--key", "color"], "has no 'color' in its history; it has: epoch, loss, valid_mrr"),
        (["{}/record.json", "--out", "figure.gif"], "ends in '.gif'"),
        (["{}/record.json", "{}/record.json"], "A run is given twice"),
        (["{}"], "holds no saved retriever"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_status_2(tmp_path, capsys, arguments, words):
    (tmp_path / "record.json").write_text(json.dumps({"history": ROWS}))
    (tmp_path / "other.json").write_text("[1, 2]")
    (tmp_path / "text.json").write_text("text")
    assert app.main(["plot", *(one.replace("{}", str(tmp_path)) for one in arguments)]) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert words in error


@pytest.fixture
def going_on(tmp_path, monkeypatch):
    """A run that writes a row of its history at each look, up to four; and how often a figure was drawn of how many."""
    monkeypatch.chdir(tmp_path)
    checkpoint, drawn, draw = tmp_path / "checkpoint.pt", [], plot._draw

    def train(*_):
        n = len(histories.read(checkpoint)) + 1 if checkpoint.exists() else 1
        if n <= len(ROWS):
            torch.save({"history": ROWS[:n]}, checkpoint)
            os.utime(checkpoint, (time.time(), time.time() + n / 100))  # looks may be closer than the clock's ticks
        else:
            os.utime(checkpoint, (0, 0))  # as if it had been quiet for long
        return False

    def noted(found, *rest):
        drawn.append(len(found["checkpoint.pt"][0]))
        draw(found, *rest)

    monkeypatch.setattr("time.sleep", train)
    monkeypatch.setattr(plot, "_draw", noted)
    train()
    return drawn


def test_a_run_that_goes_on_is_drawn_again_whenever_it_writes_until_it_is_quiet(going_on, tmp_path, capsys):
    (tmp_path / "record.json").write_text(json.dumps({"history": ROWS, "stopped": "patience"}))
    assert app.main(["plot", "checkpoint.pt", "record.json", "--key", "loss", "--live", "--json"]) == 0
    out, error = capsys.readouterr()
    assert json.loads(out)["checkpoint.pt"]["epoch"] == [1, 2, 3, 4]
    assert sorted(set(going_on)) == [1, 2, 3, 4]
    assert "checkpoint.pt: epoch 2, loss 0.5; record.json: epoch 4, loss 0.25" in error
    assert error.endswith("the figure is loss.svg\n")
    assert (tmp_path / "loss.svg").read_bytes().startswith(b"<?xml")


def test_runs_that_have_ended_are_drawn_once(runs, tmp_path, monkeypatch):
    (tmp_path / "done.json").write_text(json.dumps({"history": ROWS, "stopped": "epochs"}))
    monkeypatch.setattr("time.sleep", None)  # would be called by whoever waits
    arguments = ["plot", str(tmp_path / "done.json"), runs[2], "--key", "loss", "--live"]
    assert app.main([*arguments, "--out", str(tmp_path / "l.png")]) == 0
    assert (tmp_path / "l.png").is_file()


def test_a_window_is_drawn_in_until_it_is_closed(going_on, monkeypatch):
    def paused(seconds):
        time.sleep(seconds)
        if going_on[-1] == len(ROWS):
            plt.close("all")

    monkeypatch.setattr(plot, "_is_window", lambda: True)
    monkeypatch.setattr(plt, "pause", paused)
    assert app.main(["plot", "checkpoint.pt", "--key", "loss", "--live"]) == 0
    assert going_on[-1] == len(ROWS)
    assert not os.path.exists("loss.svg")


@pytest.mark.faults
def test_ctrl_c_ends_the_following_with_what_there_is(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"history": ROWS}))
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import xmlib.__main__"
    command = [sys.executable, "-c", code, "plot", "run.json", "--live", "--out", "live.svg"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr.readline() == "run.json: epoch 4, valid_mrr 0.3\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (0, "the figure is live.svg\n")
    assert out.splitlines()[1].startswith("run.json")
    assert (tmp_path / "live.svg").is_file()
