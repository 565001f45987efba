"""Cross-modal retrieval through CCA: the library behind the book."""
