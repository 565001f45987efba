"""A user's pairs: tables, folders and the files of known collections."""
