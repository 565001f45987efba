"""What to know about pairs before training: are there enough, does anything leak, is there a signal."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xmlib import evaluate
from xmlib.data import Split, Splits, View
from xmlib.data.own.ready import ITEMS, Ready, names_of
from xmlib.data.own.sides import Side
from xmlib.scoring import baselines

NEAR = 0.1  # of the usual distance to the nearest training item: what is nearer is a near duplicate
LOOKED_AT = 1000  # test items whose nearest training item is looked for
MOST_NUMBERS = 50_000_000  # that are looked at together, 200 MB
COPIED = 0.9999  # correlation of two features from which on one is a copy of the other
MANY = 0.1  # share of constant features that is more than the margin of a picture
WIDEST = 2048  # features among which copies are looked for
NAMES = tuple(way.replace("_to_", " → ") for way in evaluate.DIRECTIONS)  # of the directions
NOISE = 0.5  # correlation of unrelated views that is too much


@dataclass
class Finding:
    """A sentence on the pairs; `bad`: something should be done about it."""

    sentence: str
    bad: bool = False


@dataclass
class Health:
    """What was found; `linear`, `shuffled`: records of linear CCA on the pairs and on shuffled training pairs."""

    findings: list[Finding]
    left_out: pd.DataFrame
    linear: dict
    shuffled: dict

    def markdown(self) -> str:
        """A list of the sentences, those first that ask for something."""
        ordered = sorted(self.findings, key=lambda finding: not finding.bad)
        return "\n".join(f"- {'**Look at this.** ' * found.bad}{html.escape(found.sentence)}" for found in ordered)


def report(ready: Ready) -> Health:
    """The health of pairs that are ready for training. Computes linear CCA twice, which takes seconds to minutes."""
    splits = ready.splits
    linear, mixed = baselines.linear_cca(splits), baselines.linear_cca(shuffled(splits))
    findings = [*_sizes(ready), *_of_view(ready, 0), *_of_view(ready, 1), *_copied_across(ready)]
    findings += [_widths(splits), *_signal(splits, linear, mixed)]
    left_out = pd.DataFrame(ready.pairs.left_out, columns=["pair", "reason"])
    return Health(findings, left_out, linear, mixed)


def shuffled(splits: Splits) -> Splits:
    """The same pairs, each training item of view 1 with another one's of view 2: scores must fall to chance."""
    order = np.random.default_rng(0).permutation(len(splits.train))
    view = splits.train.view2
    train = replace(splits.train, view2=View(len(view), view.shape, lambda rows: view[order[rows]]))
    return replace(splits, train=train)


def _sizes(ready: Ready) -> Iterator[Finding]:
    counts = [len(ready.rows[part]) for part in ("train", "valid", "test")]
    groups = Counter(np.concatenate([s.groups for s in (ready.splits.train, ready.splits.valid, ready.splits.test)]))
    text = "{:,} pairs: {:,} for training, {:,} for validation, {:,} for the test".format(sum(counts), *counts)
    largest = max(groups.values())
    tied = f"; they form {len(groups):,} groups, the largest of {largest:,}, none of them in two splits"
    yield Finding(text + (tied if largest > 1 and not any(ready.pairs.splits) else "") + ".")
    if counts[2] < 50:
        yield Finding(
            f"With {counts[2]} test pairs every score is a rough guess; more pairs would narrow the intervals.", True
        )
    if ready.pairs.left_out:
        yield Finding(f"{len(ready.pairs.left_out):,} pairs could not be used and are named below.", True)


def _of_view(ready: Ready, view: int) -> Iterator[Finding]:
    """Duplicates and features of one view."""
    side = (ready.pairs.view1, ready.pairs.view2)[view]
    names = names_of(side)
    known, test = {names[i] for i in ready.rows["train"]} - {""}, [names[i] for i in ready.rows["test"]]
    distinct = len(set(filter(None, names))) + names.count("")  # files of their own size have no name
    if distinct < len(names):
        yield Finding(f"{side.name}: {distinct:,} of {len(names):,} items are distinct.")
    if distinct >= ITEMS * len(names):  # fewer are labels, which are to be in every split
        yield from _crossing(side, sum(name in known for name in test), _near(ready.splits, view), len(test))
    if (shared := ready.shared("test")) and shared[0] == view + 1:
        said = f"{side.name}: several pairs share an item; the {len(test):,} test pairs have {len(set(shared[1])):,}. "
        yield Finding(said + "Methods count any partner of one as right, linear CCA in this report its own alone.")
    elif (best := _ceiling(test)) < 1:
        what = f"{side.name}: equal test items cannot be told apart, so that the MRR of finding them is at most"
        yield Finding(f"{what} {best:.3f}.", best < 0.5)
    if side.kind == "numbers":
        yield from _features(ready, view)


def _crossing(side: Side, again: int, near: float, of: int) -> Iterator[Finding]:
    """Test items that are in training too, or nearly."""
    if again or near:
        yield Finding(
            f"{side.name}: {again:,} of {of:,} test items are in training too, and {near:.1%} are {1 / NEAR:.0f} times "
            "nearer to a training item than usual; if these are copies, give them a group, or the test flatters.",
            again > 0 or near > 0.01,
        )


def _ceiling(names: list[str]) -> float:
    """The mean reciprocal rank of scores that know everything but cannot tell items of one name apart."""
    counts = Counter(name or f"alone {i}" for i, name in enumerate(names))
    return sum(sum(1 / k for k in range(1, c + 1)) for c in counts.values()) / len(names)


def _near(splits: Splits, view: int) -> float:
    """The share of test items that are far nearer to a training item than is usual, and not equal to it."""
    train, test = _flat(splits.train, view, 20 * LOOKED_AT), _flat(splits.test, view, LOOKED_AT)
    squares, nearest = np.square(train).sum(1), []
    for start in range(0, len(test), 100):
        items = test[start : start + 100]
        nearest.append((squares - 2 * items @ train.T).min(1) + np.square(items).sum(1))
    distances = np.sqrt(np.maximum(np.concatenate(nearest), 0))
    equal = 1e-3 * np.sqrt(squares.mean())  # what rounding leaves of equal items
    different = distances[distances > equal]
    return float((different < NEAR * np.median(different)).sum() / len(distances)) if len(different) else 0.0


def _flat(split: Split, view: int, most: int) -> np.ndarray:
    """(n, features) of at most so many items of a view, evenly chosen, and no more than MOST_NUMBERS in all."""
    items = (split.view1, split.view2)[view]
    most = min(len(items), most, max(MOST_NUMBERS // int(np.prod(items.shape)), 1))
    rows = np.unique(np.linspace(0, len(items) - 1, most).astype(int))
    return items[rows].reshape(len(rows), -1).astype(np.float32)


def _features(ready: Ready, view: int) -> Iterator[Finding]:
    """Constant and copied features of a view of numbers."""
    side, train = (ready.pairs.view1, ready.pairs.view2)[view], _flat(ready.splits.train, view, 5000)
    varies = np.flatnonzero(np.ptp(train, axis=0) > 0)
    if len(varies) < train.shape[1]:
        gone = np.setdiff1d(np.arange(train.shape[1]), varies)
        said = f"{side.name}: {len(gone):,} of {train.shape[1]:,} features are constant ({_some(gone)})."
        yield Finding(said, len(gone) > MANY * train.shape[1])
    if 1 < len(varies) <= WIDEST:
        alike = np.abs(np.corrcoef(train[:, varies], rowvar=False)) > COPIED
        copies = varies[np.triu(alike, 1).any(0)]
        if len(copies):
            yield Finding(f"{side.name}: {len(copies):,} features are copies of others ({_some(copies)}).", True)


def _copied_across(ready: Ready) -> Iterator[Finding]:
    """Features that are in both views."""
    if ready.pairs.view1.kind != "numbers" or ready.pairs.view2.kind != "numbers":
        return
    one, other = (_unit(_flat(ready.splits.train, view, 5000)) for view in (0, 1))
    if max(one.shape[1], other.shape[1]) <= WIDEST:
        pairs = np.argwhere(np.abs(one.T @ other) > COPIED)
        if len(pairs):
            first, second = pairs[0] + 1
            yield Finding(
                f"{len(pairs):,} features are in both views (feature {first} of {ready.pairs.view1.name} is feature "
                f"{second} of {ready.pairs.view2.name}), so the query contains its answer.", True,
            )  # fmt: skip


def _unit(rows: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and length 1; constant ones are 0."""
    centred = rows - rows.mean(0)
    return centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-9)


def _some(columns: np.ndarray) -> str:
    return "number " + ", ".join(str(c + 1) for c in columns[:5]) + (", …" if len(columns) > 5 else "")


def _widths(splits: Splits) -> Finding:
    """What chance alone correlates at these widths, and how many pairs would make that little."""
    n, (p, q) = len(splits.train), (int(np.prod(view.shape)) for view in (splits.train.view1, splits.train.view2))
    found, wanted = chance_correlation(n, p, q), pairs_wanted(p, q)
    return Finding(
        f"Views of {p:,} and {q:,} features without any relation would seem to correlate by {found:.2f} in "
        f"{n:,} pairs; {wanted:,} pairs bring that below {NOISE}. Principal components, a ridge, a narrow embedding "
        "and patience make up for part of the lack.", n < wanted,
    )  # fmt: skip


def chance_correlation(n: int, p: int, q: int) -> float:
    """The largest correlation that CCA finds in n pairs of unrelated views of p and q features (Wachter 1980)."""
    a, b = min(p / (n - 1), 1), min(q / (n - 1), 1)
    if a + b >= 1:
        return 1.0
    return float(np.sqrt(a * (1 - b)) + np.sqrt(b * (1 - a)))


def pairs_wanted(p: int, q: int) -> int:
    """The fewest pairs with which unrelated views correlate by less than NOISE."""
    low, high = 2, 100 * (p + q)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if chance_correlation(middle, p, q) < NOISE else (middle + 1, high)
    return low


def _signal(splits: Splits, linear: dict, mixed: dict) -> Iterator[Finding]:
    """What linear CCA finds, and that it finds nothing in shuffled pairs."""
    chance, parts = evaluate.chance_metrics(len(splits.test))["mrr"], []
    found = [linear["metrics"][way] for way in evaluate.DIRECTIONS]
    for name, metrics in zip(NAMES, found, strict=True):
        low, high = metrics["mrr_interval"]
        parts.append(f"{name} MRR {metrics['mrr']:.3f} [{low:.3f}, {high:.3f}], R@10 {metrics['r10']:.0f} %")
    nothing = all(metrics["mrr_interval"][0] < 1.5 * chance for metrics in found)
    yield Finding(
        f"Linear CCA, among {len(splits.test):,} candidates: {'; '.join(parts)}; "
        f"chance is MRR {chance:.3f}."
        + (" That is hardly more than chance: check that the rows of both views belong together." * nothing),
        nothing,
    )
    worst = max((mixed["metrics"][way] for way in evaluate.DIRECTIONS), key=lambda metrics: metrics["mrr"])
    leaks = worst["mrr_interval"][0] > 1.5 * chance
    yield Finding(
        "Trained on shuffled pairs it scores MRR {:.3f} [{:.3f}, {:.3f}], ".format(worst["mrr"], *worst["mrr_interval"])
        + ("which is above chance: something in the test gives the answer away." if leaks else "which is chance."),
        leaks,
    )
