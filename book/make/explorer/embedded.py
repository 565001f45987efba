"""Embeddings of finished runs: what is needed to search again without training.

A notebook saves the embeddings of its test pairs at the end. Where they are not there, the checkpoint of the run gives
them.
"""

import json
import sys
import zipfile
import zlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from xmlib import evaluate, fit, methods, paths
from xmlib.data import Splits
from xmlib.model import TwoView
from xmlib.profiles import Settings
from xmlib.runs import records
from xmlib.runs.embeddings import path, save

AGREEING = 0.98  # of all queries must have the record's rank: another processor moves a few of them by one place
BROKEN = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class Embedded(NamedTuple):
    """Test embeddings (n, k) of both views; `same`, (n,): whether a pair has the record's rank in both directions."""

    x: Tensor
    y: Tensor
    same: np.ndarray


def stored(record: dict) -> tuple[Tensor, Tensor] | None:
    """The saved embeddings of a record's run; None where there are none, or none that can be read."""
    try:
        with np.load(path(record), allow_pickle=False) as file:
            return torch.from_numpy(file["x"]), torch.from_numpy(file["y"])
    except FileNotFoundError:
        return None
    except BROKEN:
        print(f"{path(record)} is damaged; the embeddings are computed again.", file=sys.stderr)
        return None


def of_run(record: dict, splits: Splits) -> Embedded | None:
    """Test embeddings of a record's run: saved, or computed once from its checkpoint.

    None where nothing of the run is here, or where the embeddings do not give the ranks of the record.
    """
    found = stored(record)
    if found is None and (model := finished_model(record, splits)):
        found = fit.embed(model, splits.test)
        save(record, *found)
    return checked(record, *found) if found else None


def checked(record: dict, x: Tensor, y: Tensor) -> Embedded | None:
    """These embeddings, if they give the ranks of the record; else None, said on stderr."""
    same = same_ranks(record, x, y) if len(x) == record["data"]["test"] else np.zeros(1)
    if same.mean() < AGREEING:
        print(f"{records.file_name(record)}: only {same.mean():.0%} of its ranks come out again", file=sys.stderr)
        return None
    return Embedded(x, y, same)


def same_ranks(record: dict, x: Tensor, y: Tensor) -> np.ndarray:
    """For every test pair, (n,), whether its rank is that of the record in both directions."""
    forth, back = (np.array(record["ranks"][direction]) for direction in evaluate.DIRECTIONS)
    return (evaluate.ranks(x, y) == forth) & (evaluate.ranks(y, x) == back)


def finished_model(record: dict, splits: Splits) -> TwoView | None:
    """The trained model of a record, from its checkpoint; None where that is not here."""
    if methods.METHODS[record["method"]].neighborhoods:
        return None  # their models need the texts' Doc2Vec, which is not kept
    state = checkpoint_of(record)
    if state is None:
        return None
    settings = Settings(**record["settings"])
    shapes = splits.train.view1.shape, splits.train.view2.shape
    model = methods.build(record["method"], settings, record["seed"], shapes)
    model.load_state_dict(state["best"]["model"])
    if settings.refit_n:  # between epochs the head saw a part of the training pairs, in the end all (`fit.use_best`)
        model.head.refit(*fit.features(model, splits.train))
    return model.eval()


def checkpoint_of(record: dict) -> dict | None:
    """The state whose history is the record's, in the folders of runs; None where there is none."""
    folders = f"{record['dataset']}-{record['method']}-seed{record['seed']}-*/checkpoint.pt"
    history = json.dumps(record["history"])  # as text NaN equals NaN
    for candidate in sorted(paths.RUNS.glob(folders)):
        state = fit.load_checkpoint(candidate, "cpu")
        if state and json.dumps(state["history"]) == history:
            return state
    return None
