"""Retrieval where several candidates are right, neighbours inside one view, and small pools of candidates.

A candidate is right where its key equals the query's: keys are semantic labels, or the image that a caption belongs to.
Equal scores (closer than `evaluate.TIE`) count in expectation over their random order, here as everywhere.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import gammaln
from torch import Tensor

from xmlib import evaluate
from xmlib.errors import InputError
from xmlib.evaluate import CUTOFFS, DIRECTIONS, TIE, Correction, score_chunks


def average_precisions(
    x: Tensor, y: Tensor, x_keys, y_keys, chunk: int | None = None, correct: Correction | None = None
) -> np.ndarray:
    """Expected average precision of every query, (n,): mean over its right candidates of the precision at their rank.

    `x`, `y`: unit-length queries (n, d) and candidates (m, d); `x_keys`, `y_keys`: their keys, (n,) and (m,).
    Ties as in McSherry and Najork (2008); with one right candidate this is the expected reciprocal rank.
    Raises `InputError` for keys of another length and for a query without a right candidate.
    """
    asked, offered = _codes(x, y, x_keys, y_keys)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, len(y) + 1))])
    precision = []
    for start, scores in score_chunks(x, y, chunk, correct):
        right = asked[start : start + len(scores), None] == offered  # (chunk, m)
        query, b, t, h, r = _ties_of_right(scores.cpu().numpy(), right.cpu().numpy())
        ratio = (r - 1) / np.maximum(t - 1, 1)  # share of right ones among those it is tied with
        expected = ((h + 1 - ratio * (b + 1)) * (harmonic[b + t] - harmonic[b]) + ratio * t) / t
        precision.append(np.bincount(query, weights=expected) / np.bincount(query))
    return np.concatenate(precision)


def _ties_of_right(scores: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of every right candidate: its query, the better and tied candidates, and the right ones among better and tied.

    Each query's scores are shifted clear of the next one's, so that a single sorted line holds them all.
    """
    queries, m = scores.shape
    line = np.arange(queries)[:, None] * (np.ptp(scores) + 1) - scores  # rising is from best to worst
    everyone, chosen = np.sort(line, axis=1).ravel(), np.sort(line[right])
    query = np.repeat(np.arange(queries), right.sum(1))
    first = np.searchsorted(query, query)  # where the query's own right ones begin in `chosen`
    b, end = np.searchsorted(everyone, chosen - TIE), np.searchsorted(everyone, chosen + TIE, side="right")
    h, right_end = np.searchsorted(chosen, chosen - TIE), np.searchsorted(chosen, chosen + TIE, side="right")
    return query, b - query * m, end - b, h - first, right_end - h


def _codes(x: Tensor, y: Tensor, x_keys, y_keys) -> tuple[Tensor, Tensor]:
    """The keys of queries and candidates as whole numbers, checked."""
    x_keys, y_keys = np.asarray(x_keys), np.asarray(y_keys)
    for name, rows, keys in (("queries", x, x_keys), ("candidates", y, y_keys)):
        if keys.shape != (len(rows),) or not len(rows):
            raise InputError(f"There must be one key for each of the {len(rows)} {name}, but got {keys.shape} keys.")
    lonely = x_keys[~np.isin(x_keys, y_keys)]
    if len(lonely):
        raise InputError(
            f"{len(lonely)} queries have no right candidate, first that of key {lonely[0]}: leave them out."
        )
    _, codes = np.unique(np.concatenate([x_keys, y_keys]), return_inverse=True)
    both = torch.from_numpy(codes).to(y.device)
    return both[: len(x)], both[len(x) :]


def chance_precisions(x_keys, y_keys) -> np.ndarray:
    """Exact expected average precision of every query, (n,), for scores that know nothing."""
    names, counts = np.unique(np.asarray(y_keys), return_counts=True)
    n, right = len(y_keys), counts[np.searchsorted(names, x_keys)]
    harmonic, ratio = (1 / np.arange(1, n + 1)).sum(), (right - 1) / max(n - 1, 1)
    return ((1 - ratio) * harmonic + ratio * n) / n


def mean_average_precision(x: Tensor, y: Tensor, labels, groups=None) -> dict:
    """Direction → `map` over semantic labels, its `map_interval` (bootstrap over `groups`) and its `map_chance`.

    `x`, `y`: unit-length embeddings (n, d) of pairs; `labels`: (n,). All candidates of the query's label are right.
    """
    result = {}
    for direction, (query, candidates) in zip(DIRECTIONS, ((x, y), (y, x)), strict=True):
        values = average_precisions(query, candidates, labels, labels)
        result[direction] = {
            "map": float(values.mean()),
            "map_interval": list(evaluate.bootstrap_interval(values, groups)),
            "map_chance": float(chance_precisions(labels, labels).mean()),
        }
    return result


def both_ways(x: Tensor, y: Tensor, labels=None, groups=None) -> dict:
    """What a record keeps of a test: that of `evaluate.both_ways`, and mAP where the pairs have labels."""
    result = evaluate.both_ways(x, y, groups)
    if labels is not None:
        for direction, found in mean_average_precision(x, y, labels, groups).items():
            result["metrics"][direction] |= found
    return result


def standing_of_any(
    x: Tensor, y: Tensor, x_keys, y_keys, chunk: int | None = None, correct: Correction | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every query, candidates `better` than its best right one, `tied` with it, and the `right` ones of these.

    `tied` and `right` count the best right one itself. Shapes and errors as in `average_precisions`; with
    one right candidate a query the first two are those of `evaluate.standing`.
    """
    asked, offered = _codes(x, y, x_keys, y_keys)
    counts = []
    for start, scores in score_chunks(x, y, chunk, correct):
        right = asked[start : start + len(scores), None] == offered  # (chunk, m)
        excess = scores - scores.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
        tied = excess.abs() <= TIE
        counts.append(torch.stack([(excess > TIE).sum(1), tied.sum(1), (tied & right).sum(1)]))
    better, tied, right = torch.cat(counts, dim=1).cpu().numpy()
    return better, tied, right


def any_right_metrics(better: np.ndarray, tied: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """As `evaluate.metrics_of`, for the first right candidate of every query: R@k in per cent with any right one.

    `better`, `tied`, `right` as from `standing_of_any`.
    """
    expected = better + (tied + 1) / (right + 1)
    hits = {f"r{k}": 100 * float(_hit_any(k - better, tied, right).mean()) for k in CUTOFFS}
    return hits | {
        "median_rank": float(np.median(expected)),
        "mean_rank": float(expected.mean()),
        "mrr": float(reciprocal_ranks_of_any(better, tied, right).mean()),
    }


def _hit_any(places, tied, right) -> np.ndarray:
    """Probability that any of `right` among `tied` in random order is within the first `places`: hypergeometric."""
    places = np.clip(places, 0, tied)
    misses = tied - right
    left = np.maximum(misses - places, 0)  # not drawn and not right
    log_miss = gammaln(misses + 1) - gammaln(left + 1) + gammaln(tied - places + 1) - gammaln(tied + 1)
    return np.where(places > misses, 1.0, -np.expm1(np.minimum(log_miss, 0)))


def reciprocal_ranks_of_any(better, tied, right) -> np.ndarray:
    """Expected reciprocal rank of the first right candidate of every query, (n,)."""
    stands, query = np.unique(np.stack([better, tied, right], axis=1), axis=0, return_inverse=True)
    return np.array([_reciprocal_of_any(*map(int, row)) for row in stands])[query.ravel()]


def _reciprocal_of_any(better: int, tied: int, right: int) -> float:
    reached = _hit_any(np.arange(tied + 1), tied, right)  # probability to be within the first 0 … tied places
    return float((np.diff(reached) / (better + np.arange(1, tied + 1))).sum())


def chance_of_any(x_keys, y_keys) -> dict[str, float]:
    """Exact expectation of every metric of `any_right_metrics` for scores that know nothing."""
    names, counts = np.unique(np.asarray(y_keys), return_counts=True)
    right = counts[np.searchsorted(names, x_keys)]
    return any_right_metrics(np.zeros_like(right), np.full_like(right, len(y_keys)), right)


def twins(x: Tensor, y: Tensor, groups, texts: np.ndarray) -> dict:
    """What a record keeps of near twins in the gallery: scores that take any member of a group as right, and a ceiling.

    `x`, `y`: unit-length embeddings (n, d) of pairs; `groups`: (n,); `texts`: (n, …), what a text encoder sees of each.
    Direction → `metrics` as in `any_right_metrics` with `mrr_interval`, and `standing` as in `standing_of_any`.
    `in_group`: items whose group has another member; `same_text`: items whose text another one has to the last number.
    `ceiling`: the strict metrics that no function of the text exceeds, as it cannot tell equal texts apart.
    """
    result: dict = {"metrics": {}, "standing": {}}
    for direction, (query, candidates) in zip(DIRECTIONS, ((x, y), (y, x)), strict=True):
        standing = standing_of_any(query, candidates, groups, groups)
        interval = evaluate.bootstrap_interval(reciprocal_ranks_of_any(*standing), groups)
        result["metrics"][direction] = any_right_metrics(*standing) | {"mrr_interval": list(interval)}
        result["standing"][direction] = [counts.tolist() for counts in standing]
    alike = _occurrences(texts.reshape(len(texts), -1))
    return result | {
        "in_group": int((_occurrences(np.asarray(groups)) > 1).sum()),
        "same_text": int((alike > 1).sum()),
        "ceiling": evaluate.metrics_of(np.zeros_like(alike), alike),
    }


def _occurrences(rows: np.ndarray) -> np.ndarray:
    """How many rows equal each row, itself included, (n,)."""
    _, which, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return counts[which.ravel()]


def captions_both_ways(images: Tensor, texts: Tensor, image_of_text, folds: int = 1) -> dict:
    """Direction → metrics with several captions an image; view 1 is the image.

    An image is answered by any of its captions, a caption by its one image. `images` (n, d), `texts` (m, d);
    `image_of_text`: (m,) row of each caption's image. `folds` = 5 on 5,000 images is the 1k protocol of COCO: the mean
    over five galleries of 1,000 images, in order; `folds` = 1 is the full one. The metrics are `any_right_metrics`.
    Raises `InputError` where folds do not divide the images, for an image without a caption, and for a row that is not
    there.
    """
    owner = np.asarray(image_of_text)
    if folds < 1 or len(images) % folds:
        raise InputError(f"{len(images)} images cannot be cut into {folds} equal folds: choose a divisor.")
    if len(owner) and (owner.min() < 0 or owner.max() >= len(images)):
        raise InputError(f"image_of_text must lie in 0 to {len(images) - 1}, but holds {owner.min()} to {owner.max()}.")
    parts = [_fold(images, texts, owner, rows) for rows in np.array_split(np.arange(len(images)), folds)]
    return {way: {name: float(np.mean([p[way][name] for p in parts])) for name in parts[0][way]} for way in DIRECTIONS}


def _fold(images: Tensor, texts: Tensor, owner: np.ndarray, rows: np.ndarray) -> dict:
    own = np.flatnonzero(np.isin(owner, rows))
    x, y = (images[rows], rows), (texts[own], owner[own])
    pairs = zip(DIRECTIONS, ((x, y), (y, x)), strict=True)
    return {way: any_right_metrics(*standing_of_any(q[0], c[0], q[1], c[1])) for way, (q, c) in pairs}


def coherence(x: Tensor, neighbours=None, labels=None, k: int = 10, groups=None, chunk: int | None = None) -> dict:
    """Of an item's k nearest in `x`, the share that is among its k nearest texts (`text`) or has its label (`label`).

    Each is a mean over items, with `…_interval` (bootstrap over `groups`), `…_chance`, what random neighbours give,
    and `…_shares`, that of every item. `x`: unit-length embeddings (n, d) of one view; `neighbours`: (n, at least k)
    rows of the nearest texts, nearest first, without the item itself; `labels`: (n,). Raises `InputError` for k out of
    range and bad neighbours.
    """
    n = len(x)
    if not 1 <= k < n:
        raise InputError(f"k = {k} nearest cannot be found among the {n - 1} other items: choose k from 1 to {n - 1}.")
    shares = {}
    if neighbours is not None:
        near = torch.from_numpy(_checked(neighbours, n, k)).to(x.device)
        shares["text"] = (_share(x, lambda i: _marked(near[i], n), k, chunk), k / (n - 1))
    if labels is not None:
        codes = torch.from_numpy(np.unique(np.asarray(labels), return_inverse=True)[1]).to(x.device)
        others = float((torch.bincount(codes)[codes] - 1).double().mean())
        shares["label"] = (_share(x, lambda i: codes[i, None] == codes, k, chunk), others / (n - 1))
    result = {}
    for name, (values, chance) in shares.items():
        interval = list(evaluate.bootstrap_interval(values, groups))
        result |= {name: float(values.mean()), f"{name}_interval": interval, f"{name}_chance": chance}
        result[f"{name}_shares"] = values.tolist()
    return result


def _share(x: Tensor, marks: Callable[[Tensor], Tensor], k: int, chunk: int | None) -> np.ndarray:
    """Expected share of marked items among the k nearest others of every item, (n,); `marks(rows)` is (rows, n)."""
    shares = []
    for start, scores in score_chunks(x, x, chunk):
        scores.diagonal(start).fill_(-torch.inf)  # nobody is its own neighbour
        excess = scores - scores.topk(k, dim=1).values[:, -1:]
        sure, tied = excess > TIE, excess.abs() <= TIE  # the last places go to the tied ones by lot
        marked = marks(torch.arange(start, start + len(scores), device=x.device))
        lot = (k - sure.sum(1)) / tied.sum(1).double()
        shares.append(((sure & marked).sum(1) + lot * (tied & marked).sum(1)) / k)
    return torch.cat(shares).cpu().numpy()


def _marked(near: Tensor, n: int) -> Tensor:
    return torch.zeros(len(near), n, dtype=torch.bool, device=near.device).scatter_(1, near, True)


def _checked(neighbours, n: int, k: int) -> np.ndarray:
    near = np.asarray(neighbours)
    if near.ndim != 2 or len(near) != n or near.shape[1] < k:
        raise InputError(f"neighbours must list at least {k} items for each of {n}, but has the shape {near.shape}.")
    near = near[:, :k].astype(np.int64)
    if near.min() < 0 or near.max() >= n or (near == np.arange(n)[:, None]).any():
        raise InputError(f"neighbours must be rows from 0 to {n - 1}, and none its own; look for padding such as -1.")
    return near


def pool_accuracies(better: np.ndarray, tied: np.ndarray, n: int, ways: int) -> np.ndarray:
    """Probability for every query that its right candidate wins a pool of `ways`: itself and random others of the n.

    `better`, `tied` as from `evaluate.standing`. Exact expectation over all pools, drawn without replacement, and over
    the order of ties: the mean over the tied ranks r of C(n − r, ways − 1) / C(n − 1, ways − 1).
    """
    if not 2 <= ways <= n:
        raise InputError(f"A pool of {ways} cannot be drawn from {n} candidates: choose ways from 2 to {n}.")
    after = n - np.arange(1, n)  # candidates behind rank 1 … n − 1
    wins = np.concatenate([[1.0], np.cumprod(np.maximum(after - ways + 1, 0) / after)])  # at rank 1 … n
    total = np.concatenate([[0.0], np.cumsum(wins)])
    return (total[better + tied] - total[better]) / tied


def pool_accuracy(x: Tensor, y: Tensor, ways: int = 5, groups=None) -> dict:
    """Direction → `accuracy` in per cent in pools of `ways` candidates, with `accuracy_interval` and `accuracy_chance`.

    Another protocol than ranking all candidates, and a far easier one: never set its numbers beside R@1 of a whole
    gallery. `x`, `y`: unit-length embeddings (n, d) of pairs; the interval is bootstrapped over `groups` of queries.
    """
    result = {}
    for direction, (query, candidates) in zip(DIRECTIONS, ((x, y), (y, x)), strict=True):
        values = 100 * pool_accuracies(*evaluate.standing(query, candidates), len(y), ways)
        result[direction] = {
            "ways": ways,
            "accuracy": float(values.mean()),
            "accuracy_interval": list(evaluate.bootstrap_interval(values, groups)),
            "accuracy_chance": 100 / ways,
        }
    return result
