"""What the explorer shows of embeddings: the best for a query, their cosines, a map. Its script lies beside this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from xmlib import evaluate

TOP = 10
SEED = 5  # of the map
FILES = tuple(Path(__file__).with_name(name) for name in ("explorer.css", "explorer.js"))


def best(queries: Tensor, candidates: Tensor) -> np.ndarray:
    """Rows of the candidates of highest cosine for every query, best first, (q, at most TOP)."""
    chunks = (scores for _, scores in evaluate.score_chunks(queries, candidates))
    return np.concatenate([np.argsort(-s.numpy(), axis=1, kind="stable")[:, :TOP] for s in chunks])


def cosines(queries: Tensor, candidates: Tensor, top: np.ndarray) -> list[list[float]]:
    """Of every query, (q, d), the cosines with those found for it, rows of the candidates (q, TOP), to three digits."""
    pairs = zip(queries.double(), top.tolist(), strict=True)
    return [[round(cosine, 3) for cosine in (candidates[found].double() @ query).tolist()] for query, found in pairs]


def layout(x: Tensor, y: Tensor) -> list[list[list[int]]]:
    """Places of both views (n, d) on a map, (2, n, 2) whole numbers from 0 to 1000: t-SNE, seeded."""
    from sklearn.manifold import TSNE

    points = np.concatenate([x.double().numpy(), y.double().numpy()])
    if len(points) < 8:  # t-SNE needs neighbours; so few lie on a circle
        angles = 2 * np.pi * np.arange(len(points)) / len(points)
        spots = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        perplexity = min(15, (len(points) - 1) / 3)
        spots = TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(points)
    low, high = spots.min(0), spots.max(0)
    return np.round(1000 * (spots - low) / np.maximum(high - low, 1e-9)).astype(int).reshape(2, -1, 2).tolist()


def alone(ranks: Sequence[Sequence[float] | np.ndarray]) -> list[list[int]]:
    """How many queries each run has right and each other has not, (runs, runs), from ranks (runs, queries)."""
    right = (np.asarray(ranks) == 1).astype(int)
    return (right @ (1 - right).T).tolist()
