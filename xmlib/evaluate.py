"""The retrieval protocol, fixed once: every table and curve comes through here (book, evaluation protocol).

All rows of `y` are candidates for each row of `x`; row i is the right answer to query i. Scores are cosines. Scores
closer than `TIE` are equal, and equal scores count in expectation over their random order. Several right candidates,
corrected scores and intervals over seeds are in `xmlib.scoring`.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from xmlib.data import DATASETS
from xmlib.errors import InputError, check_number, check_rows

TIE = 1e-6  # embeddings are float32, so cosines closer than this carry no order
UNIT = 1e-2  # a length this far from 1 may come of rounding: scaled in bfloat16, rows are off by up to 0.006
# The scores of a chunk of queries stay within the processor's caches. Memory above 32 MiB would be mapped anew for each
# chunk, which takes longer than the products do; with fewer than 32 queries the products are slow.
CHUNK_BYTES, FEWEST_QUERIES = 2**23, 32
K_OCCURRENCE = 10  # the best candidates of a query that count for hubness
CUTOFFS = (1, 5, 10, 25)
DIRECTIONS = {"view1_to_view2": "sheet → audio", "view2_to_view1": "audio → sheet"}

Interval = tuple[float, float]  # low, high
Correction = Callable[[Tensor], Tensor]  # scores of some queries (q, n) → corrected ones (q, n), see `scoring.hubness`


def direction_names(dataset: str) -> dict[str, str]:
    """The names of the two directions on a data set, for readers, by the keys that records use."""
    view1, view2 = DATASETS[dataset].views if dataset in DATASETS else ("view 1", "view 2")
    return dict(zip(DIRECTIONS, (f"{view1} → {view2}", f"{view2} → {view1}"), strict=True))


def queries_at_once(candidates: int) -> int:
    """How many queries make a chunk: as many as have scores of `CHUNK_BYTES`, and `FEWEST_QUERIES` at least."""
    return max(CHUNK_BYTES // (8 * max(candidates, 1)), FEWEST_QUERIES)


def score_chunks(
    x: Tensor, y: Tensor, chunk: int | None = None, correct: Correction | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Cosine scores in float64 of `chunk` queries at a time: the first query's number, and (at most chunk, m) scores.

    `x`: queries (n, d); `y`: candidates (m, d); both of unit length. `chunk`: None takes `queries_at_once(m)`.
    `correct` is applied to every chunk. Scores are overwritten by the next ones: copy what is to be kept.
    Raises `InputError` for unequal widths, no rows, values that are not finite and rows that are not of unit length.
    """
    check_rows("Retrieval", x, y, pairs=False)
    x, y = x.detach().double(), y.detach().double()
    for name, rows in (("queries", x), ("candidates", y)):
        check_unit(name, rows)
    chunk = chunk or queries_at_once(len(y))
    memory = y.new_empty(min(chunk, len(x)), len(y))  # once: new memory for every chunk takes as long as the product
    for start in range(0, len(x), chunk):
        queries = x[start : start + chunk]
        scores = torch.mm(queries, y.T, out=memory[: len(queries)])
        yield start, correct(scores) if correct else scores


def check_unit(name: str, rows: Tensor) -> None:
    """Raises `InputError` unless all rows (n, d) are finite and, up to rounding in half precision, of unit length."""
    lengths = rows.norm(dim=1)
    if not torch.isfinite(lengths).all():
        raise InputError("The embeddings hold NaN or infinite values, so candidates cannot be ranked.")
    wrong = ((lengths - 1).abs() > UNIT).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{len(wrong)} of {len(rows)} {name} are not of unit length, first row {row} of length {lengths[row]:.3g}, "
            "so products of rows are no cosines: scale every row to length 1 (torch.nn.functional.normalize)."
        )


def standing(
    x: Tensor, y: Tensor, chunk: int | None = None, correct: Correction | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """For every query, the candidates strictly `better` than the right one and those `tied` with it, itself included.

    `x`, `y`: unit-length embeddings (n, d). Works through `chunk` queries at a time, in memory of chunk × n.
    `correct`: a correction for hubness, applied to the scores before they are compared.
    Raises `InputError` for unequal lengths, no rows, values that are not finite, and rows not of unit length.
    """
    check_rows("Retrieval", x, y)
    return _joined([_counts(scores, start) for start, scores in score_chunks(x, y, chunk, correct)])


def standing_and_hubness(
    x: Tensor, y: Tensor, chunk: int | None = None, correct: Correction | None = None
) -> tuple[np.ndarray, np.ndarray, float]:
    """`better` and `tied` as from `standing`, and `hubness`, all from the same scores."""
    check_rows("Retrieval", x, y)
    counts, occurrences = [], torch.zeros(len(y), dtype=torch.float64, device=y.device)
    for start, scores in score_chunks(x, y, chunk, correct):
        counts.append(_counts(scores, start))
        occurrences += _among_best(scores, K_OCCURRENCE)
    return *_joined(counts), _skewness(occurrences)


def _counts(scores: Tensor, start: int) -> np.ndarray:
    """The better and the tied candidates, (2, q), of the queries from number `start` on."""
    table = scores.detach().cpu().numpy()  # NumPy compares and counts four times as fast as PyTorch
    right = table.diagonal(start)[:, None]
    better, not_worse = _per_row(table > right + TIE), _per_row(table >= right - TIE)
    return np.stack([better, not_worse - better])


def _per_row(mask: np.ndarray) -> np.ndarray:
    return np.array([np.count_nonzero(row) for row in mask])  # with an axis it would be the slow sum


def _joined(counts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    better, tied = np.concatenate(counts, axis=1)
    return better, tied


def ranks(x: Tensor, y: Tensor) -> np.ndarray:
    """Expected rank of the right candidate for every query, counted from 1: b + (t + 1) / 2, shape (n,)."""
    return expected_ranks(*standing(x, y))


def expected_ranks(better: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """b + (t + 1) / 2 for b better and t tied candidates."""
    return better + (tied + 1) / 2


def reciprocal_ranks(better: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Expected reciprocal rank of every query: (H(b + t) − H(b)) / t with the harmonic numbers H."""
    better, tied = np.asarray(better), np.asarray(tied)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, (better + tied).max() + 1))])
    return np.where(tied == 1, 1 / (better + 1), (harmonic[better + tied] - harmonic[better]) / tied)


def metrics_of(better: np.ndarray, tied: np.ndarray) -> dict[str, float]:
    """R@1/5/10/25 in per cent, median and mean rank, and MRR, from what `standing` returned."""
    expected = expected_ranks(better, tied)
    hits = {f"r{k}": 100 * float(np.clip((k - better) / tied, 0, 1).mean()) for k in CUTOFFS}
    return hits | {
        "median_rank": float(np.median(expected)),
        "mean_rank": float(expected.mean()),
        "mrr": float(reciprocal_ranks(better, tied).mean()),
    }


def retrieval_metrics(x: Tensor, y: Tensor) -> dict[str, float]:
    """Metrics of x querying y: `r1 r5 r10 r25` in per cent, `median_rank`, `mean_rank`, `mrr` and `mean_distance`.

    `mean_distance` is the mean cosine distance of matching pairs. Shapes and errors as in `standing`.
    """
    return metrics_of(*standing(x, y)) | {"mean_distance": mean_distance(x, y)}


def mean_distance(x: Tensor, y: Tensor) -> float:
    """Mean of 1 − cosine over matching pairs of unit-length rows."""
    check_rows("The mean distance", x, y)
    return float((1 - (x.double() * y.double()).sum(1)).mean())


def both_ways(x: Tensor, y: Tensor, groups=None) -> dict:
    """What a record keeps of a test: `metrics`, `ranks` and `ties` in each of `DIRECTIONS`.

    Metrics are those of `retrieval_metrics` with `mrr_interval` (bootstrap over `groups` of queries) and `hubness`.
    `ranks` are expected ranks of every query; `ties` maps a query to the number tied, where that is more than one.
    """
    result: dict = {"metrics": {}, "ranks": {}, "ties": {}}
    for direction, (query, candidates) in zip(DIRECTIONS, ((x, y), (y, x)), strict=True):
        better, tied, skewness = standing_and_hubness(query, candidates)
        interval = bootstrap_interval(reciprocal_ranks(better, tied), groups)
        result["metrics"][direction] = metrics_of(better, tied) | {
            "mean_distance": mean_distance(x, y),
            "mrr_interval": list(interval),
            "hubness": skewness,
        }
        for name, kept in kept_standing(better, tied).items():
            result[name][direction] = kept
    return result


def bootstrap_interval(values, groups=None, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
    """Percentile bootstrap interval (low, high) of the mean of per-query `values`, (n,).

    `groups`: (n,) labels; whole groups are drawn, because queries from one tune rise and fall together.
    None draws single queries. Raises `InputError` for no values and for more or fewer labels.
    """
    values = np.asarray(values, dtype=float)
    member = members(len(values), groups)
    sizes = np.bincount(member)
    draws = np.random.default_rng(seed).integers(len(sizes), size=(resamples, len(sizes)))
    means = np.bincount(member, weights=values)[draws].sum(1) / sizes[draws].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def members(n: int, groups=None) -> np.ndarray:
    """The number of the group of each of n queries, from 0 on; without `groups`, (n,) labels, each is its own.

    Raises `InputError` for no query and for another number of labels.
    """
    labels = np.arange(n) if groups is None else np.asarray(groups)
    if not n or labels.shape != (n,):
        raise InputError(f"There are {n} queries, but group labels of shape {labels.shape}: give one label a query.")
    return np.unique(labels, return_inverse=True)[1]


def recorded_reciprocal_ranks(scores: dict, direction: str) -> np.ndarray:
    """Expected reciprocal rank of every query, from what `both_ways` returned."""
    return reciprocal_ranks(*recorded_standing(scores, direction))


def kept_standing(better: np.ndarray, tied: np.ndarray) -> dict:
    """The standing of queries as a record keeps it: expected `ranks`, and in `ties` the number tied where above one."""
    ties = {str(i): int(tied[i]) for i in np.flatnonzero(tied > 1)}
    return {"ranks": expected_ranks(better, tied).tolist(), "ties": ties}


def recorded_standing(scores: dict, direction: str) -> tuple[np.ndarray, np.ndarray]:
    """`better` and `tied` of every query, as `standing` gave them to `both_ways`."""
    return standing_of(scores["ranks"][direction], scores["ties"][direction])


def standing_of(ranks: list[float], ties: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """`better` and `tied` of every query, from what `kept_standing` kept of them."""
    expected = np.array(ranks)
    tied = np.ones(len(expected), dtype=int)
    for query, count in ties.items():
        tied[int(query)] = count
    return (expected - (tied + 1) / 2).astype(int), tied


def mrr(x: Tensor, y: Tensor) -> float:
    """Mean reciprocal rank of x querying y."""
    return float(reciprocal_ranks(*standing(x, y)).mean())


def chance_metrics(n: int) -> dict[str, float]:
    """Exact expectation of every metric for random scores, among n candidates."""
    check_number("n", n, 1000, least=1)
    return metrics_of(np.array([0]), np.array([n])) | {"mean_distance": 1.0}


def hubness(
    x: Tensor, y: Tensor, k: int = K_OCCURRENCE, chunk: int | None = None, correct: Correction | None = None
) -> float:
    """Skewness of the k-occurrence: how often each candidate is among the k best of a query (Radovanović 2010).

    Large when a few hubs fill most lists; 0 where all candidates occur equally often.
    """
    check_number("k", k, K_OCCURRENCE, least=1)
    occurrences = torch.zeros(len(y), dtype=torch.float64, device=y.device)
    for _, scores in score_chunks(x, y, chunk, correct):
        occurrences += _among_best(scores, k)
    return _skewness(occurrences)


def _among_best(scores: Tensor, k: int) -> Tensor:
    """How many of the queries have each candidate among their k best, (n,)."""
    n = scores.shape[1]
    return torch.bincount(scores.topk(min(k, n), dim=1).indices.flatten(), minlength=n)


def _skewness(values: Tensor) -> float:
    centred = values - values.mean()
    spread = float(centred.square().mean().sqrt())
    return float((centred**3).mean()) / spread**3 if spread > 0 else 0.0
