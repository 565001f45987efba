"""What the book shows of the benchmarks: every claim on speed and memory with its goal, part of `book.make`.

The records are those that `make bench ARGS=--keep` writes to benchmarks/records, one a script; `benchmarks.common`
says what is in them.
"""

import json
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from book.make.markdown import significant
from book.make.results.tables import filled
from book.show.drawings import Drawing
from xmlib import paths
from xmlib.errors import InputError

FOLDER = paths.ROOT / "benchmarks" / "records"
FORMAT = 1
MET, MISSED, FREE = "#0072B2", "#D55E00", "#777777"  # colours of a ratio: goal reached, missed, nothing promised


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
    return {"speed_verdict.md": filled("speed_verdict", verdict, found), "speed.md": filled("speed", sections, found)}


def pictures(found: Sequence[dict], draw: Callable[[Callable], Drawing]) -> dict[str, Drawing]:
    """File name → SVG: the ratios of every script."""
    return {f"speed-{record['script']}.svg": draw(partial(ratios, record["rows"])) for record in compared(found)}


def verdict(found: Sequence[dict]) -> dict:
    """The claims that have a goal, and what all scripts took that `make bench` runs."""
    seconds = sum(record["seconds"] for record in found if record["script"] != "whole")
    promised = [row for record in found for row in record["rows"] if row["goal"] is not None]
    return {"promised": promised, "minutes": seconds / 60}


def sections(found: Sequence[dict]) -> dict:
    """The scripts that compare two ways, each with its claims."""
    return {"scripts": compared(found)}


def compared(found: Sequence[dict]) -> list[dict]:
    """The records but for that of how costs grow, which compares two sizes and has a page of its own."""
    return [record for record in found if record["script"] != "scaling"]


def ratios(rows: Sequence[dict], ax: Axes | None = None) -> Axes:
    """A dot a claim on a logarithmic axis, with its quartiles, a tick at its goal, and a line where both are equal."""
    ax = ax or plt.subplots(figsize=(7, 0.9 + 0.35 * len(rows)))[1]
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
