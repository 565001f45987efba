"""The three methods on chorales, in place of tunes, part of `book.make`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from book.make.results.runs import Runs, baselines, differences, grouped, place
from book.make.results.tables import WAYS, filled, together
from xmlib import evaluate

VARIANTS = ("chorales", "chorales_augmented")


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown."""
    there = [runs for name in VARIANTS if (runs := of_variant(found, name))]
    return {"chorales.md": filled("chorales", values, there) if there else filled("chorales_missing", {})}


def of_variant(found: Sequence[dict], variant: str) -> list[Runs]:
    """Its runs, by method."""
    kept = [r for r in found if (r["dataset"], r["profile"], r.get("variant")) == ("audio_score", "medium", variant)]
    return list(grouped(kept, lambda record: place(record["method"])).values())


def values(found: Sequence[Sequence[Runs]]) -> dict[str, Any]:
    """What fills the template: a table for each variant."""
    return {"tables": [_table(runs) for runs in found], **WAYS}


def _table(runs: Sequence[Runs]) -> dict[str, Any]:
    """The runs of a variant, linear CCA and chance on the same pairs, and the paired differences."""
    columns = [differences(runs, way) for way in evaluate.DIRECTIONS]
    both = [difference for column in columns for difference in column]
    return {
        "runs": runs,
        "data": runs[0].first["data"],
        "groups": len(set(runs[0].first["data"]["test_groups"])),
        "baselines": baselines(runs[0].first),
        "differences": list(zip(*columns, strict=True)),
        "together": together([d.interval for d in both], [d.p for d in both]),
    }
