"""A run from its parameters to its record, and what is done with records."""
