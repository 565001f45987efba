"""How many bad inputs the tables in this folder hold."""

import importlib
from pathlib import Path

from bad_inputs import Bad

TABLES = sorted(path.stem for path in Path(__file__).parent.glob("test_bad_*.py"))


def rows():
    """Every row, with the door it stands at."""
    for module in TABLES:
        for table in vars(importlib.import_module(module)).values():
            if isinstance(table, list) and table and isinstance(table[0], Bad):
                yield from ((module, row.name) for row in table)


def test_at_least_200_different_inputs_are_tried():
    found = list(rows())
    assert len(found) == len(set(found)) >= 200
