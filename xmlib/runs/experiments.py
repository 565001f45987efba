"""One training with all that its record holds: of image–text pairs as a whole, of any pairs from the scores on."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xmlib import data, fit, methods, paths
from xmlib.data import Splits
from xmlib.fit import Training
from xmlib.model import TwoView
from xmlib.profiles import Settings, choose
from xmlib.runs import embeddings, records
from xmlib.scoring import baselines, hubness, relevance

PAIRS_A_DIMENSION = 4  # with fewer, what CCA finds is further from the truth than nothing is (book, statistics)
PAIRS = {  # what decides them, as it usually is
    "split": "grouped", "style": "openmoji", "test_style": "", "collections": "", "test_collections": "",
    "train_pairs": 0, "mirrored": False, "shuffled": False, "complementary": 0.0,
}  # fmt: skip
USUAL = PAIRS | {"directions": 0, "dropout": -1.0}
VARIANTS: dict[str, dict[str, Any]] = {  # name → what it changes
    "zero_shot": {"split": "zero_shot"},
    "random": {"split": "random"},
    "shuffled": {"shuffled": True},
    "to_twemoji": {"test_style": "twemoji"},
    "twemoji": {"style": "twemoji"},
    "mirrored": {"mirrored": True},
    "from_twemoji": {"style": "twemoji", "test_style": "openmoji"},
    **{f"pairs_{count}": {"train_pairs": count} for count in (500, 1000, 2000, 4000)},
    "to_tabler": {"test_collections": "tabler"},
    "tabler": {"collections": "tabler"},
    "others_to_tabler": {"collections": "mdi lucide phosphor fontawesome", "test_collections": "tabler"},
}


@dataclass
class Run:
    """A finished run: its record, where that was written, the model, and the test embeddings (n, k) of both views."""

    record: dict
    path: Path
    model: TwoView
    x: Tensor
    y: Tensor


def variants(dataset: str, asked: str = "all") -> dict[str, dict[str, Any]]:
    """Of the variants those that a data set of pictures and words has: their names and what they change.

    `asked`: all; splits, for those with the same pictures; or names with spaces between. Raises `InputError` for a name
    that the data set has not.
    """
    row = data.DATASETS[choose("data set", dataset, data.DATASETS)]
    known = row.options if "image_text" in row.notebooks else ()
    found = {name: changed for name, changed in VARIANTS.items() if set(changed) <= set(known)}
    if asked == "splits":
        return {name: changed for name, changed in found.items() if set(changed) <= {"split", "shuffled"}}
    chosen = list(found) if asked == "all" else asked.split()
    return {choose("comparison", name, found): found[name] for name in chosen}


def variant(parameters: dict[str, Any]) -> str:
    """The name of what these parameters change of the usual pairs, or several names; empty if nothing."""
    changed = {name: parameters[name] for name, usual in USUAL.items() if parameters.get(name, usual) != usual}
    return _named(changed) or "-".join(_named({name: value}) or f"{name}_{value}" for name, value in changed.items())


def _named(changed: dict[str, Any]) -> str:
    return next((name for name, changes in VARIANTS.items() if changes == changed), "")


def prepare(profile: str, dataset: str) -> None:
    """Build the pairs of every variant of a data set, and the linear CCA that they are compared with.

    Notebooks side by side then find them. Raises `InputError` for a data set or a profile that is not there.
    """
    for changed in ({}, *variants(dataset).values()):
        baselines.linear_cca(data.asked({"dataset": dataset, "profile": profile} | changed))


def run(notebook: str, parameters: dict, splits: Splits, settings: Settings, device: torch.device) -> Run:
    """Train `parameters["method"]` with `parameters["seed"]`, or go on from its checkpoint, score it, write its record.

    The record goes below the folder `parameters["record"]`, or to that file if it ends in `.json`, or to runs/records.
    An embedding wider than the pairs can fill is narrowed, see `suited`.
    """
    parameters, settings = suited(parameters, splits, settings)
    method, seed = parameters["method"], parameters["seed"]
    model = untrained(method, settings, seed, splits)
    checkpoint = records.checkpoint_path(splits, method, settings, seed, device)
    training = fit.fit(model, splits, method, settings, seed, device, checkpoint)
    linear, named = linear_cca(parameters, splits), variant(parameters)
    record, x, y = scored(notebook, parameters, splits, settings, training, linear, named)
    record["corrections"] = hubness.corrected(x, y, *fit.embed(model, splits.train, device))
    return written(record, parameters["record"], model, x, y)


def untrained(method: str, settings: Settings, seed: int, splits: Splits) -> TwoView:
    """The model that training begins with; that of a linear method begins at linear CCA of the training pairs."""
    model = methods.build(method, settings, seed, (splits.train.view1.shape, splits.train.view2.shape))
    if methods.METHODS[method].linear:
        baselines.start(model, splits)
    return model


def suited(parameters: dict, splits: Splits, settings: Settings) -> tuple[dict, Settings]:
    """Parameters and settings with an embedding that these pairs can fill; warns where they had a wider one.

    At most as many dimensions as the training items of either view vary in, and one for `PAIRS_A_DIMENSION` training
    pairs. What is left of a wider embedding is noise that the CCA layer scales up. A `d` among the parameters is kept;
    one that is taken here is put there, so that the record says it and can be rerun.
    """
    bounds = {f"{title} varies in {rank} directions": rank for title, rank in _ranks(splits, settings.d).items()}
    bounds[f"there are {len(splits.train)} training pairs"] = max(1, len(splits.train) // PAIRS_A_DIMENSION)
    why, most = min(bounds.items(), key=lambda bound: bound[1])
    if settings.d <= most:
        return parameters, settings
    asked = bool(parameters.get("d"))
    done = f"pass d={most} or less" if asked else f"d = {most} is taken"
    warnings.warn(f"d = {settings.d} is more than these pairs can fill, since {why}: {done}.", stacklevel=3)
    return (parameters, settings) if asked else (parameters | {"d": most}, replace(settings, d=most))


def _ranks(splits: Splits, d: int) -> dict[str, int]:
    """In how many directions the training items of each view vary, as far as 3·d of them can tell.

    Word numbers have no such directions, and are left out.
    """
    rows = np.unique(np.linspace(0, len(splits.train) - 1, 3 * d).astype(int))
    found = {}
    for title, view in (("view 1", splits.train.view1), ("view 2", splits.train.view2)):
        items = view[rows].reshape(len(rows), -1)
        if items.dtype.kind == "f":
            found[title] = int(np.linalg.matrix_rank(items - items.mean(0)))
    return found


def scored(
    notebook: str, parameters: dict, splits: Splits, settings: Settings, training: Training, linear: dict, variant: str
) -> tuple[dict, Tensor, Tensor]:
    """The record of a finished training, and the test embeddings (n, k) of both views, which the explorer finds too.

    `linear`: what linear CCA scores on these pairs. `variant`: see `records.make`.
    """
    x, y = fit.embed(training.model, splits.test, training.device)
    test = relevance.both_ways(x, y, splits.test.labels, splits.test.groups)
    twins = baselines.near_twins(splits.test, x, y)
    chance = baselines.chance(len(splits.test), splits.test.labels, splits.test.groups if twins else None)
    sides = {"chance": chance, "linear_cca": linear}
    record = records.make(notebook, parameters, splits, settings, training, test | twins, sides, variant)
    embeddings.save(record, x, y)
    return record, x, y


def written(record: dict, asked: str, model: TwoView, x: Tensor, y: Tensor) -> Run:
    """The run of that record, which now lies where `place` says."""
    return Run(record, records.save(record, place(record, asked)), model, x, y)


def linear_cca(parameters: dict[str, Any], splits: Splits) -> dict:
    """Linear CCA fitted on these pairs; where training has more pictures of them, on the plain ones if that is better.

    Validation decides, so that a method with more pictures is compared with the best linear CCA there is.
    """
    plain = {name: USUAL[name] for name in ("style", "mirrored") if parameters.get(name) in ("both", True)}
    fits = [baselines.linear_cca(splits)] + ([baselines.linear_cca(data.asked(parameters | plain))] if plain else [])
    return max(fits, key=lambda fit: fit["valid_mrr"])


def place(record: dict, asked: str) -> Path:
    """The file of a record: the one asked for, or its usual name below the folder asked for, or below runs/records."""
    if asked.endswith(".json"):
        return Path(asked)
    return (Path(asked) if asked else paths.RUNS / "records") / records.file_name(record)
