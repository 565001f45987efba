"""What a method has to beat: chance, and linear CCA on principal components of the raw views.

Each view has principal components of its own number: a narrow view keeps all its columns, however many the other has.
"""

import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from xmlib import evaluate, paths
from xmlib.cca import cca
from xmlib.data import Split, Splits, load
from xmlib.errors import InputError
from xmlib.files import write_text
from xmlib.model import TwoView
from xmlib.scoring import relevance

VIEWS = ("view1", "view2")
COMPONENTS = (100, 200, 400, 800)  # principal components of each view, or all of a view that has fewer
RIDGES = (1e-2, 1e-1, 0.3, 1.0, 3.0, 10.0)  # relative to the mean variance of the components
DIRECTIONS = (16, 32, 48, 64, 100, 160, 256)  # canonical directions kept
VERSION = 7  # raise it when the numbers change


def linear_cca(splits: Splits) -> dict:
    """The record of linear CCA: `components`, `ridge`, `directions`, `valid_mrr`, and what `relevance.both_ways` gives.

    PCA and CCA are fitted on the training pairs, the three settings chosen by the validation MRR of view 1 querying
    view 2. Computed once for the same pairs, always on one thread (others change the last digits), and kept in
    `paths.RUNS` under a hash of all their rows: whatever `splits.digest` says, other pairs are computed anew.
    """
    kept = paths.RUNS / "baselines" / f"linear_cca-{_content(splits)[:16]}-v{VERSION}.json"
    found = _read(kept)
    if found is None:
        with _one_thread():
            found = _fit_and_score(splits)
        write_text(kept, json.dumps(found))
    return found


def _read(kept: Path) -> dict | None:
    """What was kept in a file; None where there is none, or where it is damaged, which is said on stderr."""
    if not kept.exists():
        return None
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if isinstance(found, dict) and {"components", "ridge", "metrics", "ranks"} <= set(found):
        return found
    print(f"{kept} is damaged; linear CCA is computed again.", file=sys.stderr)
    return None


def _content(splits: Splits) -> str:
    """Hash of everything that decides the result: both views, groups and labels of every split."""
    whole = hashlib.sha256()
    for split in (splits.train, splits.valid, splits.test):
        whole.update(json.dumps([len(split), split.view1.shape, split.view2.shape]).encode())
        for view in (split.view1, split.view2):
            for start in range(0, len(split), 1000):
                whole.update(np.ascontiguousarray(view[start : start + 1000]).data)
        labels = None if split.labels is None else np.asarray(split.labels).tolist()
        whole.update(json.dumps([np.asarray(split.groups).tolist(), labels]).encode())
    return whole.hexdigest()


@torch.no_grad()
def start(model: TwoView, splits: Splits) -> None:
    """Set the weights of two linear encoders to the first directions of linear CCA, as many as the encoders have.

    Components and ridge are those of `linear_cca`; if these are fewer components than directions, as many as needed.
    Raises `InputError` where linear CCA has fewer directions than the encoders.
    """
    chosen, most = linear_cca(splits), [_most_components(splits, view) for view in VIEWS]
    layers = [next(m for m in e.modules() if isinstance(m, nn.Linear)) for e in (model.encoder1, model.encoder2)]
    d = len(layers[0].weight)
    if d > min(most):
        raise InputError(f"d = {d} is more than the {min(most)} directions that linear CCA has here: lower d.")
    kept = max(chosen["components"], d)
    with _one_thread():
        sides = [_principal_components(splits, view, limit) for view, limit in zip(VIEWS, most, strict=True)]
        h1, h2 = (parts[0][:, :kept] for parts, _, _ in sides)
        A, B, _ = cca(h1, h2, ridge=_absolute(chosen["ridge"], h1, h2))
    for layer, (_, components, mean), projection in zip(layers, sides, (A, B), strict=True):
        weights = (components[:, : len(projection)] @ projection[:, :d]).T  # (d, features)
        layer.weight.copy_(weights)
        layer.bias.copy_(-weights @ mean)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Everything inside on one thread of the processor."""
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def _most_components(splits: Splits, view: str) -> int:
    """Principal components of a view at most: half as many as training pairs, and no more than it has features."""
    return min(max(COMPONENTS), len(splits.train) // 2, math.prod(getattr(splits.train, view).shape))


def _fit_and_score(splits: Splits) -> dict:
    sides = [_principal_components(splits, view, _most_components(splits, view))[0] for view in VIEWS]
    train, valid, test = zip(*sides, strict=True)  # each a pair: view 1 (n, its components), view 2 likewise
    best: dict = {"valid_mrr": -1.0}
    for choice, project in _candidates(train):
        mrr = evaluate.mrr(*project(valid))
        if mrr > best["valid_mrr"]:
            best, chosen = {**choice, "valid_mrr": mrr, "train": len(splits.train)}, project
    x, y = chosen(test)
    return best | relevance.both_ways(x, y, splits.test.labels, splits.test.groups) | near_twins(splits.test, x, y)


def _candidates(train: tuple[Tensor, Tensor]) -> Iterable:
    """Every setting with the function that projects a pair of views by it; `components` are those of the wider view."""
    widths = [h.shape[1] for h in train]
    for components in sorted({min(c, max(widths)) for c in COMPONENTS}):
        h1, h2 = (h[:, :components] for h in train)
        for ridge in RIDGES:
            A, B, corr = cca(h1, h2, ridge=_absolute(ridge, h1, h2))
            for directions in sorted({min(k, len(corr)) for k in DIRECTIONS}):
                choice = {"components": components, "ridge": ridge, "directions": directions}
                yield choice, _projector(A[:, :directions], B[:, :directions])


def _projector(A: Tensor, B: Tensor):
    def project(views: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, y = (functional.normalize(h[:, : len(P)] @ P, dim=1) for h, P in zip(views, (A, B), strict=True))
        return x, y

    return project


def _absolute(ridge: float, h1: Tensor, h2: Tensor) -> float:
    return ridge * float((h1.var(0).mean() * h2.var(0).mean()).sqrt())


def _principal_components(splits: Splits, view: str, limit: int) -> tuple[list[Tensor], Tensor, Tensor]:
    """Train, valid and test rows of a view in the principal components of its training rows, (n, limit) each.

    Also the map to the components, (features, limit), and the mean that is taken off before, (features,).
    """
    from sklearn.decomposition import PCA

    rows = _flat(splits.train, view)
    pca = PCA(limit, svd_solver="randomized", random_state=0).fit(rows)
    scale = np.sqrt(pca.explained_variance_.mean())  # so that one ridge grid fits both views
    parts = [torch.from_numpy(pca.transform(_flat(s, view)) / scale) for s in (splits.train, splits.valid, splits.test)]
    return parts, torch.from_numpy(pca.components_.T / scale), torch.from_numpy(pca.mean_)


def _flat(split: Split, view: str) -> np.ndarray:
    rows = getattr(split, view)[np.arange(len(split))]
    return rows.reshape(len(rows), -1)


def near_twins(split: Split, x: Tensor, y: Tensor) -> dict:
    """What `relevance.twins` finds under the name `twins`; nothing where the groups are no near twins.

    `x`, `y`: the embeddings (n, d) of the split. The groups of pictures and words are twins, notes of a tune are none.
    """
    if len(split.view2.shape) > 1:
        return {}
    return {"twins": relevance.twins(x, y, split.groups, _flat(split, "view2"))}


def chance(n: int, labels=None, groups=None) -> dict:
    """Exact expectations among n candidates, in both directions; with mAP where they have labels, (n,).

    `groups`, (n,): also `twins`, with any member of a group as right.
    """
    metrics = evaluate.chance_metrics(n)
    if labels is not None:
        metrics["map"] = float(relevance.chance_precisions(labels, labels).mean())
    result: dict = {"metrics": {direction: dict(metrics) for direction in evaluate.DIRECTIONS}}
    if groups is not None:
        any_right = relevance.chance_of_any(groups, groups)
        result["twins"] = {"metrics": {direction: dict(any_right) for direction in evaluate.DIRECTIONS}}
    return result


if __name__ == "__main__":  # as `xm prepare audio_score`; without these lines every record would count as stale
    linear_cca(load("audio_score", profile=sys.argv[1]))
