"""A trained model as one object: train, save, load, embed, index, search, refit and evaluate pairs of one's own."""

from xmlib.retriever.retriever import Retriever
from xmlib.retriever.search_index import SearchIndex

__all__ = ["Retriever", "SearchIndex"]
