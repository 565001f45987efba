"""A trained model as one object: train, save, load, embed, index, search, refit and evaluate pairs of one's own."""

from typing import TYPE_CHECKING, Any

from xmlib.retriever.retriever import Retriever
from xmlib.retriever.search_index import SearchIndex

if TYPE_CHECKING:
    from xmlib.retriever.scikit_learn import TwoViewRetriever

__all__ = ["Retriever", "SearchIndex", "TwoViewRetriever"]


def __getattr__(name: str) -> Any:
    """`TwoViewRetriever`, imported when it is asked for, since scikit-learn takes as long to import as PyTorch."""
    if name != "TwoViewRetriever":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from xmlib.retriever.scikit_learn import TwoViewRetriever

    return TwoViewRetriever
