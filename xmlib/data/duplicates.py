"""Groups of items that must not be torn apart: near duplicates in picture or in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from xmlib.data import texts

VERSION = 1  # raise it when groups may come out differently
# Looked at by hand: above these, pairs were variants of one thing or nearly the same drawing. With lower values chains
# tie most faces and people together.
SAME_INK, SIMILAR_INK, SIMILAR_WORDS = 0.985, 0.9, 0.4
SMALL = 48  # pixels at which drawings are compared


def groups(related: np.ndarray, keys: Sequence[Iterable[str]] = ()) -> np.ndarray:
    """Group numbers (n,), counted in the order of the first members.

    `related`: (n, n) bool, which items belong together; `keys`: of each item, strings that items of one group share and
    items of two groups do not. Whatever is connected by a chain of these is one group.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    related = related.copy()
    first: dict[str, int] = {}
    for i, own in enumerate(keys):
        for key in own:
            related[first.setdefault(key, i), i] = True
    found = connected_components(csr_matrix(related), directed=False)[1]
    first_member = np.unique(found, return_index=True)[1]
    return first_member.argsort().argsort()[found].astype(np.int64)


def related(words: np.ndarray, ink: np.ndarray, same_words: float) -> np.ndarray:
    """Which items are near duplicates (n, n), by their cosines in words, in ink, or somewhat alike in both."""
    return (words > same_words) | (ink > SAME_INK) | ((words > SIMILAR_WORDS) & (ink > SIMILAR_INK))


def same_words(all_texts: Sequence[str]) -> np.ndarray:
    """Cosines (n, n) of the texts: 1 for the same words, 0 for none in common; a rare word counts more."""
    own = [sorted(set(texts.words(text))) for text in all_texts]
    vocabulary = {word: i for i, word in enumerate(sorted({word for found in own for word in found}))}
    there = np.zeros((len(own), len(vocabulary)), np.float32)
    for row, found in zip(there, own, strict=True):
        row[[vocabulary[word] for word in found]] = 1
    return _cosines(there * np.log(len(own) / np.maximum(there.sum(axis=0), 1)))


def same_ink(small: np.ndarray) -> np.ndarray:
    """Cosines (n, n) of small pictures (n, h, w, 3) as ink on white: 1 where one is a lighter print of the other."""
    return _cosines(255 - small.reshape(len(small), -1).astype(np.float32))


def _cosines(rows: np.ndarray) -> np.ndarray:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit @ unit.T
