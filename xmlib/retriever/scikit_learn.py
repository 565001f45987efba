"""The retriever as an estimator of scikit-learn: `fit(X, y)`, `transform`, `score(X, y)`, in pipelines and searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from xmlib.data.preparation import for_items
from xmlib.errors import InputError
from xmlib.retriever.retriever import Retriever


class TwoViewRetriever(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Embeds two views into one space; the parameters are those of `Retriever.train`, as is what it raises.

    `X` and `y`, the second view: rows of numbers, dense or sparse, or texts; row i of one belongs to row i of the
    other. It is called `y`, as in scikit-learn's own CCA, since searches and pipelines pass it by that name.
    After `fit`, `retriever_` is the `Retriever`, which saves, indexes and searches.
    """

    def __init__(
        self,
        method: str = "ccal_cont",
        d: int = 0,
        batch: int = 0,
        epochs: int = 0,
        validation: float = 0.1,
        seed: int = 1,
        device: str = "cpu",
    ):
        self.method, self.d, self.batch, self.epochs = method, d, batch, epochs
        self.validation, self.seed, self.device = validation, seed, device

    def fit(self, X: Any, y: Any, groups: Sequence | None = None) -> TwoViewRetriever:
        """This estimator, trained. `groups`, (n,): pairs that stay together when some are held out."""
        X = self._checked(X, reset=True)
        self.retriever_ = Retriever.train(X, _second(y), groups=groups, **self.get_params())
        self._n_features_out = self.retriever_.settings.k or self.retriever_.settings.d
        return self

    def transform(self, X: Any, y: Any = None) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Unit-length embeddings (n, k) of X, or with `y` those of both views."""
        check_is_fitted(self)
        x = self.retriever_.embed1(self._checked(X, reset=False))
        return x if y is None else (x, self.retriever_.embed2(_second(y)))

    def score(self, X: Any, y: Any) -> float:
        """The mean reciprocal rank of the right partner among all items, averaged over both directions."""
        check_is_fitted(self)
        found = self.retriever_.evaluate(self._checked(X, reset=False), _second(y))
        return float(np.mean([metrics["mrr"] for metrics in found.values()]))

    def _checked(self, X: Any, reset: bool) -> Any:
        """X as scikit-learn wants it, if it is numbers; texts and paths are left to their preparation."""
        if isinstance(X, list | tuple | np.ndarray) and for_items(X).kind != "numbers":
            return X
        return validate_data(self, X, accept_sparse=True, reset=reset, ensure_min_samples=2 if reset else 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.string = True
        tags.target_tags.required = tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = []  # embeddings are float32
        return tags


def _second(y: Any) -> Any:
    """The second view as it is, or as an array where it can only become one."""
    if y is None:
        raise InputError("TwoViewRetriever requires y to be passed, but the target y is None: give the second view.")
    return np.asarray(y) if hasattr(y, "__array__") and not hasattr(y, "shape") else y
