"""What the benchmarks share: two computations timed in turn, claims with their goals, and the record of a script.

A script measures its claims in a function without arguments that returns rows made by `claim`, and ends with

    if __name__ == "__main__":
        sys.exit(common.main(__doc__, measure))

It is run as `python -m benchmarks.NAME` from the root of the repository, prints a table and, with `--json FILE`, writes
its record. A goal that is missed is said and changes nothing else: the exit status is 0 whenever the script could
measure. A script takes at most two minutes, so that all of them take less than fifteen.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypedDict

import psutil
import torch

from book.make.markdown import amount, significant
from book.make.results.speed import FORMAT
from xmlib.files import write_text
from xmlib.runs import records

LEAST_MB = 1.0  # growth below that is lost among the pages of the process, and counts as that
LEAST = f"growth of a process by less than {LEAST_MB:.0f} MiB counts as {LEAST_MB:.0f} MiB"
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")


class Timing(TypedDict):
    """Medians of what two computations cost, their ratio and its quartiles."""

    ours: float
    other: float
    ratio: float  # the median over the turns of other / ours: how many times as fast, or as small, ours is
    spread: list[float]  # first and third quartile of that ratio


class Row(Timing):
    """One claim in one setting, as it stands in a record."""

    claim: str  # what is compared with what: "CCA layer against an SVD with autograd, forward and backward"
    setting: str  # "n = 1000, d = 32, float32, one thread"
    unit: str  # of `ours` and `other`: "s" or "MiB"
    goal: float | None  # the least ratio that is wanted; None where nothing was promised
    met: bool  # True where nothing was promised
    note: str  # what a reader has to know besides, such as the largest difference of the two results


def paired(
    ours: Callable[[], Any],
    other: Callable[[], Any],
    turns: int = 7,
    passes: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> Timing:
    """The cost of two computations that take turns, each first in every other turn, so that a busy machine slows both.

    Both run once before the clock starts. A turn is `passes` calls of each, for what takes less than some milliseconds;
    the times are those of one call. `clock`: processor time of this process, which other programs change little; take
    `time.perf_counter` where other processes do the work.
    """
    ours(), other()
    spent: dict[str, list[float]] = {"ours": [], "other": []}
    for turn in range(turns):
        order = [("ours", ours), ("other", other)]
        for name, compute in order if turn % 2 == 0 else reversed(order):
            start = clock()
            for _ in range(passes):
                compute()
            spent[name].append((clock() - start) / passes)
    return compared(spent["ours"], spent["other"])


def compared(ours: Sequence[float], other: Sequence[float]) -> Timing:
    """Medians, ratio and quartiles of measurements, seconds or MiB, the same number of each, in pairs of one turn."""
    ratios = [b / max(a, 1e-9) for a, b in zip(ours, other, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else 3 * ratios
    return {
        "ours": statistics.median(ours),
        "other": statistics.median(other),
        "ratio": statistics.median(ratios),
        "spread": [low, high],
    }


def claim(name: str, setting: str, timing: Timing, goal: float | None = None, unit: str = "s", note: str = "") -> Row:
    """The row of a claim: `timing` in one setting, held against the least ratio other / ours that is wanted.

    For "no more than a third slower" the goal is 1 / 1.33; for a limit, such as 1024 MiB, `other` is the limit and the
    goal is 1.
    """
    met = goal is None or timing["ratio"] >= goal
    return {**timing, "claim": name, "setting": setting, "unit": unit, "goal": goal, "met": met, "note": note}


def apart(function: Callable, *arguments: Any, environment: dict[str, str] | None = None) -> Any:
    """What a function of a benchmark returns in a fresh process, for peaks of memory, which never fall again.

    `environment`: variables that this process has besides; the function must be one of a module, not a lambda.
    """
    with _environment(environment or {}), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def growth(compute: Callable[[], Any]) -> float:
    """How many MiB the memory of this process rises above what it held before; call it by `apart`, on Linux.

    Kept by the kernel for this program alone, unlike `getrusage`, whose peak begins with that of the parent process.
    """
    before = psutil.Process().memory_info().rss / 2**20
    compute()
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return max(int(peak.split()[1]) / 2**10 - before, LEAST_MB)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def record(
    script: str, title: str, rows: Sequence[Row], seconds: float, packages: Sequence[str] = PACKAGES
) -> dict:  # fmt: skip
    """What a script writes: its rows, and where, when and with what they were measured."""
    return {
        "format": FORMAT,
        "script": script,
        "title": title,
        "date": datetime.date.today().isoformat(),
        "machine": records.machine(torch.device("cpu")),
        "packages": {name: importlib.metadata.version(name) for name in packages},
        "commit": records.commit(),
        "seconds": round(seconds, 1),
        "rows": list(rows),
    }


def table(rows: Sequence[Row]) -> str:
    """The rows as text, one claim a paragraph, with a line for every goal that is missed."""
    lines = []
    for row in rows:
        ours, other = (amount(row[name], row["unit"]) for name in ("ours", "other"))
        low, high = (significant(end) for end in row["spread"])
        goal = "" if row["goal"] is None else f"; goal {significant(row['goal'])}{'' if row['met'] else ': MISSED'}"
        lines.append(f"{row['claim']}\n  {row['setting']}")
        lines.append(f"  {ours} against {other}: ratio {significant(row['ratio'])} [{low}, {high}]{goal}")
        lines += [f"  {row['note']}"] if row["note"] else []
    return "\n".join(lines)


def main(
    doc: str,
    measure: Callable[[], Sequence[Row]],
    arguments: Sequence[str] | None = None,
    packages: Sequence[str] = PACKAGES,
    threads: int = 1,
) -> int:
    """Command line of a script: measures, prints the table, writes the record where asked; returns 0."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record there")
    options = parser.parse_args(arguments)
    torch.set_num_threads(threads)
    start = time.perf_counter()
    rows = measure()
    print(table(rows))
    if options.json:
        script = Path(sys.argv[0]).stem
        title = doc.splitlines()[0].partition(":")[0].rstrip(".")
        made = record(script, title, rows, time.perf_counter() - start, packages)
        write_text(options.json, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    return 0
