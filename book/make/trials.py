"""Trials of single settings on two small sets of pairs, for the page of advice: `python -m book.make.trials`.

The file book/records/advice.json keeps a trial a line: settings, curves, and how every validation pair stood. Trials
that it has are not made again; the test pairs are not looked at.
"""

import argparse
import fcntl
import functools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from xmlib import data, evaluate, fit, paths
from xmlib.data import Split, Splits, View
from xmlib.data.preparation import Numbers
from xmlib.files import write_text
from xmlib.model import TwoView
from xmlib.retriever import training

FILE = paths.ROOT / "book" / "records" / "advice.json"
SEEDS = (1, 2, 3)
REFINEMENTS = 0  # for time; what they add is on the page of pictures and words
TRAIN, VALID = 1100, 300  # of the digits
OWN: dict[str, dict[str, Any]] = {"emoji": {}, "digits": {"d": 26}}  # d: as `suited` has it


@dataclass(frozen=True)
class Trial:
    """What is trained: a method on so many training pairs (0: all) of a data set, with what its settings differ in.

    `refit`: training pairs that the head is estimated on in the end, 0 for all.
    """

    dataset: str
    method: str = "ccal_cont"
    changes: dict[str, Any] = field(default_factory=dict)
    n: int = 0
    refit: int = 0

    def key(self, seed: int) -> str:
        """The same for a trial and for what the file keeps of it."""
        return json.dumps([self.dataset, self.method, self.changes, self.n, self.refit, seed], sort_keys=True)


Changes = dict[str, Any]


def _of(dataset: str, *changes: Changes, method: str = "ccal_cont") -> list[Trial]:
    return [Trial(dataset, method, row) for row in changes]


def _heads(dataset: str, *changes: Changes) -> list[Trial]:
    """The CCA layer one way, and both heads with these changes."""
    plain = {"both_ways": False, "dropout": 0.0}  # the learned map's own on small sets are both ways and a half
    learned = [plain | row for row in ({}, *changes)]
    return [*_of(dataset, {}, *changes), *_of(dataset, *learned, method="learned_cont")]


def _sizes(dataset: str, *sizes: int) -> list[Trial]:
    methods = ("linear_cca", "ccal_cont", "ccal_tno", "learned_cont", "linear_nce")
    return [Trial(dataset, method, n=n) for method in methods for n in sizes]


BOTH, HALF = {"both_ways": True}, {"dropout": 0.5}
# piece of advice → data set → trials; each is compared with the first
PIECES: dict[str, dict[str, list[Trial]]] = {
    "width": {
        "emoji": _of("emoji", {}, {"d": 16}, {"d": 32}, {"d": 128}),
        "digits": _of("digits", {}, {"d": 4}, {"d": 16}, {"d": 32}),
    },
    "batch": {
        "emoji": _of("emoji", {}, {"batch": 65}, {"batch": 100}, {"batch": 600}),
        "digits": _of("digits", {}, {"batch": 27}, {"batch": 100}),
    },
    "alpha": {
        "emoji": _of("emoji", {}, {"alpha": 0.3}),
        "digits": _of("digits", {}, {"alpha": 0.3}),
    },
    "alpha_small": {  # in batches of fewer than two pairs per dimension
        "emoji": _of("emoji", {"batch": 100}, {"batch": 100, "alpha": 0.3}),
        "digits": _of("digits", {"batch": 27}, {"batch": 27, "alpha": 0.3}),
    },
    "ridge": {
        "emoji": _of("emoji", {}, {"ridge": 1e-5}, {"ridge": 0.1}, {"ridge": 1.0}),
        "digits": _of("digits", {}, {"ridge": 1.0}),
    },
    "rate": {
        "emoji": _of("emoji", {}, {"lr": 2.5e-4}, {"lr": 4e-3}, {"lr": 1.6e-2}),
        "digits": _of("digits", {}, {"lr": 4e-3}),
    },
    "schedule": {"emoji": _of("emoji", {}, {"patience": 5}, {"refinements": 1})},
    "decay": {
        "emoji": _of("emoji", {}, {"l2": 1e-5}, {"l2": 1e-3}),
        "digits": _of("digits", {}, {"l2": 1e-5}),
    },
    "margin": {
        "emoji": _of("emoji", {}, {"margin": 0.2}, {"margin": 0.7}),
        "digits": _of("digits", {}, {"margin": 0.7}),
    },
    "weight": {
        "emoji": _of("emoji", {}) + _of("emoji", {}, {"weight_tno": 0.5}, method="ccal_tno"),
        "digits": _of("digits", {}) + _of("digits", {}, method="ccal_tno"),
    },
    "head": {
        "emoji": _heads("emoji", BOTH, HALF, BOTH | HALF),
        "digits": _heads("digits", BOTH) + _of("digits", {}, method="learned_cont"),
    },
    "info_nce": {
        "emoji": _of("emoji", {}, HALF, method="ccal_nce")
        + _of("emoji", {"dropout": 0.0}, method="learned_nce")
        + _of("emoji", {}, method="linear_nce")
    },
    "info_nce_learned": {"emoji": _of("emoji", {"dropout": 0.0}, {}, method="learned_nce")},
    "refit": {
        "emoji": [Trial("emoji", refit=n) for n in (0, 75, 150, 300, 600)],
        "digits": [Trial("digits", refit=n) for n in (0, 40, 75, 150, 300)],
    },
    "together": {  # what single trials speak for, at once
        "emoji": _of("emoji", {}, {"alpha": 0.3, "margin": 0.7}),
        "digits": _of("digits", {}, {"alpha": 0.3, "margin": 0.7}),
    },
    "width_few": {  # of few pairs; the first is as wide as `suited` makes it
        "emoji": [Trial("emoji", changes=row, n=200) for row in ({}, {"d": 25}, {"d": 12})],
        "digits": [Trial("digits", changes=row, n=100) for row in ({}, {"d": 6})],
    },
    "pairs": {"emoji": _sizes("emoji", 200, 500, 0), "digits": _sizes("digits", 100, 300, 0)},
}


def planned() -> Iterator[tuple[Trial, int]]:
    """Every trial with each seed, once; those that share a training come one after the other."""
    seen: set[str] = set()
    for seed in SEEDS:
        for name in ("emoji", "digits"):
            trials = [trial for piece in PIECES.values() for trial in piece.get(name, [])]
            for trial in sorted(trials, key=lambda trial: replace(trial, refit=0).key(seed) != Trial(name).key(seed)):
                if trial.key(seed) not in seen:
                    seen.add(trial.key(seed))
                    yield trial, seed


def make(trial: Trial, seed: int) -> dict[str, Any]:
    """The trial with that seed, as the file keeps it."""
    start = time.process_time()
    model, about, settings, splits = _trained(trial.dataset, trial.method, json.dumps(trial.changes), trial.n, seed)
    order = np.random.default_rng([seed, 5]).permutation(len(splits.train))
    if trial.method not in (training.LINEAR, "linear_nce"):  # whose head has nothing to estimate, or all
        model.head.refit(*fit.features(model, splits.train, rows=order[: trial.refit or None]))
    x, y = fit.embed(model, splits.valid)
    found = evaluate.both_ways(x, y, splits.valid.groups)
    return {
        "format": "trial", "dataset": trial.dataset, "method": trial.method, "changes": trial.changes, "n": trial.n,
        "refit": trial.refit, "seed": seed, "train": len(splits.train), "settings": asdict(settings),
        "best_epoch": about.get("best_epoch"), "stopped": about.get("stopped"),
        "curves": {name: [_short(row[name]) for row in about["history"]] for name in ("train_mrr", "valid_mrr")},
        "seconds": round(time.process_time() - start, 1), "chosen_by": "valid_mrr",
        "valid": {way: round(metrics["mrr"], 6) for way, metrics in found["metrics"].items()},
        "ranks": {way: [int(r) if r == int(r) else r for r in ranks] for way, ranks in found["ranks"].items()},
        "ties": found["ties"],
    } | _groups(trial, seed, splits)  # fmt: skip


def _groups(trial: Trial, seed: int, splits: Splits) -> dict[str, list[int]]:
    """The groups of the validation pairs, which are the same for all trials of a data set and kept with the first."""
    first = trial == Trial(trial.dataset) and seed == SEEDS[0]
    return {"groups": np.unique(splits.valid.groups, return_inverse=True)[1].tolist()} if first else {}


def groups(kept: dict[str, dict[str, Any]], dataset: str) -> list[int]:
    """The group of every validation pair of a data set."""
    return kept[Trial(dataset).key(SEEDS[0])]["groups"]


def _short(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


@functools.lru_cache(maxsize=1)
def _trained(dataset: str, method: str, changes: str, n: int, seed: int) -> tuple[TwoView, dict, Any, Splits]:
    """The model in evaluation mode, what is known of its training, settings and pairs."""
    splits = fewer(pairs(dataset), n, seed) if n else pairs(dataset)
    if method == training.LINEAR:
        model, settings, about = training.linear_cca(splits)
        return model, about, settings, splits
    own = {} if n else OWN[dataset]  # fewer pairs have fewer dimensions
    settings = training.suited(method, splits, **{"refinements": REFINEMENTS} | own | json.loads(changes))
    model, about = training.train(method, splits, settings, seed, "cpu", lambda row: None, lambda: False)
    return model, about, settings, splits


@functools.cache
def pairs(dataset: str) -> Splits:
    """Emoji with their descriptions, or the left and right halves of handwritten digits."""
    if dataset != "digits":
        return data.load(dataset)
    from sklearn.datasets import load_digits

    images = load_digits().images[: TRAIN + VALID]
    halves = [images[:, :, :4].reshape(-1, 32), images[:, :, 4:].reshape(-1, 32)]
    left, right = (Numbers().fit(view[:TRAIN]).transform(view) for view in halves)
    train, valid = (
        training.split_of(left[rows], right[rows], np.arange(TRAIN + VALID)[rows])
        for rows in (slice(TRAIN), slice(TRAIN, None))
    )
    return training.splits_of(train, valid, 0)


def fewer(splits: Splits, n: int, seed: int) -> Splits:
    """The same with about `n` training pairs, whole groups drawn at random."""
    groups = np.random.default_rng([seed, n]).permutation(np.unique(splits.train.groups))
    sizes = np.array([(splits.train.groups == group).sum() for group in groups])
    rows = np.flatnonzero(np.isin(splits.train.groups, groups[np.cumsum(sizes) <= n]))
    return replace(splits, train=_part(splits.train, rows))


def _part(split: Split, rows: np.ndarray) -> Split:
    def part(view: View) -> View:
        return View(len(rows), view.shape, lambda chosen: view[rows[chosen]])

    return Split(part(split.view1), part(split.view2), [split.ids[i] for i in rows], split.groups[rows])


def load() -> dict[str, dict[str, Any]]:
    """Key → trial, of all that the file keeps."""
    kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []
    return {
        Trial(*(row[k] for k in ("dataset", "method", "changes", "n", "refit"))).key(row["seed"]): row for row in kept
    }


def save(key: str, row: dict[str, Any]) -> None:
    """Put a trial into the file, in the order of `planned`, one a line; those made side by side wait for each other."""
    lock = paths.RUNS / "trials.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        kept = load() | {key: row}
        ordered = [kept[trial.key(seed)] for trial, seed in planned() if trial.key(seed) in kept]
        lines = (json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in ordered)
        write_text(FILE, "[\n" + ",\n".join(lines) + "\n]\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; the trials that are missing are made one after the other, and kept as soon as they are there."""
    parser = argparse.ArgumentParser(prog="python -m book.make.trials", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="say what is missing, and make nothing")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="only these, to make others beside")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found, wanted = load(), [(trial, seed) for trial, seed in planned() if seed in options.seeds]
    missing = [(trial, seed) for trial, seed in wanted if trial.key(seed) not in found]
    print(f"{len(missing)} of {len(wanted)} trials are missing", file=sys.stderr)
    for trial, seed in [] if options.dry_run else missing:
        row = make(trial, seed)
        save(trial.key(seed), row)
        print(trial, seed, row["valid"], f"{row['seconds']} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
