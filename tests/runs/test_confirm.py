"""A change of code is confirmed by training, and a record that it does not touch is not stale."""

import json

import pytest

from xmlib.errors import InputError
from xmlib.runs import confirm, records


@pytest.fixture
def record():
    return records.load(sorted(records.paths.RECORDS.glob("full/emoji-neighborhoods-seed1.json"))[0])


@pytest.fixture
def notes(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "EQUIVALENT", tmp_path / "equivalent.json")

    def write(*found):
        (tmp_path / "equivalent.json").write_text(json.dumps(list(found)))

    return write


def test_a_record_is_stale_by_the_modules_that_have_changed(record, notes, monkeypatch):
    monkeypatch.setattr(records, "code_of", lambda method: record["code"] | {"fit": "new", "cca": "other"})
    assert records.stale(record) == ["cca", "fit"]
    monkeypatch.setattr(records, "code_of", lambda method: record["code"])
    assert records.stale(record) == []


def test_a_confirmed_change_leaves_no_record_of_its_notebook_stale_also_in_several_steps(record, notes, monkeypatch):
    monkeypatch.setattr(records, "code_of", lambda method: record["code"] | {"fit": "newest"})
    steps = [
        {"notebook": "neighborhoods", "module": "fit", "from": record["code"]["fit"], "to": "new"},
        {"notebook": "neighborhoods", "module": "fit", "from": "new", "to": "newest"},
    ]
    notes(steps[0])
    assert records.stale(record) == ["fit"]
    notes(*steps)
    assert records.stale(record) == []
    assert records.stale(record | {"notebook": "image_text"}) == ["fit"]
    notes(steps[0], {"notebook": "neighborhoods", "module": "fit", "from": "new", "to": record["code"]["fit"]})
    assert records.stale(record) == ["fit"]  # and a circle ends


def test_what_differs_is_kept_once_with_what_showed_it(record, notes):
    for _ in range(2):
        confirm._keep(record, {"cca": "a", "fit": "b"}, {"cca": "a", "fit": "c"}, 2)
    (note,) = records.equivalences()
    assert note == {
        "notebook": "neighborhoods", "module": "fit", "from": "b", "to": "c", "epochs": 2,
        "record": "full/emoji-neighborhoods-seed1.json", "commit": record["commit"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("commit", "words"), [("", "in no commit"), ("0123456789ab+", "in no commit"), ("0123456789ab", "none before this")]
)
def test_only_code_of_an_earlier_commit_is_run(record, tmp_path, commit, words):
    (tmp_path / "sent.json").write_text(json.dumps(record | {"commit": commit}))
    with pytest.raises(InputError, match=words):
        confirm.confirm(tmp_path / "sent.json", epochs=1)
