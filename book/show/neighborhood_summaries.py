"""Tables of the runs with semantic neighbourhoods, as data frames: the same in the notebook and in the book.

A row's numbers are means over the seeds of one kind of run. All come from records.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from book.show import summaries
from book.show.summaries import scores
from xmlib import evaluate
from xmlib.neighborhoods.study import RELEASED
from xmlib.scoring import intervals
from xmlib.scoring.intervals import Interval, Mean

__all__ = ["ablation", "coherence", "configuration", "difference", "pools", "scores", "several_captions"]

NAMES = {  # configuration of the ablation → what a reader sees
    "none": "image → text alone", "sym": "+ sym", "img": "+ img", "text": "+ text", "all": "all terms",
}  # fmt: skip
KINDS = {"image": "pictures", "text": "texts"}
MEASURES = ("text", "label")
POOLED = (("img", "none"), ("text", "none"), ("all", "sym"))  # with a term for neighbours, and the same without


def configuration(name: str) -> tuple[str, str]:
    """What a reader sees of a configuration's name: the terms, and the form of the loss."""
    form = "released" if name.endswith(("released", "released_1")) else "intended"
    terms = name.removesuffix("_released").removesuffix("released") or "all"
    return NAMES.get(terms, terms.replace("_", " ")), form


def ablation(named: dict[str, Sequence[dict]]) -> pd.DataFrame:
    """Configuration → records, as a table: scores in both directions, and coherence within either kind."""
    rows = []
    for name, found in named.items():
        terms, form = configuration(name)
        ways = evaluate.direction_names(found[0]["dataset"])
        mean = {way: {m: _mean(found, "metrics", way, m) for m in ("mrr", "r10")} for way in ways}
        row = {"terms": terms, "loss": form, "seeds": len(found)}
        row |= {f"MRR {arrow}": mean[way]["mrr"] for way, arrow in ways.items()}
        row |= {"R@10, both": float(np.mean([mean[way]["r10"] for way in ways]))}
        if "label" in found[0]["coherence"]["image"]:
            row |= {f"{kind}, label": _mean(found, "coherence", key, "label") for key, kind in KINDS.items()}
        row |= {f"{kind}, text": _mean(found, "coherence", key, "text") for key, kind in KINDS.items()}
        rows.append(row)
    return pd.DataFrame(rows).set_index(["terms", "loss"])


def _mean(found: Sequence[dict], *keys: str) -> float:
    values = []
    for record in found:
        value: Any = record
        for key in keys:
            value = value[key]
        values.append(value)
    return float(np.mean(values))


def coherence(found: Sequence[dict]) -> pd.DataFrame:
    """The share of near items that are near in text space or of the same class: before, after, by chance."""
    rows = []
    for key, kind in KINDS.items():
        for measure in MEASURES:
            if measure not in found[0]["coherence"][key]:
                continue
            after = [record["coherence"][key][measure] for record in found]
            low, high = found[0]["coherence"][key][f"{measure}_interval"]
            rows.append(
                {
                    "kind": kind,
                    "share": measure,
                    "before": _mean(found, "coherence", f"{key}_before", measure),
                    "after": float(np.mean(after)),
                    "95 %, first seed": f"{low:.3f}–{high:.3f}",
                    "chance": found[0]["coherence"][key][f"{measure}_chance"],
                }
            )
    return pd.DataFrame(rows).set_index(["kind", "share"])


def pools(found: Sequence[dict]) -> str:
    """The sentence on small pools of candidates, with their chance level."""
    parts = []
    for way, arrow in evaluate.direction_names(found[0]["dataset"]).items():
        parts.append(f"{arrow} {_mean(found, 'pools', way, 'accuracy'):.1f} %")
    pool = found[0]["pools"]["view1_to_view2"]
    return (
        f"Another protocol, and a far easier one: the right answer among {pool['ways']} candidates drawn at random is "
        f"named in {', '.join(parts)} of the queries, where chance is {pool['accuracy_chance']:.0f} %. Never set these "
        "numbers beside R@1 of the whole gallery."
    )


def several_captions(record: dict) -> str:
    """The table of scores where pictures have several texts, any of which is right; empty where each has one."""
    if "captions" not in record:
        return ""
    header = "| Gallery | Direction | R@1 | R@10 | MRR |\n|:--|:--|--:|--:|--:|\n"
    names = {"all": "all pictures", "folds": "mean of five folds of 1,000 pictures"}
    lines = [
        f"| {names[gallery]} | {arrow} | {found[way]['r1']:.1f} | {found[way]['r10']:.1f} | {found[way]['mrr']:.3f} |\n"
        for gallery, found in record["captions"].items()
        for way, arrow in evaluate.direction_names(record["dataset"]).items()
    ]
    told = "Pictures have several texts. The table above takes only the pair’s own as right, this one any of them:"
    return f"{told}\n\n" + header + "".join(lines) + "\n"


def difference(found: Sequence[dict], base: Sequence[dict], direction: str) -> tuple[float, Interval]:
    """Mean MRR of `found` above that of `base`, of the same seeds, and its paired interval over queries and seeds."""
    return summaries.paired(found, *(summaries.reciprocal_ranks(runs, direction) for runs in (found, base)))


def pooled(named: Mapping[str, Sequence[dict]]) -> Mean | None:
    """The mean gain of MRR by a term for neighbours: of `POOLED`, in every form of the loss and both directions.

    `named`: configuration → records, one a seed, all of the same seeds; None where there is no such pair of runs.
    """
    pairs = [(with_term + form, without + form) for with_term, without in POOLED for form in ("", RELEASED)]
    pairs = [pair for pair in pairs if set(pair) <= set(named)]
    return contrast(named, pairs) if pairs else None


def contrast(named: Mapping[str, Sequence[dict]], pairs: Sequence[tuple[str, str]]) -> Mean:
    """The mean difference of MRR over pairs of runs, the first of each above the second, and over both directions.

    `named`: name → records, one a seed, all of the same seeds and test pairs. A test pair counts once: its two queries,
    and what all runs say of it, are taken together before the error is.
    """
    tables = {
        name: summaries.reciprocal_ranks_both_ways(named[name]) for name in {name for pair in pairs for name in pair}
    }
    groups = named[pairs[0][0]][0]["data"]["test_groups"]
    return intervals.crossed_mean(np.mean([tables[one] - tables[other] for one, other in pairs], axis=0), groups)
