"""Which method suits a user's pairs: as many as the time allows are trained, and validation chooses."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from xmlib import evaluate, fit, methods
from xmlib.data.own.ready import Ready
from xmlib.errors import InputError
from xmlib.retriever import results_page, training
from xmlib.retriever.retriever import Retriever
from xmlib.scoring import baselines, captions, intervals, relevance
from xmlib.scoring.health import NAMES

FIRST = (training.LINEAR, "linear_nce", "ccal_cont", "learned_nce", "ccal_nce", "learned_cont")
ORDER = (*FIRST, *(name for name in training.METHODS if name not in FIRST))
REFINEMENTS = 1  # what more of them add to the validation MRR is little (book, pictures and words)
TITLES = {name: row.title for name, row in methods.METHODS.items()} | {training.LINEAR: "Linear CCA"}


@dataclass
class Trial:
    """A trained method: the model for raw items, its MRR on validation (mean of both directions), its test scores.

    `x`, `y`: test embeddings (n, k); `test`: what `relevance.both_ways` says of them, or `captions.both_ways` where
    pairs share files; `stopped`: why training ended.
    """

    method: str
    retriever: Retriever
    valid_mrr: float
    seconds: float
    stopped: str
    x: Tensor = field(repr=False)
    y: Tensor = field(repr=False)
    test: dict[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        return TITLES[self.method]

    def reciprocal_ranks(self) -> np.ndarray:
        """(n,) of every test pair, the mean of both directions."""
        if "reciprocal" in self.test:
            return np.mean([self.test["reciprocal"][way] for way in evaluate.DIRECTIONS], axis=0)
        return np.mean([evaluate.recorded_reciprocal_ranks(self.test, way) for way in evaluate.DIRECTIONS], axis=0)


def trials(
    ready: Ready,
    minutes: float,
    asked: Collection[str] = ORDER,
    seed: int = 1,
    device: str = "cpu",
    say: Callable[[str], None] = print,
    on_epoch: Callable[[str, dict], None] = lambda method, row: None,
    **changes: Any,
) -> list[Trial]:
    """The methods that fit into so many minutes, in `ORDER`; linear CCA is always among them.

    Each may take an equal share of the time that is left; what it does not need goes to the next. A method that the
    clock stops keeps its best epoch, and the first method gets one epoch in any case. `changes`: settings of the
    trained methods, such as `epochs`, `batch`, `d`. `on_epoch`: called with the method and every row of its history.
    Raises `InputError` for settings that do not fit, and whatever a single method raises; of several methods, one that
    fails is left out with a message. `training.Halted`, raised for instance by the handler of a signal, ends the
    trials: those that are done are returned, with the present one as far as it got.
    """
    chosen, done = [name for name in ORDER if name in {training.LINEAR, *asked}], []
    for method in chosen[1:]:  # settings that do not fit are to show at once
        training.suited(method, ready.splits, **{name: changes[name] for name in ("d", "batch") if name in changes})
    end, slowest = time.monotonic() + 60 * minutes, 0.0
    with suppress(training.Halted):
        for i, method in enumerate(chosen):
            left = end - time.monotonic()
            if slowest and left < slowest:
                say(f"{TITLES[method]}: left out, an epoch takes longer than the {max(left, 0):.0f} s that are left")
                continue
            try:
                trial = _trial(ready, method, left / (len(chosen) - i), seed, device, on_epoch, changes)
            except InputError as error:
                if tuple(asked) == (method,):
                    raise
                say(f"{TITLES[method]}: left out, {error}")
                continue
            done.append(trial)
            history = trial.retriever.about["history"]
            slowest = max([slowest, *(row["seconds"] for row in history)])
            say(f"{trial.title}: validation MRR {trial.valid_mrr:.3f}, {trial.seconds:.0f} s, {_ended(trial)}")
            if trial.stopped == training.INTERRUPTED:
                break
    return done


def _ended(trial: Trial) -> str:
    history = trial.retriever.about["history"]
    if not history:
        return "nothing to train"
    told = {"patience": "ended by its patience", "halted": "stopped by the clock", "epochs": "as many as are allowed"}
    return f"{len(history)} epochs, {told.get(trial.stopped, trial.stopped)}"


def _trial(
    ready: Ready, method: str, seconds: float, seed: int, device: str, on_epoch: Callable, changes: dict[str, Any]
) -> Trial:
    start, epochs = time.monotonic(), []

    def after(row: dict) -> None:
        epochs.append(row)
        on_epoch(method, row)

    own = {"refinements": REFINEMENTS} | changes
    if method == training.LINEAR:
        own = {"d": own["d"]} if own.get("d") else {}
    trained = Retriever.train(
        ready.splits, method=method, seed=seed, device=device, on_epoch=after,
        halt=lambda: bool(epochs) and time.monotonic() - start > seconds, **own,
    )  # fmt: skip
    took = time.monotonic() - start
    try:
        return _scored(ready, method, trained, took)
    except training.Halted:  # what is trained already is not lost
        trained.about["stopped"] = training.INTERRUPTED
        return _scored(ready, method, trained, took)


def _scored(ready: Ready, method: str, trained: Retriever, took: float) -> Trial:
    valid = _mrr(ready, *fit.embed(trained.model, ready.splits.valid))
    split, (x, y) = ready.splits.test, fit.embed(trained.model, ready.splits.test)
    if several := ready.shared("test"):
        test = captions.both_ways(x, y, *several, split.labels, split.groups)
    else:
        test = relevance.both_ways(x, y, split.labels, split.groups)
    raw = replace(trained, preparations=ready.preparations)
    return Trial(method, raw, valid, took, trained.about.get("stopped", ""), x, y, test)


def _mrr(ready: Ready, x: Tensor, y: Tensor) -> float:
    """The MRR of validation pairs, mean of both directions."""
    if several := ready.shared("valid"):
        found = captions.both_ways(x, y, *several)["metrics"]
        return float(np.mean([metrics["mrr"] for metrics in found.values()]))
    return float(np.mean([evaluate.mrr(x, y), evaluate.mrr(y, x)]))


def best(done: Sequence[Trial]) -> Trial:
    """The trial with the best validation MRR, the earlier of two alike; raises `InputError` where there is none."""
    if not done:
        raise InputError("No method could be trained in the time given: raise minutes.")
    return max(done, key=lambda trial: trial.valid_mrr)


def table(done: Sequence[Trial], ready: Ready) -> pd.DataFrame:
    """Every method's scores on the test split beside chance, the best on validation first."""
    test, several = ready.splits.test, ready.shared("test")
    rows = [_row(trial.title, trial.test["metrics"], trial.valid_mrr) for trial in done]
    rows.sort(key=lambda row: -row["validation MRR"])
    chance = captions.chance(*several) if several else baselines.chance(len(test), test.labels)["metrics"]
    rows.append(_row("Chance", chance, float("nan")))
    return pd.DataFrame(rows).set_index("method")


def _row(title: str, metrics: dict[str, dict], valid: float) -> dict[str, Any]:
    row: dict[str, Any] = {"method": title, "validation MRR": valid}
    for way, name in zip(evaluate.DIRECTIONS, NAMES, strict=True):
        found = metrics[way]
        row |= {f"R@1, {name}": found["r1"], f"R@10, {name}": found["r10"], f"MRR, {name}": found["mrr"]}
        row[f"95 %, {name}"] = "–".join(f"{end:.3f}" for end in found.get("mrr_interval", ()))
        if "map" in found:
            row[f"mAP, {name}"] = found["map"]
    return row


def recommendation(done: Sequence[Trial], groups: Sequence[int]) -> str:
    """In words: the best on validation, how sure that is, and which others are as good; `groups` of the test pairs."""
    first, own = best(done), best(done).reciprocal_ranks()
    low, high = intervals.mean_interval(own, groups)
    said = [
        f"**Take {first.title}** (`{first.method}`): validation chose it, with an MRR of {first.valid_mrr:.3f}. On the "
        f"{len(own):,} test pairs its MRR is {own.mean():.3f} [{low:.3f}, {high:.3f}], the mean of both directions."
    ]
    said += [_against(trial, own, groups) for trial in done if trial.method == training.LINEAR and trial is not first]
    alike = [trial for trial in done if trial is not first and _alike(own, trial.reciprocal_ranks(), groups)]
    if alike:
        said.append(f"The test cannot tell it from: {'; '.join(trial.title for trial in alike)}.")
    if any(trial.method == training.LINEAR for trial in alike):
        said.append(f"Linear CCA (`{training.LINEAR}`) is the simplest of these: it takes seconds and has no settings.")
    if first.stopped == "halted":
        said.append("The clock stopped its training: give more minutes.")
    said.append("This is one seed and one split: another may reverse a difference that is smaller than its interval.")
    return " ".join(said)


def _against(linear: Trial, own: np.ndarray, groups: Sequence[int]) -> str:
    """The gain over linear CCA on the same queries."""
    other = linear.reciprocal_ranks()
    gain, (low, high) = float((own - other).mean()), intervals.paired_interval(own, other, groups)
    verdict = "which is more than chance gives" if low > 0 else "which may be chance"
    if high < 0:
        verdict = "so linear CCA would have been the better choice: there are few validation pairs"
    return f"The gain over linear CCA on the same queries is {gain:+.3f} [{low:+.3f}, {high:+.3f}], {verdict}."


def _alike(own: np.ndarray, other: np.ndarray, groups: Sequence[int]) -> bool:
    low, high = intervals.paired_interval(own, other, groups)
    return low <= 0 <= high


def keep(trial: Trial, ready: Ready, folder: Path) -> Path:
    """The folder with the model of a trial and indexes of all items in both directions, by the ids of their pairs.

    A file that several pairs share is there once, by the id of the first.
    """
    view, number = ready.files or (0, np.arange(len(ready.pairs)))
    first = np.sort(np.unique(number, return_index=True)[1]).tolist()
    for way, found in zip(evaluate.DIRECTIONS, (2, 1), strict=True):
        own = ready.pairs.take(first) if found == view else ready.pairs
        side = own.view1 if found == 1 else own.view2
        trial.retriever.index(way, side.items, own.ids)
        results_page.remember(trial.retriever, way, side, own.ids, folder)
    trial.retriever.about["held_out"] = [ready.pairs.ids[i] for i in ready.rows["test"]]
    return trial.retriever.save(folder)
