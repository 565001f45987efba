"""One training, gallery or refit over several processes or machines, with the numbers of one process."""
