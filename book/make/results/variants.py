"""Runs on sheet music and sound that differ from their profile in one thing or several: what, and what came of it."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from book.make import markdown
from book.make.results.runs import rivals_of_variants, title
from xmlib.data import audio_score
from xmlib.evaluate import DIRECTIONS
from xmlib.profiles import Settings, settings
from xmlib.show.units import duration

SILENT = {"curve_n", "patience", "refinements", "refine_patience"}  # nothing to see of them in an annealed run


def table(found: Sequence[dict]) -> str:
    """One row a variant and method, the usual runs of the profile above; empty where there is no variant."""
    rows = []
    for records in rivals_of_variants(found):
        first = records[0]
        scores = [np.mean([r["metrics"][way]["mrr"] for r in records]) for way in DIRECTIONS]
        cells = [float(np.mean([r["valid_mrr"] for r in records])), *map(float, scores)]
        rows.append(
            [
                title(first["method"]),
                markdown.escape(first.get("variant") or "–"),
                markdown.escape(", ".join(differences(first)) or "–"),
                str(len(records)),
                "–".join(map(str, sorted({len(r["history"]) for r in records}))),
                duration(float(np.mean([r["wall_seconds"] for r in records]))),
                *map(markdown.number, cells),
            ]
        )
    arrows = [f"Test MRR {arrow}" for arrow in DIRECTIONS.values()]
    header = ["Method", "Variant", "Differs in", "Seeds", "Epochs", "Time a run", "Validation MRR", *arrows]
    return markdown.table(header, rows, right=header[6:]) if rows else "No variant has been run.\n"


def differences(record: dict) -> list[str]:
    """What the run had otherwise than its profile has today, a few words each."""
    today, made = asdict(settings(record["profile"])), asdict(Settings()) | record["settings"]
    told = [f"{name} {_shown(made[name])}" for name in today if name not in SILENT and made[name] != today[name]]
    size = audio_score.PROFILES[record["profile"]]
    if record["data"]["train"] != size.train:
        told.append(f"{record['data']['train']:,} pairs")
    if (played := record["data"].get("settings", {}).get("renderings", 1)) > 1:
        told.append(f"renderings {played}")
    return told


def _shown(value: object) -> str:
    return f"{value:g}" if type(value) in (int, float) else str(value)
