"""A record may come from anywhere: it runs nothing but our notebooks, and its numbers are those of its ranks."""

import ast
import copy
import json
import os
import subprocess

import nbformat
import numpy as np
import papermill
import pytest
import yaml
from made_up import record as made_up
from papermill.iorw import read_yaml_file
from papermill.translators import translate_parameters

from xmlib import evaluate, paths
from xmlib.commands import app
from xmlib.errors import InputError
from xmlib.runs import parameters, record_checks, records

FORTH, BACK = evaluate.DIRECTIONS
AUDIO = paths.NOTEBOOKS / "audio_score.ipynb"
HOSTILE = {
    "quotes": "'\"'''\"\"\"",
    "a statement": '"\nimport os\nos.abort()\n"',
    "backslashes": '\\" \\n \\N{BELL} \\x22 \\',
    "line ends": "a\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h",
    "nothing": "",
    "other letters": "Größe 大 😀 \x00 \ufeff",
    "placeholders": "{seed} {0.__class__} ${HOME} `id` %s",
    "YAML": "yes: [1, 2] # no\n--- !!python/object/apply:os.abort []",
}


def record(**changes) -> dict:
    """A sound record with the parameters that its notebook gives."""
    given = {"method": "ccal_cont", "profile": "quick", "seed": 1, "width": 0.5, "difficulty": "hard", "record": ""}
    return made_up() | {"parameters": given} | changes


def saved(folder, found: dict):
    path = folder / "record.json"
    path.write_text(json.dumps(found))
    return path


@pytest.fixture
def nothing_runs(monkeypatch):
    def forbidden(*arguments, **options):
        pytest.fail(f"this was run: {arguments}")

    monkeypatch.setattr(subprocess, "run", forbidden)
    monkeypatch.setattr(subprocess, "Popen", forbidden)


# --- what a record may ask for ---


def test_parameters_are_read_from_the_notebook_without_running_it(tmp_path):
    source = f'n: int = 3  # how many\nopen({str(tmp_path / "ran")!r}, "w")\nname: str = "a"\nother = 5\n'
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "own.ipynb")
    assert parameters.declared(tmp_path / "own.ipynb") == {"n": "int", "name": "str"}
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", sorted(paths.NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_declared_parameters_are_those_that_papermill_would_replace(path):
    found = {name: one["inferred_type_name"] for name, one in papermill.inspect_notebook(str(path)).items()}
    options = dict.fromkeys(parameters.options(path), "")
    declared = {name: kind for name, kind in parameters.declared(path).items() if name not in options}
    assert declared | ({"options": "dict"} if options else {}) == found


@pytest.mark.parametrize(
    "name",
    [
        "x = __import__('os').system('id')\ny",
        "seed\n",
        "seed, x",
        "seed;x",
        "profiles",
        "__builtins__",
        "pm",
        "",
        "Seed",
    ],
)
def test_a_parameter_that_the_notebook_does_not_declare_is_refused(tmp_path, capsys, nothing_runs, name):
    found = record()
    found["parameters"][name] = 1
    assert app.main(["records", "rerun", str(saved(tmp_path, found))]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: audio_score has no parameter")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "1"), ("epochs", True), ("epochs", 1.0), ("epochs", None), ("epochs", [1]), ("epochs", {"a": 1}),
        ("width", "0.5"), ("width", False), ("width", float("nan")), ("width", float("inf")),
        ("difficulty", 1), ("difficulty", None), ("difficulty", ["hard"]), ("difficulty", "\ud800"),
    ],
)  # fmt: skip
def test_a_parameter_of_another_type_is_refused(tmp_path, nothing_runs, name, value):
    found = record()
    found["parameters"][name] = value
    with pytest.raises(InputError, match=f"The parameter {name} is .*; give a (int|float|str)"):
        records.rerun(saved(tmp_path, found))


def test_a_whole_number_is_good_where_a_float_is_declared():
    parameters.check(AUDIO, {"width": 1, "epochs": 3, "difficulty": "hard"})


@pytest.mark.parametrize("name", ["../../elsewhere/evil", "/tmp/evil", "./audio_score", "audio_score.ipynb", "", "*"])
def test_a_notebook_that_is_not_ours_is_refused(tmp_path, nothing_runs, name):
    with pytest.raises(InputError, match="There is no notebook .*; choose one of audio_score, "):
        records.rerun(saved(tmp_path, record(notebook=name)))


def test_a_notebook_that_makes_no_records_is_refused(tmp_path, nothing_runs):
    with pytest.raises(InputError, match="gradient_cca has no parameter 'method'"):
        records.rerun(saved(tmp_path, record(notebook="gradient_cca")))


@pytest.mark.parametrize(
    "commit", ["--upload-pack=touch x", "abcdef0; id", "`id`", "main", "abcdef0++", "ABCDEF0", "a"]
)
def test_a_commit_that_is_not_hexadecimal_is_refused(tmp_path, nothing_runs, commit):
    with pytest.raises(InputError, match="commit .* is not hexadecimal"):
        records.rerun(saved(tmp_path, record(commit=commit)))


def test_a_record_of_other_code_says_which_commit_made_it(tmp_path, nothing_runs):
    with pytest.raises(InputError, match=r"`git checkout 0123456789ab` and `make setup` first"):
        records.rerun(saved(tmp_path, record(commit="0123456789ab+")))
    with pytest.raises(InputError, match="than this checkout has: remake it"):
        records.rerun(saved(tmp_path, record(commit="")))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_reaches_the_notebook_as_that_text_and_nothing_else(tmp_path, text):
    parameters.check(AUDIO, {"difficulty": text})
    (tmp_path / "given.yml").write_text(yaml.safe_dump({"difficulty": text, "seed": 1}), encoding="utf-8")
    given = read_yaml_file(str(tmp_path / "given.yml"))
    first, last = ast.parse(translate_parameters("python3", "python", given, "Parameters")).body
    assert (ast.unparse(first.targets[0]), ast.literal_eval(first.value)) == ("difficulty", text)
    assert ast.unparse(last) == "seed = 1"


def test_a_small_number_reaches_the_notebook_as_a_number(tmp_path):
    (tmp_path / "given.yml").write_text(yaml.safe_dump({"img": 1e-05}), encoding="utf-8")
    assert read_yaml_file(str(tmp_path / "given.yml")) == {"img": 1e-05}


# --- names ---


ODD_NAMES = ["../evil", "/evil", "a/b", "..", ".hidden", "a\\b", "a\0", "a\n", "*", 3, None]


@pytest.mark.parametrize("value", ODD_NAMES)
@pytest.mark.parametrize("key", ["profile", "dataset", "variant", "method"])
def test_a_name_that_leaves_the_folder_of_records_is_refused(tmp_path, key, value):
    with pytest.raises(InputError, match=f"its {key} .* cannot be part of a file's name"):
        records.file_name(record(**{key: value}))
    with pytest.raises(InputError, match=f"{key} "):
        records.load(saved(tmp_path, record(**{key: value})))


@pytest.mark.parametrize("seed", [-1, "1/../../evil", 1.5, True, None])
def test_a_seed_that_is_none_is_refused(tmp_path, seed):
    with pytest.raises(InputError, match="seed"):
        records.file_name(record(seed=seed))
    with pytest.raises(InputError, match="seed"):
        records.load(saved(tmp_path, record(seed=seed)))


# --- form ---


def places(value, before=()):
    """Every place in a record: keys and, of lists, the first item."""
    below = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for key, inner in below:
        yield (*before, key)
        yield from places(inner, (*before, key))


def changed_at(found: dict, place: tuple, change) -> dict:
    other = copy.deepcopy(found)
    inner = other
    for key in place[:-1]:
        inner = inner[key]
    change(inner, place[-1])
    return other


def test_a_sound_record_is_loaded_as_it_is(tmp_path):
    assert records.load(saved(tmp_path, record())) == record()


@pytest.mark.parametrize("key", record_checks.FORM)
def test_a_missing_key_is_named(tmp_path, key):
    found = record()
    del found[key]
    with pytest.raises(InputError, match=f"is no sound record: {key} is missing; restore or remake it"):
        records.load(saved(tmp_path, found))


def test_no_change_of_a_record_brings_any_other_error_than_the_one_sentence():
    odd = [None, True, -1, 0, 10**400, 0.5, float("nan"), float("inf"), "", "x", [], {}, [[]], {"x": 1}]
    found = record()
    for place in list(places(found)):
        assert isinstance(record_checks.fault(changed_at(found, place, lambda inner, key: inner.pop(key))), str)
        for value in odd:
            other = changed_at(found, place, lambda inner, key: inner.__setitem__(key, value))  # noqa: B023
            assert isinstance(record_checks.fault(other), str), (place, value)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b'{"format": 2}', b"[]", b"1" * 5000, b'"text"'])
def test_a_file_that_is_no_record_is_refused_with_one_sentence(tmp_path, content):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(InputError, match="record"):
        records.load(tmp_path / "r.json")


def test_a_folder_or_a_pipe_in_place_of_a_record_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path, tmp_path / "pipe.json"):
        with pytest.raises(InputError, match="There is no record"):
            records.load(path)


# --- numbers ---


def test_every_committed_record_holds_the_metrics_of_its_ranks(committed):
    assert {found["dataset"] for found in committed} >= {"audio_score", "emoji", "openclipart"}


def test_the_intervals_of_committed_records_are_those_of_their_ranks(committed):
    for found in (found for found in committed if found["seed"] == 1):
        for way, metrics in found["metrics"].items():
            values = evaluate.recorded_reciprocal_ranks(found, way)
            expected = evaluate.bootstrap_interval(values, found["data"]["test_groups"])
            np.testing.assert_allclose(metrics["mrr_interval"], expected, rtol=1e-9, err_msg=records.file_name(found))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("metrics", FORTH, "mrr"), 0.999),
        (("metrics", BACK, "r10"), 99.0),
        (("metrics", BACK, "median_rank"), 59.5),
        (("baselines", "linear_cca", "metrics", FORTH, "mrr"), 0.01),
        (("baselines", "chance", "metrics", BACK, "mrr"), 0.001),
        (("ranks", FORTH, 3), 1.25),
        (("ranks", FORTH, 3), 61.0),
        (("ranks", BACK, 0), float("nan")),
        (("ties", FORTH, "7"), 4),
        (("ties", FORTH, "60"), 2),
        (("metrics", FORTH, "mrr_interval"), [0.9, 0.1]),
        (("valid_mrr",), 0.999),
        (("best_epoch",), 0),
        (("converged",), True),
        (("data", "test"), 59),
        (("parameters", "seed"), 2),
    ],
)
def test_a_number_changed_by_hand_is_refused(tmp_path, place, value):
    other = changed_at(record(), place, lambda inner, key: inner.__setitem__(key, value))
    with pytest.raises(
        InputError, match=f"is no sound record: .*{place[-1] if place[0] == 'metrics' else place[0][:5]}"
    ):
        records.load(saved(tmp_path, other))


def test_a_changed_rank_is_refused_since_the_metrics_are_not_its_own(tmp_path):
    found = record()
    found["ranks"][FORTH][3] += 1
    with pytest.raises(InputError, match="mean_rank is .*, but its ranks give|median_rank is|r1 is|r5 is|mrr is"):
        records.load(saved(tmp_path, found))
