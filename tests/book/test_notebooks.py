"""The notebooks: twins in step, parameters that explain themselves, and a run from start to end."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from click.testing import CliRunner
from papermill import cli

from book.make import notebooks
from xmlib import data, methods, paths
from xmlib.commands import app
from xmlib.errors import InputError
from xmlib.runs import experiments, parameters, records

SOURCES = sorted(paths.NOTEBOOKS.glob("*.py"))
AUDIO, IMAGES = paths.NOTEBOOKS / "audio_score.ipynb", paths.NOTEBOOKS / "image_text.ipynb"
NEIGHBORHOODS = paths.NOTEBOOKS / "neighborhoods.ipynb"
INLINE = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"} | {"OMP_NUM_THREADS": "1"}  # figures as in Jupyter


@pytest.fixture
def twins(tmp_path):
    for suffix in (".py", ".ipynb"):
        shutil.copy(AUDIO.with_suffix(suffix), tmp_path)
    py = tmp_path / "audio_score.py"
    return py, {"audio_score": notebooks._digest(py)}


@pytest.fixture(scope="module")
def papermill(forks):
    """A notebook run by papermill: exit status and what it printed."""

    def run(*arguments, cwd, **environment):
        return forks.run(
            "-m", "papermill", "--no-progress-bar", *arguments, cwd=cwd, env=INLINE | forks.kernels | environment
        )

    return run


@pytest.fixture
def refused(forks, tmp_path):
    """What the twin of a notebook, the same lines as a script, says to a value of a parameter that it refuses."""

    def run(notebook, name, value):
        source, changed = re.subn(
            rf"(?m)^({name}: str =) .*?  #", rf'\1 "{value}"  #', notebook.with_suffix(".py").read_text()
        )
        assert changed == 1
        (tmp_path / "twin.py").write_text(source)
        data = {"XMLIB_DATA": str(tmp_path / "data"), "XMLIB_RUNS": str(tmp_path / "runs")}
        done = forks.run("twin.py", cwd=tmp_path, env=os.environ | data)
        assert done.returncode != 0
        assert [path.name for path in tmp_path.iterdir()] == ["twin.py"]  # before any pairs are built
        return done.stderr

    return run


@pytest.mark.parametrize("py", SOURCES, ids=lambda p: p.stem)
def test_the_ipynb_is_byte_for_byte_what_the_py_says_without_outputs(py):
    assert py.with_suffix(".ipynb").read_text() == notebooks.from_py(py.read_text())


def test_an_edit_to_the_py_alone_is_taken_over(twins):
    py, stamps = twins
    py.write_text(py.read_text().replace("# ## Training", "# ## Training, edited"))
    assert "audio_score.ipynb taken over" in notebooks.sync(py, stamps)
    assert "Training, edited" in py.with_suffix(".ipynb").read_text()
    assert notebooks.sync(py, stamps) == ""


def test_an_edit_to_the_ipynb_alone_is_taken_over(twins):
    py, stamps = twins
    ipynb = py.with_suffix(".ipynb")
    ipynb.write_text(ipynb.read_text().replace("## Training", "## Training, edited"))
    assert "audio_score.py taken over" in notebooks.sync(py, stamps)
    assert "# ## Training, edited" in py.read_text()
    assert notebooks.sync(py, stamps) == ""


def test_a_deleted_ipynb_is_made_again(twins):
    py, stamps = twins
    before = py.with_suffix(".ipynb").read_text()
    py.with_suffix(".ipynb").unlink()
    assert "audio_score.ipynb taken over" in notebooks.sync(py, stamps)
    assert py.with_suffix(".ipynb").read_text() == before


def test_outputs_in_the_ipynb_are_no_edit(twins):
    py, stamps = twins
    ipynb = py.with_suffix(".ipynb")
    notebook = nbformat.read(ipynb, as_version=4)
    next(c for c in notebook.cells if c.cell_type == "code").outputs = [nbformat.v4.new_output("stream", text="hello")]
    nbformat.write(notebook, ipynb)
    assert notebooks.sync(py, stamps) == ""


def test_edits_to_both_twins_stop_and_say_so(twins):
    py, stamps = twins
    ipynb = py.with_suffix(".ipynb")
    py.write_text(py.read_text().replace("# ## Training", "# ## One"))
    ipynb.write_text(ipynb.read_text().replace("## Training", "## Other"))
    before = py.read_text(), ipynb.read_text()
    with pytest.raises(InputError, match="Both audio_score.py and audio_score.ipynb were edited"):
        notebooks.sync(py, stamps)
    assert (py.read_text(), ipynb.read_text()) == before


def cell(ipynb, found):
    return next(c.source for c in nbformat.read(ipynb, as_version=4).cells if found(c))


def parameters_of(ipynb) -> list[str]:
    lines = cell(ipynb, lambda c: "parameters" in c.metadata.get("tags", [])).splitlines()
    return [line for line in lines if line[0].isalpha()]  # without those of the dictionary of options


@pytest.mark.parametrize("py", SOURCES, ids=lambda p: p.stem)
def test_every_parameter_is_explained_by_papermills_help(py):
    shown = CliRunner().invoke(cli.papermill, ["--help-notebook", str(py.with_suffix(".ipynb"))]).output
    for line in parameters_of(py.with_suffix(".ipynb")):
        declaration, explanation = line.split("  # ")
        assert f"{declaration.split(':')[0]}: " in shown
        assert explanation[:40] in shown or declaration.startswith("options")  # whose value is shown in its place


@pytest.mark.parametrize("ipynb", [AUDIO, IMAGES, NEIGHBORHOODS], ids=lambda p: p.stem)
def test_the_record_keeps_every_parameter(ipynb):
    names = {line.split(":")[0] for line in parameters_of(ipynb)}
    values = parameters.checked(ipynb.stem, parameters.defaults(ipynb))
    assert set(values) == (names - {"options"}) | set(parameters.options(ipynb))
    assert re.search(rf'checked\(\s*"{ipynb.stem}", globals\(\)', cell(ipynb, lambda c: "parameters = " in c.source))


def test_an_unknown_method_fails_before_any_pairs_are_built_and_lists_the_methods(refused):
    said = refused(AUDIO, "method", "nonsense")
    assert "There is no method 'nonsense'; choose one of ccal_tno, learned_cont, ccal_cont" in said


@pytest.fixture(scope="module")
def toy_runs(papermill, tmp_path_factory):
    """One executed notebook and record per method, run side by side from a folder that is not the repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    records_of = {}
    for method in methods.PAPER:
        record = folder / f"{method}.json"
        changed = ["-p", "renderings", 2, "-p", "augment", 1] if method == "ccal_cont" else []
        run = papermill(
            AUDIO, folder / f"{method}.ipynb", "-p", "method", method, "-p", "profile", "toy", "-p", "record", record,
            *changed, cwd=folder, XMLIB_RUNS=str(folder / "runs"),
        )  # fmt: skip
        assert run.returncode == 0, run.stderr[-3000:]
        records_of[method] = record
    return records_of


@pytest.mark.parametrize("method", methods.PAPER)
def test_every_method_runs_on_toy_from_another_folder_and_leaves_a_record(toy_runs, method):
    record = records.load(toy_runs[method])
    assert (record["method"], record["profile"], len(record["history"])) == (method, "toy", 3)
    assert len(record["ranks"]["view1_to_view2"]) == record["data"]["test"] == 60
    outputs = [
        o
        for c in nbformat.read(toy_runs[method].with_suffix(".ipynb"), as_version=4).cells
        for o in c.get("outputs", [])
    ]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 6  # pairs, changes, model, curve, ranks, retrieved
    assert not [o for o in outputs if o.output_type == "stream" and "Warning" in o.text]


@pytest.fixture(scope="module")
def toy_pictures(papermill, tmp_path_factory):
    """The notebook of pictures and words, executed with two seeds and all comparisons, from another folder."""
    folder = tmp_path_factory.mktemp("pictures")
    run = papermill(
        IMAGES, folder / "out.ipynb", "-p", "method", "ccal_nce", "-p", "profile", "toy", "-p", "seeds", 2,
        "-p", "comparisons", "all", "-p", "record", folder / "records", cwd=folder, XMLIB_RUNS=str(folder / "runs"),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


def test_pictures_and_words_leave_a_record_for_every_seed_and_comparison(toy_pictures):
    found = records.load_all(toy_pictures / "records")
    variants = ["", "", *experiments.variants("emoji")]
    assert sorted((r["variant"], r["seed"]) for r in found) == sorted(zip(variants, [1, 2] + [1] * 7, strict=True))
    assert all("map" in r["metrics"]["view1_to_view2"] and "csls" in r["corrections"] for r in found)
    outputs = [o for c in nbformat.read(toy_pictures / "out.ipynb", as_version=4).cells for o in c.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 5  # pairs, curve, refit, pictures, texts
    assert not [o for o in outputs if o.output_type == "stream" and "Warning" in o.text]


def test_an_iapr_file_with_a_planted_correlation_goes_through_the_whole_notebook(papermill, tmp_path):
    draw = np.random.RandomState(0)
    hidden = draw.randn(19_996, 8)
    images, words = (np.abs(hidden @ draw.randn(8, n) + 0.3 * draw.randn(len(hidden), n)) for n in (60, 40))
    np.savez(tmp_path / "iapr.npz", images=images.astype(np.float32), tfidf=words.astype(np.float32))
    run = papermill(
        IMAGES, tmp_path / "out.ipynb", "-p", "dataset", "iapr", "-p", "dataset_file", tmp_path / "iapr.npz",
        "-p", "method", "ccal_tno", "-p", "profile", "toy", "-p", "seeds", 1,
        "-p", "record", tmp_path / "record.json", cwd=tmp_path, XMLIB_RUNS=str(tmp_path / "runs"),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    record = records.load(tmp_path / "record.json")
    chance = record["baselines"]["chance"]["metrics"]
    assert all(found["mrr"] > 5 * chance[way]["mrr"] for way, found in record["metrics"].items())
    outputs = [o for c in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells for o in c.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 2  # curve and refit: there are no pictures


@pytest.mark.faults
def test_a_record_of_another_split_is_repeated_to_the_last_digit(toy_pictures):
    record = toy_pictures / "records" / "toy" / "emoji-zero_shot-ccal_nce-seed1.json"
    assert records.rerun(record) == []


@pytest.fixture(scope="module")
def toy_neighborhoods(papermill, tmp_path_factory):
    """The notebook of neighbourhoods, executed with two configurations of the ablation, from another folder."""
    folder = tmp_path_factory.mktemp("neighborhoods")
    data.load("emoji", "toy")  # so that the notebook says nothing of building it
    run = papermill(
        NEIGHBORHOODS, folder / "out.ipynb", "-p", "profile", "toy", "-p", "ablation", "sym all_released",
        "-p", "record", folder / "records", cwd=folder, XMLIB_RUNS=str(folder / "runs"),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


def test_neighborhoods_leave_a_record_for_every_configuration(toy_neighborhoods):
    found = records.load_all(toy_neighborhoods / "records")
    assert sorted(r["variant"] for r in found) == ["", "all_released", "sym"]
    assert all({"neighbors", "coherence", "pools"} <= set(r) for r in found)
    cells = nbformat.read(toy_neighborhoods / "out.ipynb", as_version=4).cells
    outputs = [o for c in cells for o in c.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 4  # neighbours, terms, map, gains
    assert not [o.text for o in outputs if o.output_type == "stream"]  # no warning, and nothing of nmslib's


@pytest.mark.faults
def test_a_record_of_the_ablation_is_repeated_to_the_last_digit(toy_neighborhoods):
    record = toy_neighborhoods / "records" / "toy" / "emoji-all_released-neighborhoods-seed1.json"
    assert records.rerun(record) == []


def test_an_unknown_text_encoder_is_refused_at_once(refused):
    said = refused(NEIGHBORHOODS, "text_encoder", "tf-idf")
    assert "There is no text encoder 'tf-idf'; choose one of words, tfidf" in said


def test_a_method_without_neighbourhoods_is_refused_by_their_notebook(refused):
    said = refused(NEIGHBORHOODS, "method", "ccal_tno")
    assert "There is no method 'ccal_tno'; choose one of neighborhoods, ccal_neighborhoods" in said


def test_the_baselines_of_a_run_do_not_depend_on_its_method(toy_runs):
    sides = [records.load(path)["baselines"] for path in toy_runs.values()]
    assert sides[0] == sides[1] == sides[2]


def test_a_record_says_how_its_training_pairs_were_changed(toy_runs):
    plain, changed = (records.load(toy_runs[method]) for method in ("ccal_tno", "ccal_cont"))
    assert (plain["settings"]["augment"], changed["settings"]["augment"]) == (0.0, 1.0)
    assert (plain["data"]["settings"].get("renderings"), changed["data"]["settings"]["renderings"]) == (None, 2)
    assert (plain["parameters"]["augment"], changed["parameters"]["augment"]) == (-1.0, 1.0)
    assert plain["data"]["digest"] != changed["data"]["digest"]


@pytest.mark.faults
def test_a_record_is_repeated_to_the_last_digit_by_the_command(toy_runs):
    command = [sys.executable, "-m", "xmlib", "records", "rerun", str(toy_runs["ccal_cont"])]
    run = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr[-2000:]
    assert "Equal" in run.stdout


def test_a_changed_number_in_a_record_is_found(toy_runs):
    record = records.load(toy_runs["ccal_cont"])
    other = json.loads(json.dumps(record))
    other["history"][1]["loss"] += 1e-12
    other["history"][1]["seconds"] += 5
    assert [line.split(":")[0] for line in records.differences(record, other)] == ["history[1].loss"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "There is no record"), ("{", "broken JSON"), ('{"format": 99}', "not a record of format 2")],
)
def test_a_file_that_is_no_record_is_refused_with_exit_status_2(tmp_path, capsys, content, words):
    path = tmp_path / "r.json"
    if content:
        path.write_text(content)
    assert app.main(["records", "rerun", str(path)]) == 2
    assert words in capsys.readouterr().err
