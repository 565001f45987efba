"""Tables of runs, as data frames, and their reciprocal ranks and intervals: the same in a notebook and in the book.

A row's numbers are means over the seeds of one method. All come from records.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from book.show.units import number, with_interval
from xmlib import evaluate
from xmlib.data import Split, Splits
from xmlib.runs.experiments import PAIRS
from xmlib.scoring import intervals, relevance
from xmlib.scoring.intervals import Interval
from xmlib.show.figures import METHOD_NAMES

METRICS = {"r1": "R@1", "r10": "R@10", "r25": "R@25", "median_rank": "median rank", "mrr": "MRR", "map": "mAP"}
ANY = "MRR, any of group"  # where any member of the group of near twins is a right answer
CORRECTIONS = {"none": "none", "csls": "CSLS", "inverted_softmax": "inverted softmax", "query_bank": "query bank"}


def one_linear_cca(found: Sequence[dict]) -> list[dict]:
    """The records, those that share their test pairs with the same linear CCA: the one that validation prefers.

    Where training has more pictures, or was done before the grid of settings grew, linear CCA was fitted otherwise;
    readers should meet one of them. Those that keep the most of their test go first.
    """
    best: dict[tuple, dict] = {}
    for record in found:
        linear = record["baselines"]["linear_cca"] | {"mirrored": _with_mirror_images(record)}
        best[_tested(record)] = max(best.get(_tested(record), linear), linear, key=_preferred)
    return [record | {"baselines": record["baselines"] | {"linear_cca": best[_tested(record)]}} for record in found]


def _tested(record: dict) -> tuple:
    """What decides the test pairs of a record, and the validation pairs by which its linear CCA was chosen."""
    parameters = record["parameters"]
    usual = PAIRS | {"corpus": "tunes", "difficulty": "hard", "dataset_file": ""}
    decided = (parameters.get(name, value) for name, value in usual.items() if name != "mirrored")
    return record["dataset"], record["profile"] == "toy", *decided


def _with_mirror_images(record: dict) -> bool:
    """Whether the linear CCA of a record was fitted on all of its training pairs, and these have mirror images."""
    linear, pairs = record["baselines"]["linear_cca"], record["data"].get("train")
    return record["parameters"].get("mirrored") is True and linear.get("train", pairs) == pairs


def _preferred(linear: dict) -> tuple:
    return "twins" in linear, all("map" in way for way in linear["metrics"].values()), linear.get("valid_mrr", 0)


def fitted(linear: dict, beside_mirrored: bool = False) -> str:
    """The sentence on which linear CCA it is; empty for made-up ones without settings.

    `beside_mirrored`: some method of the table has seen mirror images, so it says whether linear CCA has.
    """
    if "directions" not in linear:
        return ""
    pairs = f", on {linear['train']:,} training pairs" if "train" in linear else ""
    without = ", without mirror images" if beside_mirrored else ""
    seen = ", every picture and its mirror image" if linear.get("mirrored") else without
    return (
        "Linear CCA is, of the fits whose records keep every number given here, "
        f"the best on validation (MRR {linear['valid_mrr']:.3f}): "
        f"{linear['components']} components, ridge {linear['ridge']:g}, {linear['directions']} directions{pairs}{seen}."
    )


def sizes(splits: Splits) -> pd.DataFrame:
    """Pairs, groups of near duplicates and classes in every split."""
    rows = []
    for name in ("train", "valid", "test"):
        split = getattr(splits, name)
        row = {"split": name, "pairs": len(split), "groups": len(set(split.groups))}
        rows.append(row | ({} if split.labels is None else {"classes": len(set(split.labels))}))
    return pd.DataFrame(rows).set_index("split")


def scores(found: Sequence[dict]) -> pd.DataFrame:
    """A method beside linear CCA and chance in both directions; `found`: its records, one a seed."""
    first = found[0]
    rows: list[dict[str, Any]] = []
    for direction, arrow in evaluate.direction_names(first["dataset"]).items():
        own = [record["metrics"][direction] for record in found]
        low, high = interval(found, direction)
        rows.append(
            {
                "direction": arrow,
                "method": METHOD_NAMES[first["method"]],
                **_means(own),
                "95 %": f"{low:.3f}–{high:.3f}",
                **_of_any(found, direction),
            }
        )
        for name, side in first["baselines"].items():
            metrics = side["metrics"][direction]
            between = "–".join(f"{end:.3f}" for end in metrics.get("mrr_interval", ()))
            means = _means([metrics]) | {"95 %": between} | _of_any([side], direction)
            rows.append({"direction": arrow, "method": METHOD_NAMES[name], **means})
    return pd.DataFrame(rows).set_index(["direction", "method"])


def _means(metrics: Sequence[dict]) -> dict[str, float]:
    return {title: float(np.mean([m[name] for m in metrics])) for name, title in METRICS.items() if name in metrics[0]}


def _of_any(found: Sequence[dict], direction: str) -> dict[str, Any]:
    """MRR with any member of a group as right, in a column of its own; empty where no record has it."""
    if not all("twins" in record for record in found):
        return {}
    return {ANY: f"{np.mean([record['twins']['metrics'][direction]['mrr'] for record in found]):.3f}"}


def reciprocal_ranks_of_any(found: Sequence[dict], direction: str) -> np.ndarray:
    """As `reciprocal_ranks`, with any member of the group of near twins as right."""
    standing = (np.array(record["twins"]["standing"][direction]) for record in found)
    return np.array([relevance.reciprocal_ranks_of_any(*counts) for counts in standing])


def reciprocal_ranks(found: Sequence[dict], direction: str) -> np.ndarray:
    """The reciprocal rank of every query at every seed, (seeds, queries)."""
    return np.array([evaluate.recorded_reciprocal_ranks(record, direction) for record in found])


def reciprocal_ranks_both_ways(found: Sequence[dict]) -> np.ndarray:
    """The mean reciprocal rank of every pair's two queries at every seed, (seeds, pairs)."""
    return np.mean([reciprocal_ranks(found, direction) for direction in evaluate.DIRECTIONS], axis=0)


def hits(scores: dict, direction: str, k: int = 10) -> np.ndarray:
    """Expected share, in per cent, of the right answer of every query among its first k, (queries,)."""
    better, tied = evaluate.recorded_standing(scores, direction)
    return 100 * np.clip((k - better) / tied, 0, 1)


def interval(found: Sequence[dict], direction: str) -> Interval:
    """The 95 % interval of the MRR over groups of queries and over seeds."""
    return intervals.mean_interval(reciprocal_ranks(found, direction), found[0]["data"]["test_groups"])


def gain(found: Sequence[dict]) -> str:
    """The sentence on what a method gains over linear CCA on the same queries: R@10 and MRR in both directions."""
    first, parts = found[0], []
    for direction, arrow in evaluate.direction_names(first["dataset"]).items():
        mrr = difference(found, direction, evaluate.recorded_reciprocal_ranks)
        r10 = difference(found, direction, hits)
        parts.append(
            f"{arrow}: R@10 {with_interval(*r10, digits=1, signed=True)}, MRR {with_interval(*mrr, signed=True)}"
        )
    return "Gain over linear CCA on the same queries, with 95 % intervals – " + "; ".join(parts) + "."


def difference(found: Sequence[dict], direction: str, measure) -> tuple[float, Interval]:
    """Mean of `measure` above that of linear CCA, and its paired interval over groups of queries and seeds."""
    own = np.array([measure(record, direction) for record in found])
    linear = np.broadcast_to(measure(found[0]["baselines"]["linear_cca"], direction), own.shape)
    return paired(found, own, linear)


def paired(found: Sequence[dict], own: np.ndarray, other: np.ndarray) -> tuple[float, Interval]:
    """Mean of `own` above `other`, (seeds, queries) of these records, and its interval over groups and seeds."""
    between = intervals.paired_interval(own, other, found[0]["data"]["test_groups"])
    return float((own - other).mean()), between


def corrections(found: Sequence[dict]) -> pd.DataFrame:
    """What each correction for hubness does to R@10, MRR and the skewness of the k-occurrence.

    The gain of MRR over plain cosines has its paired interval where the records keep the ranks under corrections.
    """
    rows = []
    for direction, arrow in evaluate.direction_names(found[0]["dataset"]).items():
        plain = [record["metrics"][direction] for record in found]
        rows.append({"direction": arrow, "correction": "none", **_hubs(plain), "MRR gain": ""})
        for name in found[0]["corrections"]:
            own = [record["corrections"][name][direction] for record in found]
            row = {"direction": arrow, "correction": CORRECTIONS.get(name, name), **_hubs(own)}
            rows.append(row | {"MRR gain": _correction_gain(found, name, direction)})
    return pd.DataFrame(rows).set_index(["direction", "correction"])


def _correction_gain(found: Sequence[dict], name: str, direction: str) -> str:
    own = [record["corrections"][name][direction] for record in found]
    if not all("ranks" in one for one in own):
        return number(float(np.mean([one["mrr_gain"] for one in own])), signed=True)
    corrected = [evaluate.reciprocal_ranks(*evaluate.standing_of(one["ranks"], one["ties"])) for one in own]
    return with_interval(*paired(found, np.array(corrected), reciprocal_ranks(found, direction)), signed=True)


def _hubs(metrics: Sequence[dict]) -> dict[str, float]:
    kept = {"r1": "R@1", "r10": "R@10", "mrr": "MRR", "hubness": "hubness"}
    return {title: float(np.mean([m[name] for m in metrics])) for name, title in kept.items()}


def by_class(split: Split, found: Sequence[dict], most: int = 12) -> pd.DataFrame:
    """MRR of the largest classes of the test set, worst first, in both directions."""
    table = _by_query(split, found)
    grouped = (
        table.assign(queries=1).groupby("class").agg({**dict.fromkeys(table.columns[1:], "mean"), "queries": "sum"})
    )
    return grouped.nlargest(most, "queries", keep="first").sort_values(table.columns[1]).round(3)


def by_known_words(split: Split, found: Sequence[dict]) -> pd.DataFrame:
    """MRR by how many words of a test text were in the training texts, in both directions."""
    known = (split.view2[np.arange(len(split))] > 0).sum(1)
    table = _by_query(split, found).drop(columns="class")
    bins = pd.cut(known, [-1, 0, 2, 4, 8, 16, np.inf], labels=["0", "1–2", "3–4", "5–8", "9–16", "17 and more"])
    grouped = table.assign(queries=1).groupby(bins, observed=True)
    result = grouped.agg({**dict.fromkeys(table.columns, "mean"), "queries": "sum"}).round(3)
    return result.rename_axis("known words")


def _by_query(split: Split, found: Sequence[dict]) -> pd.DataFrame:
    labels = split.labels if split.labels is not None else np.full(len(split), "all")
    columns = {
        f"MRR, {arrow}": reciprocal_ranks(found, direction).mean(0)
        for direction, arrow in evaluate.direction_names(found[0]["dataset"]).items()
    }
    return pd.DataFrame({"class": labels, **columns})


def compare(named: dict[str, Sequence[dict]]) -> pd.DataFrame:
    """The same method on several splits: R@10 and MRR in both directions beside those of linear CCA and chance."""
    rows = []
    for name, found in named.items():
        for direction, arrow in evaluate.direction_names(found[0]["dataset"]).items():
            own = _means([record["metrics"][direction] for record in found])
            linear, chance = (found[0]["baselines"][b]["metrics"][direction] for b in ("linear_cca", "chance"))
            row = {"pairs": name.replace("_", " "), "direction": arrow, "seeds": len(found)}
            row |= {"R@10": own["R@10"], "linear CCA, R@10": linear["r10"], "chance, R@10": chance["r10"]}
            rows.append(row | {"MRR": own["MRR"], "linear CCA, MRR": linear["mrr"]})
    return pd.DataFrame(rows).set_index(["pairs", "direction"])
