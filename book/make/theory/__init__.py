"""Figures and fragments of the theory chapters, from synthetic pairs."""
