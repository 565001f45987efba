"""Semantic neighbourhoods: nearest texts, angular N-pairs losses, their training and study."""
