"""Command lines that cannot be right: one line after `error:`, status 2, and nothing written."""

import numpy as np
import pytest
from bad_inputs import Bad, named, stops

from xmlib.commands import app
from xmlib.errors import InputError
from xmlib.retriever import Retriever


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, its views and a few files that are none."""
    folder = tmp_path_factory.mktemp("place")
    draw = np.random.default_rng(0)
    for name, width in (("one", 3), ("other", 4)):
        np.save(folder / f"{name}.npy", draw.normal(size=(40, width)))
    (folder / "text.txt").write_text("a\nb\n")
    (folder / "broken.json").write_text("{")
    model = Retriever.train(np.load(folder / "one.npy"), np.load(folder / "other.npy"), method="linear_cca")
    model.save(folder / "model")
    return folder


class Said:
    """Runs a command in the folder and raises what it said, so that it is held to what a sentence is."""

    def __init__(self, line: str) -> None:
        self.line = line

    def __call__(self, capsys) -> None:
        status = app.main(self.line.split())
        said = capsys.readouterr()
        assert (status, said.out) == (2, ""), said
        last = said.err.splitlines()[-1]
        assert last.startswith("error: ")
        raise InputError(last)


def bad(line: str, says: str) -> Bad:
    return Bad(f"xm {line}", Said(line), says)


TRAIN = "train new --view1 one.npy --view2 other.npy"
TABLE = [
    bad("fly", "No such command 'fly'"), bad("train", "Missing argument 'MODEL'"),
    bad("train new", "view1 is not given"),
    bad("train new --colour red", "No such option: --colour"),
    bad(f"{TRAIN} --method cca", "no method 'cca'; choose one"),
    bad(f"{TRAIN} --epochs many", "Invalid value for '--epochs'"),
    bad(f"{TRAIN} --epochs -1", "Invalid value for '--epochs'"),
    bad(f"{TRAIN} --minutes -1", "Invalid value for '--minutes'"),
    bad(f"{TRAIN} --threads 0", "Invalid value for '--threads'"),
    bad(f"{TRAIN} --threads 100000", "Invalid value for '--threads'"),
    bad(f"{TRAIN} --seed -1", "Invalid value for '--seed'"),
    bad(f"{TRAIN} --device tpu", "no device 'tpu'"), bad(f"{TRAIN} --test-share 2", "test_share 2.0 is not a share"),
    bad(f"{TRAIN} --valid-share nan", "valid_share nan is not a share"),
    bad(f"{TRAIN} --missing drop", "'drop' is unknown"),
    bad(f"{TRAIN} --kind1 pictures", "kind1 'pictures' is unknown"),
    bad(f"{TRAIN} --table x.csv", "give either a table, or"),
    bad("train new --view1 gone.npy --view2 other.npy", "'gone.npy' is not there"),
    bad("train new --view1 text.txt --view2 other.npy", "has 2 items and view2"),
    bad("train new --table gone.csv", "table 'gone.csv' is not there"),
    bad("train new --table text.txt", "no two columns"),
    bad("train . --view1 one.npy --view2 other.npy", "holds something else than a saved model"),
    bad("train one.npy --view1 one.npy --view2 other.npy", "holds something else than a saved model"),
    bad("train /dev/null/x --view1 one.npy --view2 other.npy", "No model can be written to"),
    bad("evaluate gone --view1 one.npy --view2 other.npy", "holds no saved retriever"),
    bad("evaluate model --view1 other.npy --view2 one.npy", "has 3 numbers an item"),
    bad("evaluate model --view1 one.npy --view2 other.npy --split exam", "none of the 40 pairs has the split 'exam'"),
    bad("evaluate model --view1 one.npy --view2 other.npy --items 99", "99 pairs were asked for of 40"),
    bad("evaluate model", "view1 is not given"), bad("refit model", "view1 is not given"),
    bad("refit gone --view1 one.npy --view2 other.npy", "holds no saved retriever"),
    bad("embed model one.npy --view 3 --out x.npy", "Invalid value for '--view'"),
    bad("embed model one.npy --view 1", "Missing option '--out'"),
    bad("embed model one.npy --view 1 --out x.txt", "x.txt"),
    bad("embed model gone.npy --view 1 --out x.npy", "is not there"),
    bad("embed model other.npy --view 1 --out x.npy", "has 3 numbers an item"),
    bad("embed gone one.npy --view 1 --out x.npy", "holds no saved retriever"),
    bad("index model --view 2", "nothing to put into the index or to take out"),
    bad("index model other.npy", "Missing option '--view'"),
    bad("index model other.npy --view 2 --remove a", "so that none is left to remove"),
    bad("index model --view 2 --remove a", "There is no index of view1"),
    bad("index model other.npy --view 2 --kind faiss", "no kind of index"),
    bad("index model --view 2 --remove-list one.npy", "is no list of ids"),
    bad("index model one.npy --view 2", "has 4 numbers an item"),
    bad("search model 1,2,3", "There is no index of view"), bad("search model 1,2,3 -k 0", "Invalid value for '-k'"),
    bad("search model 1,2,3 --direction up", "up"), bad("search gone fox", "holds no saved retriever"),
    bad("plot gone.json", "gone.json"), bad("plot broken.json", "broken.json"), bad("plot", "Missing argument"),
    bad("records fly", "No such command 'fly'"), bad("records rerun gone.json", "There is no record 'gone.json'"),
    bad("records rerun broken.json", "broken JSON"), bad("records confirm gone.json", "There is no record"),
    bad("records confirm broken.json --epochs 0", "Invalid value for '--epochs'"),
    bad("data mnist", "No such command 'mnist'"), bad("data emoji --profile fast", "profile 'fast' is unknown"),
    bad("data emoji --split half", "split 'half' is unknown"),
    bad("data emoji --style noto", "style 'noto' is unknown"),
    bad("data emoji --seed -1", "seed -1 is not a whole number"),
    bad("data emoji --seed one", "Invalid value for '--seed'"),
    bad("data audio_score --difficulty odd", "difficulty 'odd' is unknown"),
    bad("data share --share 4 --of 4", "share 4 of 4 does not exist"), bad("data share --of 4", "Missing option"),
    bad("data download mnist", "nothing to download for 'mnist'"),
    bad("data audio_score --dataset-file gone.npz", "gone.npz is not there"),
    bad("data iapr --dataset-file gone.npz", "gone.npz is not"),
    bad("data iapr --dataset-file text.txt", "is no .npz file"), bad("data table gone.csv", "'gone.csv' is not there"),
    bad("data coco broken.json", "is not JSON"), bad("data politics broken.json", "is no whole pickle"),
    bad("data table text.txt", "ends in '.txt'; a table ends in"),
    bad("data good_news gone.json", "gone.json cannot be read"),
    bad(f"data iapr --dataset-file {'x' * 300}", "is not there"),
]  # fmt: skip


@pytest.mark.parametrize("row", named(TABLE))
def test_a_command_that_cannot_be_right_is_said_in_one_line(row, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    stops(lambda: row.do(capsys), row.says, tmp_path)
    assert sorted(place.rglob("*")) == before
