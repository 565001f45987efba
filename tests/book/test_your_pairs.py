"""The notebook your_pairs on arrays, on a table as Excel saves it, and on a folder of sounds and pictures."""

import functools
import json
import os

import nbformat
import numpy as np
import pytest
import soundfile
from PIL import Image

from xmlib import paths
from xmlib.data.own import sides
from xmlib.errors import InputError
from xmlib.retriever import Retriever, choice
from xmlib.runs import parameters

NOTEBOOK = paths.NOTEBOOKS / "your_pairs.ipynb"
INLINE = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"} | {"OMP_NUM_THREADS": "1"}
COLOURS = {"red": (255, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 255), "yellow": (250, 230, 0), "grey": (90, 90, 90)}
N = 40


@pytest.fixture
def run(forks, tmp_path):
    return functools.partial(executed, forks, tmp_path)


def executed(forks, folder, pixels=0, **asked):
    """What papermill made of the notebook: the process, and the cells' outputs as one text."""
    given = {"minutes": 1, "method": "linear_nce", **asked}
    arguments = [part for name, value in given.items() for part in ("-p", name, str(value))]
    arguments += ["-y", json.dumps({"options": {"epochs": 2, "pixels": pixels}})]
    ended = forks.run(
        "-m", "papermill", "--no-progress-bar", NOTEBOOK, folder / "out.ipynb", *arguments, cwd=folder,
        env=INLINE | forks.kernels | {"XMLIB_RUNS": str(folder / "runs"), "XMLIB_DATA": str(folder / "data")},
    )  # fmt: skip
    said = ""
    if (folder / "out.ipynb").exists():
        outputs = [o for c in nbformat.read(folder / "out.ipynb", as_version=4).cells for o in c.get("outputs", [])]
        said = "\n".join(str(o.get("text", "")) + "".join(map(str, o.get("data", {}).values())) for o in outputs)
    return ended, said


def written(folder):
    return json.loads((folder / "runs" / "your_pairs.json").read_text())


def draw(folder):
    """N pictures, and of each the words that say what is on it."""
    folder.mkdir(exist_ok=True)
    said = []
    for i in range(N):
        names = list(COLOURS)
        left, right = names[i % 5], names[(i // 5) % 5]
        picture = Image.new("RGB", (40 + i, 32), COLOURS[left])
        picture.paste(COLOURS[right], (20, 0, 40 + i, 32))
        picture.save(folder / f"p{i}.png")
        said.append(f"{left} on the left, {right} on the right, number {i}")
    return said


def test_two_arrays_leave_a_report_a_recommendation_and_a_model(tmp_path, run):
    draws = np.random.default_rng(0)
    hidden = draws.normal(size=(200, 4))
    for name, d in (("a", 12), ("b", 6)):
        np.save(tmp_path / f"{name}.npy", hidden @ draws.normal(size=(4, d)) + 0.1 * draws.normal(size=(200, d)))
    ended, said = run(view1="a.npy", view2="b.npy", method="auto", record=tmp_path / "all.json")
    assert ended.returncode == 0, ended.stderr[-3000:]
    kept = json.loads((tmp_path / "all.json").read_text())
    assert kept["recommendation"].startswith("**Take ")
    assert len(kept["trials"]) == 7
    assert "Linear CCA, among" in said
    assert "Warning" not in said
    model = Retriever.load(tmp_path / "runs" / "your_pairs")
    assert model.method == kept["chosen"]
    ids, _ = model.search(np.load(tmp_path / "a.npy")[7], 20)
    assert "row 8" in ids


def test_a_table_as_excel_saves_it_is_trained_on_without_the_pairs_that_lack_something(tmp_path, run):
    said = draw(tmp_path / "img")
    rows = [f'img\\p{i}.png;"{text}\nsecond line"' for i, text in enumerate(said)]
    rows += ["img\\gone.png;a picture that is not there", "img\\p3.png;"]
    (tmp_path / "pairs.csv").write_bytes(("\ufeff" + "\r\n".join(["image;text", *rows]) + "\r\n").encode())
    ended, page = run(table="pairs.csv", missing="skip")
    assert ended.returncode == 0, ended.stderr[-3000:]
    left_out = [["row 42", "there is no file 'img\\\\gone.png'"], ["row 43", "the text of column text is empty"]]
    assert written(tmp_path)["left_out"] == left_out
    assert all(reason.replace("'", "&#39;") in page for _, reason in left_out)
    assert "semicolon, quoted line breaks" in page
    assert page.count("data:image/png") > 10
    ids, _ = Retriever.load(tmp_path / "runs" / "your_pairs").search("red on the left", 5, "view2_to_view1")
    assert len(ids) == 5
    stopped, _ = run(table="pairs.csv")
    assert stopped.returncode != 0
    assert "2 of 42 pairs cannot be used" in stopped.stderr


def test_a_folder_of_sounds_and_pictures_is_trained_on_without_the_one_that_lacks_its_partner(tmp_path, run):
    draw(tmp_path / "both")
    for i in range(N):
        tone = 0.3 * np.sin(2 * np.pi * (200 + 100 * (i % 5) + i) * np.arange(9000) / 8000)
        soundfile.write(tmp_path / "both" / f"p{i}.wav", tone, 8000)
    (tmp_path / "both" / "p7.wav").unlink()
    ended, page = run(view1="both", missing="skip", pixels=32)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert written(tmp_path)["left_out"] == [["p7", "there is no file 'p7.*'"]]
    assert page.count("data:audio/mpeg") > 10
    model = Retriever.load(tmp_path / "runs" / "your_pairs")
    assert [tuple(one.shape) for one in model.preparations] == [(1, 32, 32), (1, 92, 23)]
    assert len(model.search(tmp_path / "both" / "p7.png", 3)[0]) == 3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"method": "ccal"}, "There is no method 'ccal'"),
        ({"missing": "ignore"}, "There is no missing 'ignore'"),
        ({"options": {"kind1": "video"}}, "There is no kind1 'video'"),
        ({"options": {"d": -1}}, "d = -1, but the least that means something is 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence_before_anything_is_trained(asked, words):
    values = parameters.defaults(NOTEBOOK) | asked
    known = {"method": ("auto", *choice.ORDER), "missing": ("stop", "skip"), "kind1": ("", *sides.KINDS)}
    with pytest.raises(InputError, match=words):
        parameters.checked("your_pairs", values, **known)
