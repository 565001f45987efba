"""Texts of pictures: cleaned, and as tf-idf weights of the words that training texts use."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from xmlib.errors import InputError

VERSION = 1  # raise it when a text or its weights may come out differently
WORD = re.compile(r"[a-z0-9]+")
CODE = re.compile(r"u?[0-9a-f]{4,6}")  # a code point in hexadecimal, no word (when it has a digit)
LEFT_OUT = {
    "a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "is", "it", "its", "of", "on", "or", "s", "the",
    "to", "with",
}  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a text: lower case, accents taken off, split at everything but letters and digits."""
    plain = unicodedata.normalize("NFKD", text).replace("’", "'").replace("'s ", " ")
    plain = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    found = WORD.findall(plain)
    return [w for w in found if w not in LEFT_OUT and not (CODE.fullmatch(w) and re.search(r"\d", w))]


def join(title: str, keywords: Iterable[str]) -> str:
    """The title and, after a colon, every word of the keywords that it does not have; no word twice.

    `_`, non-breaking and doubled spaces become plain spaces. Example: "paw prints: feet paw print animal".
    """
    title = " ".join(unicodedata.normalize("NFKC", title).replace("_", " ").split())
    known = dict.fromkeys(words(title))
    more = [w for w in dict.fromkeys(w for keyword in keywords for w in words(keyword)) if w not in known]
    return f"{title}: {' '.join(more)}" if more else title


def tfidf(training: Sequence[str], *others: Sequence[str], least: int = 2) -> tuple[list[np.ndarray], list[str]]:
    """The tf-idf matrices of training and other texts, (n, words) float32 with rows of length 1, and the vocabulary.

    Vocabulary and weights come from the training texts alone: words in at least `least` of them, weighted by
    ln((1 + n)/(1 + texts with the word)) + 1, as scikit-learn does (which takes a second to import). A text without a
    known word is a row of zeros. Raises InputError when no word is left.
    """
    found = Counter(word for text in training for word in set(words(text)))
    vocabulary = sorted(word for word, count in found.items() if count >= least)
    if not vocabulary:
        raise InputError(
            f"no word is in at least {least} of the {len(training)} training texts, so that the vocabulary is empty; "
            "give longer texts, or more of them."
        )
    rare = [math.log((1 + len(training)) / (1 + found[word])) + 1 for word in vocabulary]
    return [_weigh(some, vocabulary, np.array(rare)) for some in (training, *others)], vocabulary


def _weigh(some: Sequence[str], vocabulary: Sequence[str], rare: np.ndarray) -> np.ndarray:
    """(n, words) float32: how often each word is in a text, times how rare it is, each row of length 1."""
    column = {word: i for i, word in enumerate(vocabulary)}
    weights = np.zeros((len(some), len(vocabulary)))
    for row, text in zip(weights, some, strict=True):
        for word in words(text):
            if word in column:
                row[column[word]] += rare[column[word]]
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    return (weights / np.where(lengths > 0, lengths, 1)).astype(np.float32)
