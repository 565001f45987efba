"""Folders that are written whole, and known by their manifest when something in them was changed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from xmlib.errors import InputError
from xmlib.retriever import folder as folders


@pytest.fixture
def saved(tmp_path):
    with folders.written(tmp_path / "model", "thing") as part:
        (part / "numbers").write_bytes(bytes(range(100)))
        (part / "more").mkdir()
        (part / "more" / "names").write_text("a, b")
    return tmp_path / "model"


def test_what_was_written_is_read_and_nothing_is_left_beside_it(saved):
    assert (folders.checked(saved, "thing") / "more" / "names").read_text() == "a, b"
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["numbers", "more/names", "manifest.json"])
@pytest.mark.parametrize("place", [0, 1, -1])
def test_one_changed_byte_in_any_file_is_refused(saved, name, place):
    content = bytearray((saved / name).read_bytes())
    content[place] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(InputError, match="changed since it was saved"):
        folders.checked(saved, "thing")


def test_every_byte_of_the_manifest_counts(saved):
    whole = (saved / "manifest.json").read_bytes()
    for place, byte in enumerate(whole):
        if not chr(byte).isspace():
            (saved / "manifest.json").write_bytes(whole[:place] + bytes([byte ^ 1]) + whole[place + 1 :])
            with pytest.raises(InputError):
                folders.checked(saved, "thing")


def test_a_file_cut_short_is_refused(saved):
    (saved / "numbers").write_bytes(bytes(range(50)))
    with pytest.raises(InputError, match="numbers in .* is cut short"):
        folders.checked(saved, "thing")


def test_a_missing_file_is_named(saved):
    (saved / "more" / "names").unlink()
    with pytest.raises(InputError, match="more/names is missing"):
        folders.checked(saved, "thing")


def test_a_folder_of_a_newer_version_says_so(saved):
    content = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(content | {"format": folders.FORMAT + 1}))
    with pytest.raises(InputError, match="update xmlib"):
        folders.checked(saved, "thing")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "x"}', '{"format": null, "files": 3}'])
def test_a_manifest_that_is_none_is_refused(saved, content):
    (saved / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="manifest"):
        folders.checked(saved, "thing")


def test_a_folder_without_manifest_and_one_of_another_kind_are_refused(saved, tmp_path):
    with pytest.raises(InputError, match="holds no saved thing"):
        folders.checked(tmp_path, "thing")
    with pytest.raises(InputError, match="a index was wanted"):
        folders.checked(saved, "index")


def test_saving_again_replaces_all_that_was_there(saved):
    with folders.written(saved, "thing") as part:
        (part / "other").write_text("c")
    assert sorted(path.name for path in folders.checked(saved, "thing").iterdir()) == ["manifest.json", "other"]


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="choose another folder"), folders.written(tmp_path, "thing"):
        pass
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_failure_while_writing_leaves_the_old_folder(saved):
    with pytest.raises(FileNotFoundError), folders.written(saved, "thing") as part:
        (part / "not there" / "half").write_text("c")
    assert (folders.checked(saved, "thing") / "numbers").is_file()
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


KILLED = """
import os, sys
from xmlib.retriever import folder
with folder.written(sys.argv[1], "thing") as part:
    (part / "half").write_text("c")
    os._exit(9)
"""


@pytest.mark.faults
def test_a_killed_process_leaves_the_old_folder(saved):
    assert subprocess.run([sys.executable, "-c", KILLED, str(saved)], check=False).returncode == 9
    assert (folders.checked(saved, "thing") / "numbers").is_file()


def test_a_folder_that_is_being_replaced_is_back_where_ctrl_c_came_between_the_two_steps(tmp_path, monkeypatch):
    with folders.written(tmp_path / "model", "index") as part:
        (part / "a").write_text("old")
    rename = Path.rename

    def stopped(path, target):
        if path.name == "new":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt), folders.written(tmp_path / "model", "index") as part:
        (part / "a").write_text("new")
    assert (folders.checked(tmp_path / "model", "index") / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
