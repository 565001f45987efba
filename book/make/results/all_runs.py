"""Every run that has a record, and what all of them took, part of `book.make`."""

import re
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from book.make.results.findings import NAMES
from book.make.results.runs import PROFILES, Runs, grouped, place
from book.make.results.tables import filled
from book.make.sources import anchor
from xmlib import evaluate, paths
from xmlib.runs import records

WATTS = 10  # of a busy core of a server, memory and cooling included: a round number, no measurement
SECONDS_AN_HOUR = 3600


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown: a line for what was run, with every seed of it, and the sums."""
    shown = [record for record in found if record["profile"] in PROFILES]
    return {
        "all_runs.md": filled("all_runs", {"lines": [line(runs) for runs in grouped(shown, _line).values()]}),
        "cost.md": filled("cost", costs, shown),
    }


def costs(shown: Sequence[dict]) -> dict[str, Any]:
    """What fills the template of time and energy."""
    return {"rows": cost(shown), "watts": WATTS}


def _line(record: dict) -> tuple:
    """What the seeds of a line share, in the order of the lines."""
    names = (record.get(name) or "" for name in ("dataset", "variant", "method"))
    return *names, PROFILES.index(record["profile"])


def line(runs: Runs) -> dict[str, Any]:
    """What a line says of the runs that differ in their seed alone."""
    files = {record["seed"]: records.file_name(record) for record in runs}
    return {
        "run": runs.first,
        "data": NAMES.get(runs.first["dataset"], runs.first["dataset"]),
        "seeds": {seed: {"file": file, "anchor": anchor(file)} for seed, file in files.items()},
        "mrrs": [runs.mean("metrics", way, "mrr") for way in evaluate.DIRECTIONS],
        "seconds": runs.mean("wall_seconds"),
        "older": [record["seed"] for record in runs if records.stale(record)],
    }


def cost(found: Sequence[dict]) -> list[dict[str, Any]]:
    """A row for each data set, profile and method: runs, days, seconds of a core, the longest, memory, energy."""

    def key(record: dict) -> tuple:
        return record["dataset"], PROFILES.index(record["profile"]), place(record["method"])

    rows = []
    days = committed({record["commit"] for record in found})
    for (dataset, profile, (_, method)), runs in grouped(found, key).items():
        seconds = np.array([record["wall_seconds"] for record in runs])
        busy = np.array([record["wall_seconds"] * record["machine"]["threads"] for record in runs])
        rows.append(
            {"data": NAMES.get(dataset, dataset), "profile": PROFILES[profile], "method": runs.title, "runs": len(runs)}
            | {"name": method, "seconds": float(busy.sum()), "longest": float(seconds.max())}
            | {"memory": max(record["peak_memory_mb"] for record in runs)}
            | {"watt_hours": float(busy.sum()) / SECONDS_AN_HOUR * WATTS}
            | {"days": sorted({days[record["commit"]] for record in runs if record["commit"] in days})}
            | {"machines": sorted({record["machine"]["processor"] for record in runs})}
        )
    return rows


def committed(commits: Iterable[str]) -> dict[str, str]:
    """Commit of a record, with its `+` → the day that it was made, year-month-day; without those not known here."""
    plain = {commit: commit.rstrip("+") for commit in commits if re.fullmatch(r"[0-9a-f]{7,40}\+?", commit)}
    if not plain:
        return {}  # without a name git would say the newest one
    command = ["git", "log", "--no-walk", "--ignore-missing", "--format=%H %cs", *sorted(set(plain.values()))]
    try:
        run = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    days = dict(line.split() for line in run.stdout.splitlines())
    found = ((commit, day) for commit, short in plain.items() for full, day in days.items() if full.startswith(short))
    return dict(found)
