"""What the book shows of the benchmarks: every claim on speed and memory with its goal, part of `book.make`.

The records are those that `make bench ARGS=--keep` writes to benchmarks/records, one a script; `benchmarks.common`
says what is in them.
"""

import json
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from book.make import markdown
from book.make.results import tables
from xmlib import paths
from xmlib.errors import InputError

FOLDER = paths.ROOT / "benchmarks" / "records"
FORMAT = 1
MET, MISSED, FREE = "#0072B2", "#D55E00", "#777777"  # colours of a ratio: goal reached, missed, nothing promised
COLUMNS = ["Claim", "Setting", "Ours", "Other", "Ratio", "Goal"]
NONE = "No benchmark is committed yet; `make bench ARGS=--keep` makes the records.\n"


def load(folder: Path = FOLDER) -> list[dict]:
    """The records of the benchmarks, by name of their scripts; `InputError` for a file that is none."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is broken JSON ({error}): measure again with `make bench ARGS=--keep`.") from None
        if not isinstance(record, dict) or record.get("format") != FORMAT or not record.get("rows"):
            raise InputError(f"{path} is not a record of a benchmark: measure again with `make bench ARGS=--keep`.")
        found.append(record)
    return found


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown: the verdict in one paragraph, and a section a script."""
    sections = "\n".join(section(record) for record in found)
    return {"speed_verdict.md": verdict(found), "speed.md": sections or NONE}


def pictures(found: Sequence[dict], draw: Callable[[Callable], bytes]) -> dict[str, bytes]:
    """File name → SVG: the ratios of every script."""
    return {f"speed-{record['script']}.svg": draw(lambda: ratios(record["rows"])) for record in found}  # noqa: B023


def verdict(found: Sequence[dict]) -> str:
    """How many claims reach their goal, and which do not."""
    promised = [row for record in found for row in record["rows"] if row["goal"] is not None]
    if not promised:
        return NONE
    missed = [row for row in promised if not row["met"]]
    text = f"{len(promised) - len(missed)} of {len(promised)} claims with a goal reach it."
    names = [f"{markdown.escape(row['claim'])} ({markdown.escape(row['setting'])})" for row in missed]
    return f"{text} Missed: {'; '.join(names)}.\n" if missed else f"{text}\n"


def section(record: dict) -> str:
    """Heading, machine and date, figure and table of one script."""
    low, high = min(r["ratio"] for r in record["rows"]), max(r["ratio"] for r in record["rows"])
    drawn = markdown.figure(
        f"speed-{record['script']}",
        f"Dots on a logarithmic axis, one a claim: ratios from {significant(low)} to {significant(high)}.",
        f"{record['title']}: how many times as fast, or as small, ours is. Bars: quartiles over turns; tick: the goal.",
    )
    notes = dict.fromkeys(f"{row['setting']}: {row['note']}." for row in record["rows"] if row["note"])
    about = f"`python -m benchmarks.{record['script']}`, {record['date']}, {tables.machine(record)}.\n"
    table = markdown.table(COLUMNS, map(cells, record["rows"]), right=COLUMNS[2:])
    parts = [
        f"## {markdown.escape(record['title'])}\n",
        about,
        drawn,
        table,
        *([" ".join(notes) + "\n"] if notes else []),
    ]
    return "\n".join(parts)


def cells(row: dict) -> list[str]:
    """The cells of a claim."""
    goal = "" if row["goal"] is None else f"{significant(row['goal'])}{'' if row['met'] else ', **missed**'}"
    low, high = map(significant, row["spread"])
    shown = [amount(row[name], row["unit"]) for name in ("ours", "other")]
    return [
        markdown.escape(row["claim"]),
        markdown.escape(row["setting"]),
        *shown,
        ratio(row["ratio"], low, high),
        goal,
    ]


def ratio(value: float, low: str, high: str) -> str:
    """`1.31 [1.29, 1.36]`; without brackets where there was one turn."""
    return significant(value) if low == high else f"{significant(value)} [{low}, {high}]"


def amount(value: float, unit: str) -> str:
    """`6.2 ms`, `1.3 s`, `812 MiB`, with three significant digits."""
    if unit == "s" and value < 1:
        return f"{significant(1000 * value)} ms"
    return f"{significant(value)} {unit}"


def significant(value: float) -> str:
    """Three significant digits without an exponent: `0.0123`, `1.23`, `12300`."""
    return f"{float(f'{value:.3g}'):.10g}"


def ratios(rows: Sequence[dict], ax: Axes | None = None) -> Axes:
    """A dot a claim on a logarithmic axis, with its quartiles, a tick at its goal, and a line where both are equal."""
    ax = ax or plt.subplots(figsize=(7, 0.9 + 0.55 * len(rows)))[1]
    for place, row in enumerate(rows):
        color = FREE if row["goal"] is None else MET if row["met"] else MISSED
        ax.plot(row["spread"], [place, place], color=color, linewidth=4, alpha=0.4, solid_capstyle="butt")
        ax.plot(row["ratio"], place, "o", color=color, markersize=6)
        if row["goal"] is not None:
            ax.plot(row["goal"], place, "|", color="black", markersize=14, markeredgewidth=1.4)
    ax.axvline(1, color="#999999", linewidth=1, zorder=0)
    names = [f"{textwrap.shorten(row['claim'], 60, placeholder=' …')}\n{row['setting']}" for row in rows]
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.set(xscale="log", xlabel="ratio other / ours (right of the line ours is ahead)", ylim=(len(rows) - 0.5, -0.5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: significant(value)))
    low, high = ax.get_xlim()
    if high / low < 30:  # decades alone would leave the axis almost without numbers
        ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_minor_locator(NullLocator())
    return ax
