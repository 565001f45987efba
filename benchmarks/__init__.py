"""Measurements of speed and memory, one script a subject: `python -m benchmarks` runs all of them."""
