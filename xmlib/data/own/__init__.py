"""Pairs of one's own: tables, folders and the files of known collections."""
