"""Bad parameters in real runs of papermill: the failing cell ends in the sentence, and nothing is left half-written."""

import os
import re

import nbformat
import pytest

from xmlib import paths

INLINE = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"} | {"OMP_NUM_THREADS": "1"}
BAD = {
    "a batch that CCA cannot use": (
        "image_text", {"batch": 8}, "A batch of 8 pairs is too small for d = 64 dimensions",
    ),
    "a method from elsewhere": ("audio_score", {"method": "linear_nce"}, "There is no method 'linear_nce'; choose one"),
    "a weight that is a text": ("neighborhoods", {"img": "much"}, "img is 'much' of type str; give a float"),
    "pairs that are not there": ("your_pairs", {"view1": "gone.npy", "view2": "gone.npy"}, "gone.npy"),
    "pairs that are no pairs": ("audio_score", {"profile": "toy", "dataset_file": "odd.npz"}, "odd.npz"),
}  # fmt: skip


@pytest.mark.faults
@pytest.mark.parametrize("name", BAD)
def test_the_failing_cell_of_a_real_run_ends_in_the_sentence_and_nothing_is_left(
    name, tmp_path, forks, record_property
):
    notebook, given, says = BAD[name]
    work = tmp_path / "work"
    work.mkdir()
    (work / "odd.npz").write_bytes(b"PK\3\4" + bytes(60))
    arguments = [part for key, value in given.items() for part in ("-p", key, str(value))]
    kept = {"XMLIB_RUNS": str(work / "runs"), "XMLIB_DATA": str(work / "data")}
    ended = forks.run(
        "-m", "papermill", "--no-progress-bar", paths.NOTEBOOKS / f"{notebook}.ipynb", tmp_path / "out.ipynb",
        *arguments, cwd=work, env=INLINE | forks.kernels | kept,
    )  # fmt: skip
    assert ended.returncode != 0
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    (error,) = [out for cell in cells for out in cell.get("outputs", []) if out.output_type == "error"]
    last = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback)).strip().splitlines()[-1]
    assert error.ename == "InputError"
    assert last == f"InputError: {error.evalue}"
    assert re.search(re.escape(says), last), last
    assert "\n" not in error.evalue
    left = [file for file in work.rglob("*") if file.is_file() and file.name != ".lock"]
    assert [file.name for file in left] == ["odd.npz"], left
    record_property("faults", 1)
