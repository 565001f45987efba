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
BLOCK = 1000


def groups(related: np.ndarray, keys: Sequence[Iterable[str]] = ()) -> np.ndarray:
    """Group numbers (n,), counted in the order of the first members.

    `related`: (n, n) bool, which items belong together; `keys`: of each item, strings that items of one group share and
    items of two groups do not. Whatever is connected by a chain of these is one group.
    """
    ones, others = np.nonzero(related)
    return groups_of(len(related), ones, others, keys)


def groups_of(n: int, ones: np.ndarray, others: np.ndarray, keys: Sequence[Iterable[str]] = ()) -> np.ndarray:
    """Group numbers (n,) like `groups`: item `ones[k]` belongs together with item `others[k]`."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    first: dict[str, int] = {}
    shared = [(first.setdefault(key, i), i) for i, own in enumerate(keys) for key in own]
    pairs = np.concatenate([np.stack([ones, others], 1), np.array(shared, np.int64).reshape(-1, 2)]).T
    links = csr_matrix((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), (n, n))
    found = connected_components(links, directed=False)[1]
    first_member = np.unique(found, return_index=True)[1]
    return first_member.argsort().argsort()[found].astype(np.int64)


def related(words: np.ndarray, ink: np.ndarray, same_words: float) -> np.ndarray:
    """Which items are near duplicates (n, n), by their cosines in words, in ink, or somewhat alike in both."""
    return (words > same_words) | (ink > SAME_INK) | ((words > SIMILAR_WORDS) & (ink > SIMILAR_INK))


def near(all_texts: Sequence[str], small: np.ndarray, same_words: float) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of items that `related` finds by texts and small pictures: their first and their second items, i < j.

    For so many items that matrices (n, n) are too large: compared are `BLOCK` of them with all at a time.
    """
    from scipy.sparse import csr_matrix

    words, ink = csr_matrix(_rare_words(all_texts)), _unit(_ink(small))
    ones, others = [], []
    for start in range(0, len(ink), BLOCK):
        block = slice(start, start + BLOCK)
        found = related((words[block] @ words.T).toarray(), ink[block] @ ink.T, same_words)
        first, second = np.nonzero(np.triu(found, start + 1))
        ones.append(first + start)
        others.append(second)
    return np.concatenate(ones), np.concatenate(others)


def same_words(all_texts: Sequence[str]) -> np.ndarray:
    """Cosines (n, n) of the texts: 1 for the same words, 0 for none in common; a rare word counts more."""
    words = _rare_words(all_texts)
    return words @ words.T


def _rare_words(all_texts: Sequence[str]) -> np.ndarray:
    """(n, words) of length 1: which words are in a text, a rare one more."""
    own = [sorted(set(texts.words(text))) for text in all_texts]
    vocabulary = {word: i for i, word in enumerate(sorted({word for found in own for word in found}))}
    there = np.zeros((len(own), len(vocabulary)), np.float32)
    for row, found in zip(there, own, strict=True):
        row[[vocabulary[word] for word in found]] = 1
    return _unit(there * np.log(len(own) / np.maximum(there.sum(axis=0), 1)))


def same_ink(small: np.ndarray) -> np.ndarray:
    """Cosines (n, n) of small pictures (n, h, w, 3) as ink on white: 1 where one is a lighter print of the other."""
    ink = _unit(_ink(small))
    return ink @ ink.T


def _ink(small: np.ndarray) -> np.ndarray:
    return 255 - small.reshape(len(small), -1).astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
