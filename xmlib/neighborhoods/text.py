"""Texts as vectors: cleaning with gensim's filters, and Doc2Vec (released code of Thomas and Kovashka, 2020)."""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from gensim.models.doc2vec import Doc2Vec, TaggedDocument, train_document_dm
from gensim.parsing import preprocessing

from xmlib.errors import InputError

SENTENCES = 2  # of each text, the first ones; the released code takes no more
SMALL = 600_000  # texts; below it 50 epochs as the readme advises for COCO, whose captions are slightly fewer
SHOWN = 5  # ids named in a message

# The end of a sentence is a stop, marks that close a quotation, a space, and then anything but a small letter.
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[^a-z\s])")
# No end: a title or another usual abbreviation, or an initial as in "J. S. Bach" and "U.S. Senate".
_ABBREVIATED = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|gen|sen|rep|gov|lt|col|sgt|rev|hon|no|vs|etc|inc|ltd|co|corp|fig|e\.g|i\.e"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)|\b[a-z])\.$",
    re.IGNORECASE,
)
_TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, by a small rule for English that needs no downloaded model.

    A sentence ends at `.`, `!`, `?` or `…` before a space and anything but a small letter, unless the stop belongs to
    a usual abbreviation or an initial. The readme of the released code lists NLTK, whose splitter is a download.
    """
    found, start = [], 0
    for end in _END.finditer(text):
        if not _ABBREVIATED.search(text[start : end.start()]):
            found.append(text[start : end.end()].strip())
            start = end.end()
    return [sentence for sentence in [*found, text[start:].strip()] if sentence]


def words(text: str, limit: int = SENTENCES) -> list[str]:
    """The words that are left of a text's first `limit` sentences (0: of all), lower case and ascii.

    Accents are dropped with everything else beyond ascii; then tags, punctuation, gensim's stop words and words of
    fewer than three letters go. Tags go before the sentences are counted, since a tag may hold a stop.
    """
    text = preprocessing.strip_tags(text.translate(_TYPOGRAPHIC))
    text = " ".join(sentences(text)[:limit] if limit else [text])
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    text = preprocessing.remove_stopwords(preprocessing.strip_punctuation(text))
    return preprocessing.strip_short(text).split()


def cleaned(texts: Sequence[str], ids: Sequence[str] | None = None, limit: int = SENTENCES) -> list[list[str]]:
    """The words of every text. Raises `InputError` where texts are empty after cleaning, with their number and ids.

    `ids`: names of the texts for that message; without them their numbers, from 0.
    """
    result = [words(text, limit) for text in texts]
    empty = [str(ids[i] if ids is not None else i) for i, found in enumerate(result) if not found]
    if empty:
        raise InputError(
            f"{len(empty)} of {len(result)} texts hold no word after cleaning, first {', '.join(empty[:SHOWN])}: "
            "leave these items out, or give them texts with words of three letters at least that are not stop words."
        )
    return result


def default_settings(n: int) -> dict[str, int]:
    """Doc2Vec's settings for `n` training texts: those of the released code, scaled down for small sets.

    Released: 200 dimensions, window 20, words seen 20 times at least, 50 epochs (20 in the paper, by a comment there).
    On fewer than 10,000 texts a word need only be seen once in 500 texts, and twice at least: with the released 20
    most words of a small set would be unknown.
    """
    return dict(vector_size=200, window=20, min_count=min(20, max(2, n // 500)), epochs=50 if n < SMALL else 20)


def doc2vec(documents: Sequence[list[str]], seed: int = 1, workers: int = 1, **settings: Any) -> Doc2Vec:
    """Doc2Vec (distributed memory) trained on cleaned training texts; see `default_settings`, which `settings` change.

    One worker gives the same model each time and in each process. Several are faster, but take the texts in an order
    that changes from run to run. Raises `InputError` for texts that are all the same and where no word is frequent
    enough.
    """
    if len({tuple(document) for document in documents}) < 2:
        raise InputError(
            f"All {len(documents)} texts are the same after cleaning, so none is nearest: give different texts."
        )
    chosen = default_settings(len(documents)) | settings
    total = sum(map(len, documents))
    model = Doc2Vec(
        seed=seed, workers=workers,
        hashfxn=stable_hash,  # Python's own hash of a string differs from process to process
        batch_words=min(10_000, max(100, total // (20 * workers))),  # the rate falls once a batch: not in few steps
        **chosen,
    )  # fmt: skip
    tagged = [TaggedDocument(document, [i]) for i, document in enumerate(documents)]
    model.build_vocab(tagged)
    if not len(model.wv):
        raise InputError(
            f"No word is seen {chosen['min_count']} times in {len(documents)} texts: lower min_count or add texts."
        )
    model.train(tagged, total_examples=model.corpus_count, epochs=model.epochs)
    return model


def infer(model: Doc2Vec, documents: Sequence[list[str]], seed: int = 1) -> np.ndarray:
    """Doc2Vec's inferred vectors (n, size) of cleaned texts, float32: each from its words and `seed` alone.

    So neither the order of the texts nor the process matters, and equal texts get equal vectors. gensim's own
    `infer_vector` starts from Python's hash, which changes with the process, and goes on with the random state that
    the text before left behind.
    """
    return np.stack([_infer_one(model, document, seed) for document in documents])


def _infer_one(model: Doc2Vec, document: list[str], seed: int) -> np.ndarray:
    own = [seed, stable_hash(" ".join(document))]
    size = model.vector_size
    vector = ((np.random.default_rng(own).random((1, size)) - 0.5) / size).astype(np.float32)  # gensim's own range
    before, model.random = model.random, np.random.RandomState(own)  # draws windows and negatives
    work, sums = np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
    for alpha in np.linspace(model.alpha, model.min_alpha, model.epochs):
        train_document_dm(
            model, document, [0], alpha, work, sums,
            learn_words=False, learn_hidden=False, doctag_vectors=vector, doctags_lockf=np.ones(1, dtype=np.float32),
        )  # fmt: skip
    model.random = before
    return vector[0]


def known(model: Doc2Vec, documents: Sequence[list[str]]) -> np.ndarray:
    """Whether each text has a word of the vocabulary, (n,) bool; the vector of one that has none says nothing."""
    return np.array([any(word in model.wv for word in document) for document in documents])


def stable_hash(text: str) -> int:
    """A hash of a text that is the same in every process, 32 bits."""
    return zlib.crc32(text.encode())
