"""Where things live; the only place that knows folders."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("XMLIB_DATA", ROOT / "data"))  # caches of built data sets
RUNS = Path(os.environ.get("XMLIB_RUNS", ROOT / "runs"))  # checkpoints, one folder a run
NOTEBOOKS = ROOT / "notebooks"
RECORDS = ROOT / "book" / "records"
RESULTS = ROOT / "book" / "results"
GENERATED = ROOT / "book" / "_generated"  # fragments and figures made from records
