"""Whether a later change of code moves a number: `xm records confirm book/records/…/RECORD.json`.

The first epochs of a record are trained twice on this machine: by the code of its own commit, and by that of this
checkout. Where both give the same results to the last digit, book/records/equivalent.json keeps that the modules which
differ count as the same for the runs of that notebook, and these records are not stale by that change.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xmlib import paths
from xmlib.errors import InputError
from xmlib.files import write_text
from xmlib.runs import fingerprint, records


def confirm(path: Path | str, epochs: int) -> list[str]:
    """The differences between old and new code on a record's first epochs; where there are none, that is kept.

    Both follow a plan of `epochs` epochs, with the record's parameters besides. Raises `InputError` where the record's
    commit is not among those before this checkout, or made with changes that are in no commit, and where a notebook
    fails.
    """
    record = records.load(path)
    notebook = records.notebook_of(record).name
    commit = _earlier(record)
    with tempfile.TemporaryDirectory() as folder, _tree(commit, Path(folder)) as old:
        trained = [_trained(root, notebook, record, epochs, Path(folder)) for root in (old, paths.ROOT)]
    different = records.differences(*trained)
    if not different:
        _keep(record, trained[0]["code"], trained[1]["code"], epochs)
    return different


def _earlier(record: dict) -> str:
    """The commit of a record, if it is one before this checkout: a record must not choose what code is run."""
    commit = record["commit"]
    if not commit or commit.endswith("+"):
        raise InputError("The record was made by code that is in no commit, so there is nothing to compare with.")
    known = _git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0
    if not known:
        raise InputError(f"The commit {commit} of the record is none before this checkout, so its code is not run.")
    return commit


def _git(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *arguments], cwd=paths.ROOT, capture_output=True, text=True, check=False)


@contextmanager
def _tree(commit: str, folder: Path) -> Iterator[Path]:
    """The files of a commit, in a folder that is gone afterwards."""
    tree = folder / "old"
    made = _git("worktree", "add", "--detach", str(tree), commit)
    if made.returncode:
        raise InputError(f"The files of {commit} cannot be had ({made.stderr.strip().splitlines()[-1]}).")
    try:
        yield tree
    finally:
        _git("worktree", "remove", "--force", str(tree))


def _trained(root: Path, name: str, record: dict, epochs: int, folder: Path) -> dict:
    """The record that the notebook of a tree writes of the first epochs."""
    here = folder / ("new" if root == paths.ROOT else "earlier")
    here.mkdir()
    environment = {"PYTHONPATH": str(root), "XMLIB_DATA": str(paths.DATA)}
    notebook = root / "notebooks" / name
    again = records.made_by(notebook, record, {"epochs": epochs}, here, "--no-progress-bar", **environment)
    if again is None:
        raise InputError(f"The notebook of {root} stopped with the error above.")
    return json.loads(again.read_text(encoding="utf-8"))


def _keep(record: dict, old: dict[str, str], new: dict[str, str], epochs: int) -> None:
    """Add the modules that differ, and what showed that it does not matter."""
    kept = records.equivalences()
    shown = {"record": records.file_name(record), "epochs": epochs, "commit": record["commit"]}
    for module in fingerprint.changed(old, new):
        note = {"notebook": record["notebook"], "module": module, "from": old.get(module), "to": new.get(module)}
        if not any(note.items() <= other.items() for other in kept):
            kept.append(note | shown)
    if not kept:
        return
    lines = ",\n".join(json.dumps(note) for note in kept)
    write_text(records.EQUIVALENT, f"[\n{lines}\n]\n")
