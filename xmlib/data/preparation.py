"""How items of one view become the numbers that an encoder takes: fitted on training items, kept with the model.

A preparation is an object of the form `Preparation`. `KINDS` says where each kind is; a new one is a row there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, ClassVar, Protocol

import numpy as np
from scipy import sparse

from xmlib.data.texts import LEFT_OUT
from xmlib.errors import InputError

KINDS = {  # name → module and class, imported when it is needed
    "numbers": ("xmlib.data.preparation", "Numbers"),
    "texts": ("xmlib.data.preparation", "Texts"),
    "images": ("xmlib.data.pictures.preparation", "Images"),
    "audio": ("xmlib.data.own.sounds", "Sounds"),
    "prepared": ("xmlib.data.preparation", "Prepared"),
}
CHUNK = 1024  # items looked at together, which bounds the memory for a file larger than that
WORDS = 2048  # of tf-idf, the most frequent in training; as many as the released captions have
LEAST = 2  # training texts that a word must be in
CONSTANT = 1e-6  # of a column's size: a spread below that is rounding, and is not scaled up


class Preparation(Protocol):
    """What is done to the items of one view before its encoder.

    `items`: a sequence of n raw items that can be sliced and indexed by arrays or lists: an array, a sparse matrix, a
    list of texts or of paths. Everything that is learned comes from the items given to `fit`.
    """

    kind: ClassVar[str]
    shape: tuple[int, ...]  # of one prepared item; known after `fit` and `from_state`

    def fit(self, items: Any) -> Preparation:
        """This preparation, fitted on training items; raises `InputError` where they are unfit for training."""

    def transform(self, items: Any) -> Any:
        """The prepared items, (n, *shape) float32 or a CSR matrix of it; raises `InputError` for unfit ones."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a model folder keeps: settings that JSON can hold, and arrays by name. No code, no pickle."""

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> Preparation:
        """The preparation that gave this state."""


def of_kind(kind: str) -> type[Preparation]:
    """The class of a kind; raises `InputError` for one that is not there."""
    if kind not in KINDS:
        raise InputError(f"There is no kind of view {kind!r}; choose one of {', '.join(KINDS)}.")
    module, name = KINDS[kind]
    return getattr(import_module(module), name)


def for_items(items: Any) -> Preparation:
    """The unfitted preparation for items as they look: texts for strings, numbers for anything else."""
    return Texts() if _first(items) is not None else Numbers()


def take(items: Any, rows: Sequence[int] | np.ndarray) -> Any:
    """Those items, in that order: of an array or tensor, a sparse matrix, a pandas column or table, or a list."""
    if hasattr(items, "iloc"):
        return items.iloc[rows]
    if sparse.issparse(items):
        return items.tocsr()[rows]
    return items[rows] if hasattr(items, "shape") else [items[int(row)] for row in rows]


def count(items: Any) -> int:
    """How many items there are; raises `InputError` for what is no sequence of items."""
    if isinstance(items, str | bytes) or not (hasattr(items, "shape") or hasattr(items, "__len__")):
        raise InputError(f"A view is a sequence of items, but got one {type(items).__name__}: put it into a list.")
    if getattr(items, "shape", None) == ():
        raise InputError("A view is a sequence of items, but got a single number: put it into a list.")
    return items.shape[0] if hasattr(items, "shape") else len(items)


class Numbers:
    """Columns of mean 0 and variance 1 over the training items, (n, features); a constant column becomes 0.

    Fitted on a sparse matrix its columns are only scaled, and keep their mean: sparse items stay sparse then, and dense
    ones are treated alike.
    """

    kind: ClassVar[str] = "numbers"

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.mean, self.scale = np.zeros(0), np.ones(0)
        self.centred: bool | None = None  # of models saved by earlier versions: dense items are, sparse ones are not

    def fit(self, items: Any) -> Numbers:
        """The means and scales of training items; raises `InputError` for NaN, for text and for rows all equal."""
        n, self.shape, self.centred = count(items), (), not sparse.issparse(items)
        if n < 2:
            raise InputError(f"A view has {n} items to learn from, and two is the least: give more pairs.")
        self.mean = np.asarray(sum(np.asarray(chunk.sum(0)).ravel() for chunk in self._chunks(items))) / n
        spread = np.sqrt(sum(self._squares(chunk) for chunk in self._chunks(items)) / n)
        varies = spread > CONSTANT * np.abs(self.mean)
        if not varies.any():
            raise InputError(
                f"All {n} rows of a view are equal, so there is nothing to learn from: give other numbers."
            )
        self.scale = np.where(varies, spread, np.inf)  # divided by, so that a constant column becomes 0
        self.shape = self.mean.shape
        return self

    def _squares(self, chunk: Any) -> np.ndarray:
        """Sums of squared distances from the mean, (features,); zeros of a sparse matrix are not written out."""
        if not sparse.issparse(chunk):
            return np.square(chunk - self.mean).sum(0)
        stored = np.bincount(chunk.indices, np.square(chunk.data - self.mean[chunk.indices]), len(self.mean))
        return stored + (chunk.shape[0] - np.bincount(chunk.indices, minlength=len(self.mean))) * self.mean**2

    def transform(self, items: Any) -> Any:
        """(n, features) float32, dense or CSR as the items are; raises `InputError` for another width, NaN and text."""
        with np.errstate(over="ignore"):
            parts = [self._scaled(chunk) for chunk in self._chunks(items)]
        for number, part in enumerate(parts):
            if not np.isfinite(part.data if sparse.issparse(part) else part).all():
                raise InputError(
                    f"A view of numbers holds values among the items from {number * CHUNK} on that are too large for "
                    "float32 beside those of training: look at their units."
                )
        if not parts:
            return np.zeros((0, *self.shape), dtype=np.float32)
        return sparse.vstack(parts, format="csr") if sparse.issparse(parts[0]) else np.concatenate(parts)

    def _scaled(self, chunk: Any) -> Any:
        centred = not sparse.issparse(chunk) if self.centred is None else self.centred
        if sparse.issparse(chunk) and not centred:
            return chunk.multiply(1 / self.scale).tocsr().astype(np.float32)
        dense = chunk.toarray() if sparse.issparse(chunk) else chunk
        return ((dense - self.mean if centred else dense) / self.scale).astype(np.float32)

    def _chunks(self, items: Any) -> Iterator[Any]:
        n = count(items)
        if sparse.issparse(items):
            items = items.tocsr()
        for start in range(0, n, CHUNK):
            rows = items.iloc[start : start + CHUNK] if hasattr(items, "iloc") else items[start : start + CHUNK]
            yield self._checked(rows, start)

    def _checked(self, rows: Any, start: int) -> Any:
        """Those rows as numbers, (n, features), of the width of training and finite; `start`: number of the first."""
        rows = _numbers(rows, start)
        if rows.ndim == 1:
            rows = rows[:, None]
        if rows.ndim != 2 or (self.shape and rows.shape[1:] != self.shape):
            wanted = f"{self.shape[0]} numbers an item" if self.shape else "one row of numbers an item"
            raise InputError(f"A view of numbers has {wanted}, but got items of shape {rows.shape[1:]}.")
        bad = np.flatnonzero(~np.isfinite(np.asarray(rows.sum(1)).ravel()))  # a sum of finite float64 is finite here
        if len(bad):
            raise InputError(
                f"A view of numbers holds NaN or infinite values, first in item {start + bad[0]}: "
                "mend that item or leave it out."
            )
        return rows

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"centred": self.centred}, {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> Numbers:
        made = cls()
        made.mean, made.scale, made.shape = arrays["mean"], arrays["scale"], arrays["mean"].shape
        made.centred = settings.get("centred")
        return made


def _numbers(rows: Any, start: int) -> Any:
    if sparse.issparse(rows) and rows.dtype.kind in "fiub":
        return rows.tocsr().astype(np.float64)
    try:
        found = np.asarray(rows)
        if found.dtype.kind in "fiubO":
            return found.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise InputError(
        f"A view of numbers holds something else among the items from {start} on, such as {take(rows, [0])[0]!r:.60}: "
        "give rows of one width with numbers alone."
    )


class Texts:
    """Tf-idf weights of the words that training texts use, CSR of (n, words), rows of length 1.

    Words are runs of letters and digits of any script, in lower case, but for the commonest English ones
    (`texts.LEFT_OUT`); scripts without spaces (Chinese, Japanese, Thai) count by characters. `words`: how many are
    kept, the most frequent; `least`: training texts that a word must be in.
    """

    kind: ClassVar[str] = "texts"

    def __init__(self, words: int = WORDS, least: int = LEAST) -> None:
        self.words, self.least = words, least
        self.shape: tuple[int, ...] = ()

    def fit(self, items: Any) -> Texts:
        """Vocabulary and weights of training texts; raises `InputError` where these are equal, or no word is left."""
        from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second to import

        texts = _texts(items)
        if len(set(texts)) < 2:
            raise InputError(f"All {len(texts)} texts of a view are equal, so there is nothing to learn from.")
        counted = TfidfVectorizer(analyzer=tokens, min_df=min(self.least, len(texts)), max_features=self.words)
        try:
            counted.fit(texts)
        except ValueError:  # an empty vocabulary, or none of the words frequent enough
            raise InputError(
                f"No word is in at least {self.least} of the {len(texts)} training texts: give longer texts, more of "
                "them, or Texts(least=1)."
            ) from None
        self._keep(counted.get_feature_names_out().tolist(), counted.idf_)
        found = self.transform(texts)
        if abs(found - found[np.zeros(len(texts), dtype=int)]).max() == 0:
            raise InputError(
                f"All {len(texts)} training texts of a view are equal in the words that at least {self.least} of them "
                f"use ({', '.join(self.vocabulary[:3])}), so there is nothing to learn from: give longer texts or more."
            )
        return self

    def _keep(self, vocabulary: Sequence[str], weights: np.ndarray) -> Texts:
        self.vocabulary, self.weights, self.shape = list(vocabulary), np.asarray(weights), (len(vocabulary),)
        self._column = {word: i for i, word in enumerate(self.vocabulary)}
        return self

    def transform(self, items: Any) -> sparse.csr_matrix:
        """CSR (n, words) float32; a text without a known word is a row of zeros."""
        columns = [[self._column[word] for word in tokens(t) if word in self._column] for t in _texts(items)]
        ends = np.cumsum([0, *map(len, columns)])
        flat = np.array([c for one in columns for c in one], dtype=np.int64)
        counts = sparse.csr_matrix((self.weights[flat], flat, ends), (len(columns), *self.shape))
        counts.sum_duplicates()
        lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(1))).ravel()
        counts.data /= np.repeat(lengths, np.diff(counts.indptr))
        return counts.astype(np.float32)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        settings = {"words": self.words, "least": self.least, "vocabulary": self.vocabulary}
        return settings, {"weights": self.weights}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> Texts:
        return cls(settings["words"], settings["least"])._keep(settings["vocabulary"], arrays["weights"])


def tokens(text: str) -> list[str]:
    """The words of a text: runs of letters, marks and digits in lower case; one character each without spaces."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    found = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in plain).split()
    return [part for word in found if word not in LEFT_OUT for part in (word if _unspaced(word[0]) else [word])]


def _unspaced(character: str) -> bool:
    return "\u0e00" <= character <= "\u0eff" or "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff"


def _first(items: Any) -> str | None:
    """The first item if it is a text; None if not."""
    if sparse.issparse(items) or not count(items):
        return None
    first = items.iloc[0] if hasattr(items, "iloc") else items[0]
    return first if isinstance(first, str) else None


def _texts(items: Any) -> list[str]:
    if count(items) and (sparse.issparse(items) or np.ndim(items[0:1]) != 1):
        raise InputError("A view of texts holds rows of numbers: give one text an item.")
    found = list(items)
    for number, item in enumerate(found):
        if not isinstance(item, str):
            raise InputError(f"Item {number} of a view of texts is {item!r:.40}, not a text: mend it or leave it out.")
    return found


class Prepared:
    """Items that are float32 already, passed through: what a data set's own `View` gives."""

    kind: ClassVar[str] = "prepared"

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self.shape = tuple(shape)

    def fit(self, items: Any) -> Prepared:
        """The shape of one item."""
        self.shape = tuple(items.shape[1:])
        return self

    def transform(self, items: Any) -> np.ndarray:
        """The same items; raises `InputError` for another shape and for values that are not finite."""
        return as_features(items, self.shape)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"shape": list(self.shape)}, {}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> Prepared:
        return cls(settings["shape"])


def as_features(items: Any, shape: tuple[int, ...]) -> Any:
    """Items that were prepared elsewhere, (n, *shape) float32 or CSR; raises `InputError` for other shapes and NaN."""
    found = items.tocsr() if sparse.issparse(items) else np.asarray(items)
    if found.shape[1:] != shape or found.dtype.kind not in "fiub":
        raise InputError(
            f"Prepared items have numbers of shape {shape}, but got {found.dtype} of shape {found.shape[1:]}."
        )
    if not np.isfinite(found.data if sparse.issparse(found) else found).all():
        raise InputError("Prepared items hold NaN or infinite values: mend those items or leave them out.")
    return found.astype(np.float32)
