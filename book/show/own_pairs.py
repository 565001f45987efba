"""What the notebook on pairs of one's own shows: pairs and what they found as HTML, corrections, all numbers."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from xmlib import evaluate, fit
from xmlib.data.own.ready import Ready
from xmlib.data.own.sides import Pairs
from xmlib.retriever.choice import Trial, best
from xmlib.scoring import hubness
from xmlib.scoring.health import NAMES, Health
from xmlib.show.gallery import item

CELL = "padding:6px;text-align:center;vertical-align:top;max-width:150px;font-size:85%;overflow-wrap:anywhere"
RIGHT = "outline:3px solid #009E73"  # the colour that frames right answers in every figure


def examples(pairs: Pairs, rows: Sequence[int]) -> str:
    """A table of pairs: their ids, the items of view 1 above those of view 2."""
    lines = [[html.escape(pairs.ids[i]) for i in rows]]
    lines += [[item(side, i) for i in rows] for side in (pairs.view1, pairs.view2)]
    return _table([[(cell, False) for cell in line] for line in lines])


def found(
    pairs: Pairs,
    queries: Sequence[int],
    candidates: Sequence[Sequence[int]],
    ranks: Sequence[float],
    back: bool = False,
    same: Sequence[int] | None = None,
) -> str:
    """A table of queries and what they found, best first; right answers have a green frame.

    `queries`, `candidates`: rows of `pairs`; `ranks`: of the right answers. `back`: view 2 queries view 1. `same`: a
    number for each of the pairs, equal for those whose items are right for each other.
    """
    known = range(len(pairs)) if same is None else same
    asking, answering = (pairs.view2, pairs.view1) if back else (pairs.view1, pairs.view2)
    lines = []
    for query, answers, rank in zip(queries, candidates, ranks, strict=True):
        first = f"<b>rank {rank:g}</b><br>{item(asking, query)}"
        lines.append(
            [(first, False), *((item(answering, int(row)), bool(known[row] == known[query])) for row in answers)]
        )
    return _table(lines)


def _table(lines: Sequence[Sequence[tuple[str, bool]]]) -> str:
    """Cells with their content and whether they are the right answer."""
    rows = ["".join(f'<td style="{CELL};{RIGHT * right}">{cell}</td>' for cell, right in line) for line in lines]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def answers(trial: Trial, ready: Ready, direction: str, queries: Sequence[int], k: int = 5) -> np.ndarray:
    """Test pairs (q, k) whose items a trial finds best for those of some test pairs; a file of several pairs is one."""
    forward = direction == next(iter(evaluate.DIRECTIONS))
    asking, answering = (trial.x, trial.y) if forward else (trial.y, trial.x)
    view, number = ready.shared("test") or (0, np.arange(len(answering)))
    own = number if view == (2 if forward else 1) else np.arange(len(answering))
    offered = np.unique(own, return_index=True)[1]
    scores = asking[list(queries)] @ answering[offered].T
    return offered[scores.topk(min(k, len(offered))).indices.cpu().numpy()]


def hubs(trial: Trial, ready: Ready) -> pd.DataFrame:
    """What each correction for hubs does to a trial's test scores, in both directions; the bank is training queries.

    Where pairs share files, every pair is a query of its own here and has one right answer.
    """
    splits = ready.splits
    plain = evaluate.both_ways(trial.x, trial.y)["metrics"] if ready.shared("test") else trial.test["metrics"]
    bank1, bank2 = fit.embed(trial.retriever.model, splits.train)
    corrected = hubness.corrected(trial.x, trial.y, bank1, bank2, splits.test.groups)
    rows = []
    for way, name in zip(evaluate.DIRECTIONS, NAMES, strict=True):
        rows.append({"direction": name, "correction": "none", **_hub_row(plain[way]), "MRR gain": ""})
        for correction, found in corrected.items():
            low, high = found[way]["mrr_gain_interval"]
            gain = f"{found[way]['mrr_gain']:+.3f} [{low:+.3f}, {high:+.3f}]"
            rows.append({"direction": name, "correction": correction, **_hub_row(found[way]), "MRR gain": gain})
    return pd.DataFrame(rows).set_index(["direction", "correction"])


def _hub_row(metrics: dict) -> dict[str, float]:
    return {"R@1": metrics["r1"], "R@10": metrics["r10"], "MRR": metrics["mrr"], "hubness": metrics["hubness"]}


def summary(parameters: dict, pairs: Pairs, checkup: Health, done: Sequence[Trial], words: str) -> dict[str, Any]:
    """All numbers of a run for a file: what JSON can hold."""
    return {
        "notebook": "your_pairs", "parameters": parameters, "pairs": len(pairs), "left_out": pairs.left_out,
        "health": [finding.sentence for finding in checkup.findings], "recommendation": words,
        "chosen": best(done).method,
        "trials": [
            {
                "method": trial.method, "valid_mrr": trial.valid_mrr, "seconds": trial.seconds,
                "stopped": trial.stopped, "metrics": trial.test["metrics"],
            }
            for trial in done
        ],
    }  # fmt: skip


def curve(trial: Trial, seed: int) -> dict[str, Any]:
    """What `curves.learning_curve` draws of a trial."""
    named = {"method": trial.method, "seed": seed, "dataset": "own"}
    return named | {name: trial.retriever.about[name] for name in ("history", "best_epoch", "valid_mrr")}
