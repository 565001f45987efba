"""The command line `xm`: what it offers, how it calls, and how it ends."""

import importlib
import inspect
import subprocess
import sys
import tomllib

import pytest

from xmlib import data, paths
from xmlib.commands import app
from xmlib.commands import data as data_commands
from xmlib.runs import confirm, experiments, records

OWN = ("table", "coco", "good_news", "politics")


def said(capsys, *arguments: str) -> str:
    assert app.main(arguments) == 0
    return capsys.readouterr().out


def test_xm_alone_prints_its_help(capsys):
    assert said(capsys) == said(capsys, "--help")


def test_the_help_names_every_group_and_every_data_set(capsys):
    groups = said(capsys, "--help")
    assert all(f"\n  {name} " in groups for name in ("data", "records", "prepare"))
    sets = said(capsys, "data", "--help")
    assert all(f"\n  {name} " in sets for name in (*data.DATASETS, "download"))


@pytest.mark.parametrize("group", [[], ["data"], ["records"]])
def test_a_list_of_commands_has_whole_sentences_in_plain_text(capsys, group):
    text = said(capsys, *group, "--help")
    assert "\x1b" not in text
    assert "..." not in text.split("Commands:")[1]


def test_help_comes_without_pytorch():
    code = "import sys; from xmlib.commands.app import main; main(['records', '--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=paths.ROOT)
    assert done.stdout.splitlines()[-1] == "False"


def test_python_with_the_name_of_the_package_is_the_same_command(capsys):
    line = [sys.executable, "-m", "xmlib", "data", "nothing"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=paths.ROOT)
    assert (app.main(["data", "nothing"]), capsys.readouterr().err) == (done.returncode, done.stderr)


def test_the_package_installs_the_command_under_its_name():
    scripts = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, name = scripts["xm"].split(":")
    assert getattr(importlib.import_module(module), name) is app.main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "No such command 'nothing' (see xm --help)"),
        (["data"], "Missing command (see xm data --help)"),
        (["data", "emojis"], "Did you mean 'emoji'?"),
        (["data", "emoji", "--colour", "red"], "No such option: --colour (see xm data emoji --help)"),
        (["data", "emoji", "--seed", "x"], "Invalid value for '--seed'"),
        (["data", "emoji", "--sha256", "0"], "No such option: --sha256"),
        (["data", "table"], "Missing argument 'FILE' (see xm data table --help)"),
        (["records", "rerun", "a", "b"], "unexpected extra argument"),
        (["records", "rerun", "nowhere.json"], "There is no record 'nowhere.json'"),
        (["records", "confirm", "nowhere.json", "--epochs", "0"], "Invalid value for '--epochs'"),
        (["prepare", "nothing"], "data set 'nothing'"),
        (["prepare", "emoji", "--profile", "huge"], "profile 'huge' is unknown"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_exit_status_2(capsys, arguments, words):
    assert app.main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error


def test_ctrl_c_ends_with_one_line(capsys, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(data_commands, "load", stopped)
    assert app.main(["data", "emoji"]) == 130
    assert capsys.readouterr() == ("", "stopped\n")


@pytest.fixture
def built(monkeypatch):
    """The data sets that commands have asked for, with the options."""
    calls = []
    monkeypatch.setattr(data_commands, "build", lambda name, **options: calls.append((name, options)))
    return calls


def test_without_options_a_data_set_gets_the_defaults_of_its_function(built):
    for name, row in data.DATASETS.items():
        if name in OWN:
            continue
        assert app.main(["data", name]) == 0
        defaults = {n: one.default for n, one in inspect.signature(row.load).parameters.items() if n != "cache_folder"}
        assert built.pop() == (name, defaults)


def test_options_reach_the_data_set_as_what_they_are(built):
    line = ["data", "emoji", "--style", "twemoji", "--shuffled", "--seed", "5", "--test-style", "openmoji"]
    assert app.main(line) == 0
    name, options = built.pop()
    assert name == "emoji"
    assert {"style": "twemoji", "shuffled": True, "mirrored": False, "seed": 5, "test_style": "openmoji"}.items() <= (
        options.items()
    )


@pytest.mark.parametrize("name", OWN)
def test_the_file_of_a_users_pairs_is_the_first_argument(built, name):
    assert app.main(["data", name, "pairs.csv", "--missing", "skip"]) == 0
    assert built == [(name, {"dataset_file": "pairs.csv", **data_commands.OWN, "missing": "skip"})]


@pytest.mark.parametrize("name", data.DATASETS)
def test_every_data_set_and_each_of_its_options_is_explained(name):
    assert data.DATASETS[name].says
    taken = inspect.signature(data_commands.command(name)).parameters
    assert set(taken) <= set(data_commands.OPTIONS)


def test_a_list_without_records_says_how_to_make_some(capsys, monkeypatch):
    monkeypatch.setattr(records, "load_all", list)
    assert said(capsys, "records", "list") == "There are no records yet: run `make book`.\n"


def test_a_list_has_a_line_for_each_record(capsys, monkeypatch):
    monkeypatch.setattr(records, "load_all", lambda: ["one", "two"])
    monkeypatch.setattr(records, "summary", str.upper)
    assert said(capsys, "records", "list") == "ONE\nTWO\n"


def test_a_record_that_is_not_repeated_gives_exit_status_1_and_shows_some_differences(capsys, monkeypatch):
    monkeypatch.setattr(records, "rerun", lambda file: [f"{file.name}[{i}]" for i in range(30)])
    assert app.main(["records", "rerun", "sent.json"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [*(f"sent.json[{i}]" for i in range(20)), "30 differences."]


def test_confirming_goes_through_all_records_and_gives_exit_status_1_if_one_differs(capsys, monkeypatch):
    monkeypatch.setattr(confirm, "confirm", lambda file, epochs: ["loss"] * epochs if file.stem == "b" else [])
    assert app.main(["records", "confirm", "a.json", "b.json", "c.json", "--epochs", "3"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "a.json: equal",
        "b.json: 3 differences",
        *["loss"] * 3,
        "c.json: equal",
    ]
    assert app.main(["records", "confirm", "a.json"]) == 0


@pytest.mark.parametrize(("dataset", "variants"), [("emoji", 7), ("openclipart", 4), ("icons", 11), ("audio_score", 0)])
def test_preparing_fits_linear_cca_to_the_pairs_and_to_each_variant_of_them(monkeypatch, dataset, variants):
    loaded = []
    monkeypatch.setattr(experiments.data, "load", lambda name, **options: (name, options))
    monkeypatch.setattr(experiments.baselines, "linear_cca", loaded.append)
    assert app.main(["prepare", dataset, "--profile", "toy"]) == 0
    assert loaded[0] == (dataset, {"profile": "toy"})
    assert len({str(one) for one in loaded}) == 1 + variants


def test_an_error_that_nobody_expected_keeps_its_traceback(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(data_commands, "load", broken)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        app.main(["data", "emoji"])
