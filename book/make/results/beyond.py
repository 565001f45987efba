"""What the book says of more pairs, dimensions and processes than one machine has: measured laws, and what follows."""

import functools
import math
from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from book.make import agreement
from book.make.results.tables import filled
from xmlib import methods, profiles

PAIRS, EPOCHS, BATCH, GPUS = 1_000_000, 30, 1000, 8  # of the estimate
# Assumed of one GPU and of what joins eight: neither was measured here.
RATE, LINK, LATENCY = 1e13, 5e10, 5e-5  # floating-point operations and bytes a second, seconds of one all-reduce
NORMS = 2 * 2 * 9 * 2  # sums over processes a step: two a batch norm, nine a view, forward and backward


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown: laws, estimate, and what two processes differ in; nothing where a record is missing."""
    rows = next((record["rows"] for record in found if record["script"] == "scaling"), [])
    return {
        "beyond_laws.md": filled("beyond_laws", steps, rows),
        "beyond_estimate.md": filled("beyond_estimate", estimate, rows),
        "beyond_agreement.md": filled("beyond_agreement", agreement.told, agreement.kept()),
    }


def steps(rows: Sequence[dict]) -> dict:
    """The laws, and what the steps take of a whole."""
    return {"steps": laws(rows), **shares(rows)}


def laws(rows: Sequence[dict]) -> list[dict]:
    """Every step at its last doubling: how the cost grows, and the exponent that this is."""
    last = {row["claim"]: row for row in rows}
    return [row | {"exponent": math.log2(row["ratio"])} for row in last.values()]


def shares(rows: Sequence[dict]) -> dict[str, float]:
    """The layer's time beside that of the encoders for the same pairs, at the ends of the two rows of the layer."""
    last = {row["claim"]: row["other"] for row in rows}
    encoders = last.get("encoders, forward and backward, in pairs of a batch", math.nan) / 100  # seconds a pair
    narrow = last.get("CCA layer and ranking loss, in pairs of a batch", math.nan) / (800 * encoders)
    wide = last.get("CCA layer and ranking loss, in dimensions", math.nan) / (1100 * encoders)
    return {"narrow": narrow, "wide": wide}


def estimate(rows: Sequence[dict]) -> dict:
    """What a million pairs would take, from the operations of the released networks and the laws."""
    last = {row["claim"]: row for row in rows}
    operations, numbers = released()
    step = BATCH * operations / RATE
    travel = 2 * 4 * numbers / LINK + NORMS * LATENCY  # an all-reduce sends and receives every number
    steps = EPOCHS * PAIRS // BATCH
    by_law = ("exact ranks, in pairs", "statistics of a refit, in pairs")
    ranks, refit = (last.get(name, {}).get("other", math.nan) for name in by_law)
    return {
        "measured": bool(rows), "pairs": PAIRS, "epochs": EPOCHS, "batch": BATCH, "gpus": GPUS,
        "rate": RATE / 1e12, "link": LINK / 1e9,
        "operations": operations / 1e9, "numbers": numbers / 1e6, "one": steps * step,
        "eight": steps * (step / GPUS + travel), "travel": travel / (step / GPUS + travel),
        "ranks": ranks * (PAIRS / 20_000) ** 2, "refit": refit * PAIRS / 100_000,
    }  # fmt: skip


@functools.cache
def released() -> tuple[float, int]:
    """Floating-point operations a pair of one training step of the released encoders, and the numbers they learn."""
    model = methods.build("ccal_cont", profiles.settings("full"), 1)
    with FlopCounterMode(display=False) as counter, torch.random.fork_rng():
        h1, h2 = model.features(torch.zeros(2, 1, 40, 50), torch.zeros(2, 1, 92, 42))
        (h1.sum() + h2.sum()).backward()
    return counter.get_total_flops() / 2, sum(p.numel() for p in model.parameters())
