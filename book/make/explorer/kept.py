"""What the longest runs find for the explorer's queries, small enough to commit.

`python -m book.make.explorer --keep` reads the embeddings of committed runs from `runs/`, or makes them from their
checkpoints, and writes `book/records/explorer.json`. Of every run it notes the record and the hash of its embeddings.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from book.make.explorer import embedded
from book.make.explorer.collect import Answers, Found, answer, certain, drawn, linear_cca
from xmlib import fit, paths
from xmlib.data import Split, Splits, cache
from xmlib.files import write_text
from xmlib.retriever import training
from xmlib.runs import embeddings, records


def file() -> Path:
    """Where it is kept: beside the records."""
    return paths.RECORDS / "explorer.json"


def read(splits: Splits, found: Sequence[dict]) -> tuple[list[Answers], list[int]]:
    """What is kept of these records, of linear CCA too, and the queries; nothing of a record that was made again."""
    entry = (cache.read_json(file()) or {}).get(splits.name)
    if entry is None or entry["test"] != digest(splits.test):
        return [], []
    known = {embeddings.path(one).name: one for record in found for one in (record, *_linear(record))}
    runs = [(known[run["embeddings"]], run) for run in entry["runs"] if run["embeddings"] in known]
    return [Answers(record, run["top"], run["scores"], run["map"]) for record, run in runs], entry["queries"]


def write(splits: Splits, runs: Sequence[Found]) -> Path:
    """The file, in which the answers of these runs now take the place of those of this data set."""
    queries = drawn(splits.test.groups, certain(splits, runs))
    content = cache.read_json(file()) or {}
    content[splits.name] = {"test": digest(splits.test), "queries": queries, "runs": [_entry(r, queries) for r in runs]}
    write_text(file(), json.dumps(content, separators=(",", ":")).replace('{"record"', '\n{"record"') + "\n")
    return file()


def _entry(run: Found, queries: Sequence[int]) -> dict:
    stored = embeddings.path(run.record)
    given = answer(run, queries)
    return {
        "record": run.record.get("of") or records.file_name(run.record),
        "method": run.record["method"],
        "embeddings": stored.name,
        "sha256": hashlib.sha256(stored.read_bytes()).hexdigest(),
        "top": given.top,
        "scores": given.scores,
        "map": given.map,
    }


def digest(split: Split) -> str:
    """Hash of both views of the pairs, the same for profiles that differ in their training pairs alone."""
    whole = hashlib.sha256()
    for view in (split.view1, split.view2):
        whole.update(np.ascontiguousarray(view[np.arange(len(split))]).data)
    return whole.hexdigest()


def linear(record: dict, splits: Splits) -> list[Found]:
    """Linear CCA on the pairs of a record as a run, saved or computed again; none where the record has no scores."""
    found = []
    for own in _linear(record):
        kept = embedded.stored(own) or fit.embed(training.linear_cca(splits)[0], splits.test)
        embeddings.save(own, *kept)
        if (checked := embedded.checked(own, *kept)) is not None:
            found.append(Found(own, checked))
    return found


def _linear(record: dict) -> list[dict]:
    return [linear_cca(record)] if "ranks" in record.get("baselines", {}).get("linear_cca", {}) else []
