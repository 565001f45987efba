"""One run of the audio notebook without the notebook, from a file of pairs, with PyTorch, NumPy and SciPy alone.

The same steps with the same parameters, so the record is the notebook's. `xmlib.runs.side_by_side` starts several of
these.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xmlib import data, fit, methods, paths, profiles
from xmlib.data import Splits, audio_score
from xmlib.data.audio_score import packed
from xmlib.data.audio_score.packed import Packed
from xmlib.errors import InputError
from xmlib.fit import Training
from xmlib.profiles import Settings
from xmlib.runs import experiments, parameters, records
from xmlib.scoring import baselines

NOTEBOOK = "audio_score"
USUAL = {"profile": "full", "device": "cuda"}  # where the notebook's own defaults are for a first look
OPTIONS = {"method": "--methods", "seed": "--seeds", "record": "--records"}  # parameters that are asked for otherwise
ASKED = ("profile", "difficulty", "train_pairs", "renderings", "corpus")  # what decides the pairs
HERE = ("torch", "numpy", "scipy")  # packages that a run needs; the others of a record made the pairs


def asked(given: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The notebook's parameters for a GPU and the profile `full`, with those given as name and text.

    Raises `InputError` for a name that the notebook has not, and a text that is no value of it.
    """
    notebook = paths.NOTEBOOKS / f"{NOTEBOOK}.ipynb"
    known = parameters.defaults(notebook)
    chosen = known | USUAL
    for name, text in given:
        if name in OPTIONS:
            raise InputError(f"{name} is no parameter of a single run here: give {OPTIONS[name]}.")
        kind = type(known[profiles.choose("parameter", name, known)])
        try:
            chosen[name] = kind(text)
        except ValueError:
            raise InputError(f"{name} = {text!r} is not of type {kind.__name__}: give another value.") from None
    parameters.check(notebook, chosen)
    if chosen["dataset_file"]:
        raise InputError("dataset_file is for the notebook: only pairs that are built here can be packed and run.")
    if chosen["threads"] < 1:
        raise InputError(f"threads = {chosen['threads']}, but a run needs one: choose 1.")
    return chosen


def settings_of(chosen: Mapping[str, Any]) -> Settings:
    """The settings of a run with these parameters; errors as in `profiles.settings`."""
    own = {name: chosen[name] for name in profiles.PARAMETERS}
    return profiles.settings(chosen["profile"], **own, **parameters.varied(chosen))


def pack(chosen: Mapping[str, Any], target: Path) -> None:
    """Write the pairs that the parameters ask for into one file, with what linear CCA scores on them."""
    splits = data.load(NOTEBOOK, **{name: chosen[name] for name in ASKED})
    linear = {"version": baselines.VERSION, "result": baselines.linear_cca(splits)}
    code = {"commit": records.commit(), "code": records.code_of()}
    assert splits.folder is not None
    made_by = records.versions([name for name in records.PACKAGES if name not in HERE], splits)
    packed.pack(splits.folder, target, made_by, {"linear_cca": json.dumps(linear), "code": json.dumps(code)})


def check(chosen: Mapping[str, Any], pairs: Packed) -> None:
    """Raises `InputError` unless a run with these parameters can be made here of those pairs."""
    settings_of(chosen)
    row = methods.METHODS[profiles.choose("method", chosen["method"], methods.METHODS)]
    if row.neighborhoods or row.linear:
        raise InputError(f"The method {chosen['method']!r} is not for these pairs: choose one of {methods.PAPER}.")
    methods.device(chosen["device"], chosen["precision"])
    audio_score.check_asked(pairs.manifest["settings"], *(chosen[name] for name in ASKED))
    version = json.loads(pairs.texts["linear_cca"])["version"]
    if version != baselines.VERSION:
        raise InputError(
            f"The pairs came with linear CCA of version {version}, not {baselines.VERSION}: pack them with this code."
        )


def run(chosen: Mapping[str, Any], pairs: Packed, record: Path, halt: Halt, beside: int) -> bool:
    """Train, or go on from the checkpoint, and write the record; false where `halt` stopped it before.

    `pairs`: unpacked; `beside`: how many runs share the device, itself included, for the record.
    """
    training = trained(chosen, pairs, halt)
    if training.stopped:
        write(chosen, pairs, training, record, {"runs_side_by_side": beside})
    return bool(training.stopped)


def trained(chosen: Mapping[str, Any], pairs: Packed, halt: Halt, fit: Callable[..., Training] = fit.fit) -> Training:
    """The training with these parameters; its `stopped` is empty where `halt` stopped it before the end.

    `fit`: what trains, with the arguments of `fit.fit`.
    """
    settings, device = settings_of(chosen), methods.device(chosen["device"], chosen["precision"])
    torch.set_num_threads(chosen["threads"])
    splits = audio_score.opened(pairs.folder, pairs.manifest, chosen["profile"], pairs.packages)
    check_cuts(splits, device)
    method, seed = chosen["method"], chosen["seed"]
    checkpoint = records.checkpoint_path(splits, method, settings, seed, device)
    model = methods.build(method, settings, seed)
    return fit(model, splits, method, settings, seed, device, checkpoint, halt.saw, halt)


def write(
    chosen: Mapping[str, Any], pairs: Packed, training: Training, record: Path, machine: Mapping[str, Any]
) -> None:
    """Score a finished training and write its record; `machine`: what the record says of the machine besides."""
    linear = json.loads(pairs.texts["linear_cca"])["result"]
    splits, settings = training.splits, training.settings
    made, _, _ = experiments.scored(NOTEBOOK, dict(chosen), splits, settings, training, linear, chosen["variant"])
    made["machine"] |= machine
    packed_by = json.loads(pairs.texts["code"])
    if not made["commit"] and made["code"] == packed_by["code"]:  # a copy without its history
        made["commit"] = packed_by["commit"]
    records.save(made, record)


def check_cuts(splits: Splits, device: torch.device) -> None:
    """Raises `InputError` unless pairs cut on the device are, to the last bit, those that the processor cuts."""
    rows = np.linspace(0, len(splits.train) - 1, 100).astype(int)
    on_device, here = (fit.load_batch(splits.train, rows, where) for where in (device, "cpu"))
    if not all(torch.equal(one.cpu(), other) for one, other in zip(on_device, here, strict=True)):
        raise InputError(f"{device} does not cut the pairs as the processor does: choose device = 'cpu'.")


class Halt:
    """Whether a run is to stop before its next epoch: asked to, out of time, or left alone by who started it.

    `until`: the time, in seconds since 1970, by which the run must have stopped. A second signal ends the process.
    """

    def __init__(self, until: float) -> None:
        self.until, self.parent, self.asked, self.longest = until, os.getppid(), False, 0.0
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, number: int, _frame: Any) -> None:
        self.asked = True
        signal.signal(number, signal.SIG_DFL)

    def saw(self, row: dict) -> None:
        """Print the epoch that has ended, and remember how long one takes."""
        self.longest = max(self.longest, row["seconds"])
        print(
            f"epoch {row['epoch']}, phase {row['phase']}, loss {row['loss']:.4f}, valid MRR {row['valid_mrr']:.4f}, "
            f"{row['seconds']:.1f} s",
            flush=True,
        )

    def __call__(self) -> bool:
        late = time.time() + 1.1 * self.longest > self.until
        return self.asked or late or os.getppid() != self.parent
