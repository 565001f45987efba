"""What the book shows of the image–text runs: fragments and figures made of records, part of `book.make`."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from book.make.results.runs import Runs, baselines, grouped, place
from book.make.results.tables import BACK, filled
from book.show import summaries
from book.show.drawings import Drawing
from xmlib import evaluate
from xmlib.methods import IMAGE_METHODS
from xmlib.runs.experiments import VARIANTS
from xmlib.runs.parameters import varied
from xmlib.scoring import intervals
from xmlib.show.figures import METHOD_COLORS, METHOD_NAMES

DATASETS = {"emoji": "make book", "openclipart": "make openclipart", "icons": "make icons"}  # what makes records
MIRRORED = ("emoji", "openclipart")  # where the linear maps are run on mirrored pictures too, with all seeds
Methods = dict[str, Runs]  # of the runs on the same pairs: method → its runs


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown, for every fragment that a page of the image–text runs includes."""
    found, result = summaries.one_linear_cca(found), {}
    for dataset, command in DATASETS.items():
        runs = by_method(found, dataset)
        missing = filled("image_text_missing", {"dataset": dataset, "command": command})
        for name, values in VALUES.items():
            result[f"{dataset}_{name}.md"] = filled(f"image_text_{name}", values, runs) if runs else missing
        result[f"{dataset}_variants.md"] = (
            filled("image_text_variants", variants, of_dataset(found, dataset), dataset) if runs else missing
        )
        some = linear(found, dataset)["rows"]
        result[f"{dataset}_linear.md"] = (
            filled("image_text_linear", linear, of_sizes(found, dataset), dataset) if some else missing
        )
    return result


def pictures(found: Sequence[dict], draw: Callable[[Callable], Drawing]) -> dict[str, Drawing]:
    """File name → SVG: the methods of each data set, every seed a dot."""
    found = summaries.one_linear_cca(found)
    runs = {dataset: by_method(found, dataset) for dataset in DATASETS}
    return {f"{name}-methods.svg": draw(partial(draw_methods, methods)) for name, methods in runs.items() if methods}


def by_method(found: Sequence[dict], dataset: str, variant: str | None = None) -> Methods:
    """The runs on a data set by method, in the book's order.

    Those of one variant of the pairs; None: of each method those that the grid runs with all seeds.
    """
    kept = (
        record
        for record in found
        if record["dataset"] == dataset and record["profile"] != "toy" and record["method"] in IMAGE_METHODS
        if record.get("variant", "") == (main(dataset, record["method"]) if variant is None else variant)
    )
    return {name: runs for (_, name), runs in grouped(kept, lambda record: place(record["method"])).items()}


def main(dataset: str, method: str) -> str:
    """The variant of the pairs that a method is run on with all seeds; empty for the usual pairs."""
    return "mirrored" if method == "linear_nce" and dataset in MIRRORED else ""


def first(runs: Methods) -> dict:
    """The first record: what all runs on the same pairs share stands in it."""
    return next(iter(runs.values())).first


def results(runs: Methods) -> dict:
    """Every method and the baselines, in both directions, means over seeds; intervals over queries and seeds."""
    ways = evaluate.direction_names(first(runs)["dataset"])
    kept = with_twins(runs)
    return {
        "data": first(runs)["data"],
        "linear_cca": summaries.fitted(first(runs)["baselines"]["linear_cca"], bool(mirrored(runs))),
        "mirrored": mirrored(runs),
        "twins": kept,
        "by_direction": {arrow: [*_scores(runs, way), *_baselines(runs, way)] for way, arrow in ways.items()},
        "ceiling": first(runs)["twins"]["ceiling"] if kept else None,
        "orders": orders(runs),
    }


def _scores(runs: Methods, way: str) -> list[dict]:
    """Method by method the title, the number of seeds, the mean metrics, and MRR with any twin as right."""
    return [
        {"title": run.title, "seeds": len(run), "metrics": _means(run, way) | {"mrr_interval": run.interval(way)}}
        | {"any": _of_any(run, way)}
        for run in runs.values()
    ]


def _means(run: Runs, way: str) -> dict[str, float]:
    return {name: run.mean("metrics", way, name) for name in summaries.METRICS if name in run.first["metrics"][way]}


def _of_any(run: Runs, way: str) -> dict | None:
    if not all("twins" in record for record in run):
        return None
    values = summaries.reciprocal_ranks_of_any(run, way)
    between = intervals.mean_interval(values, run.first["data"]["test_groups"])
    return {"mrr": float(values.mean()), "mrr_interval": between}


def _baselines(runs: Methods, way: str) -> list[dict]:
    return [
        {"title": title, "seeds": "", "metrics": side["metrics"][way]}
        | {"any": side["twins"]["metrics"][way] if "twins" in first(runs) else None}
        for title, side in baselines(first(runs)).items()
    ]


def orders(runs: Methods) -> dict[str, list[str]] | None:
    """The titles of the methods, best first, by MRR and by mAP, means of both directions; None without mAP."""
    if not all("map" in metrics for run in runs.values() for record in run for metrics in record["metrics"].values()):
        return None
    means = {
        name: {
            run.title: np.mean([metrics[name] for record in run for metrics in record["metrics"].values()])
            for run in runs.values()
        }
        for name in ("mrr", "map")
    }
    return {name: sorted(own, key=own.__getitem__, reverse=True) for name, own in means.items()}


def twins(runs: Methods) -> dict:
    """How many near twins are in the gallery, and the ceiling that equal texts set where the records have it."""
    sizes = Counter(first(runs)["data"]["test_groups"])
    return {
        "related": sum(count for count in sizes.values() if count > 1),
        "test": first(runs)["data"]["test"],
        "found": first(runs)["twins"] if with_twins(runs) else None,
        "command": DATASETS[first(runs)["dataset"]],
    }


def with_twins(runs: Methods) -> bool:
    """Whether every record keeps what near twins change."""
    return all("twins" in record for run in runs.values() for record in run)


def refinements(runs: Methods) -> dict:
    """Best validation MRR by the end of the first phase and of each refinement, and epochs; means over seeds."""
    best = {name: _best(run) for name, run in runs.items()}
    return {"runs": runs, "best": best, "most": max(map(len, best.values())) - 1}


def _best(run: Runs) -> list[float]:
    """The mean over seeds of the highest validation MRR up to the end of each phase, 0 the first one."""
    phases = range(max(record["settings"]["refinements"] for record in run) + 1)
    return [float(np.mean([best_until(record, phase) for record in run])) for phase in phases]


def best_until(record: dict, phase: int) -> float:
    """The highest validation MRR of a run up to the end of a phase, 0 the first one."""
    return max(row["valid_mrr"] for row in record["history"] if row["phase"] <= phase)


def mirrored(runs: Methods) -> list[str]:
    """The titles of the methods that are trained on more pictures than the others."""
    return [run.title for run in runs.values() if run.first.get("variant", "") == "mirrored"]


def chosen(runs: Methods) -> dict:
    """The method with the best validation MRR, and what it gains over linear CCA on the test set."""
    best = max(runs.values(), key=lambda run: run.valid_mrr)
    return {"title": best.title, "gain": summaries.gain(best)}


def corrections(runs: Methods) -> dict:
    """R@10, MRR, its gain and hubness under each correction, for each method, text to image."""
    arrow = evaluate.direction_names(first(runs)["dataset"])[BACK]
    found = {run.title: summaries.corrections(run).loc[arrow].to_dict("index") for run in runs.values()}
    gains = [row["MRR gain"] for rows in found.values() for row in rows.values()]
    return {"frames": found, "with_intervals": any("[" in gain for gain in gains)}


def variants(found: Sequence[dict], dataset: str) -> dict:
    """The runs on every variant of the pairs, each method beside linear CCA."""
    kept = {r.get("variant", "") for r in of_dataset(found, dataset)}
    shown = {name: by_method(found, dataset, name) for name in sorted(kept, key=_by_number)}
    return {"variants": {name: runs for name, runs in shown.items() if runs}, "ways": evaluate.direction_names(dataset)}


def of_dataset(found: Sequence[dict], dataset: str) -> list[dict]:
    """The records of a data set whose settings are those of their profile."""
    return [r for r in found if r["dataset"] == dataset and r["profile"] != "toy" and not varied(r["parameters"])]


def _by_number(name: str) -> str:
    """A name to sort by in which 500 comes before 1000."""
    return re.sub(r"\d+", lambda number: number[0].zfill(9), name)


def linear(found: Sequence[dict], dataset: str) -> dict:
    """Linear CCA on all training pairs and on fewer of them, fewest first, with chance among the same candidates."""
    kept = of_sizes(found, dataset)
    rows = {record["data"]["train"]: record["baselines"]["linear_cca"] for record in kept}
    return {
        "rows": [rows[train] | {"train": train} for train in sorted(rows) if "directions" in rows[train]],
        "ways": evaluate.direction_names(dataset),
        "chance": kept[0]["baselines"]["chance"]["metrics"] if kept else None,
        "test": kept[0]["data"]["test"] if kept else None,
    }


def of_sizes(found: Sequence[dict], dataset: str) -> list[dict]:
    """The records of a data set on all training pairs and on fewer of them."""
    sizes = {name for name, changed in VARIANTS.items() if set(changed) == {"train_pairs"}}
    kept = [r for r in found if r["dataset"] == dataset and r["profile"] != "toy"]
    return [r for r in kept if r.get("variant", "") in {"", *sizes}]


def provenance(runs: Methods) -> dict:
    """Where the records are, who made them and how long it took."""
    return {"runs": list(runs.values())}


def figure(runs: Methods) -> dict:
    """The MRR of every method in the second direction, for the alternative text of the figure of all."""
    dataset = first(runs)["dataset"]
    arrow = evaluate.direction_names(dataset)[BACK]
    return {"dataset": dataset, "arrow": arrow, "mrrs": {run.title: run.mrr(BACK) for run in runs.values()}}


VALUES: dict[str, Callable[[Methods], dict]] = {
    values.__name__: values for values in (results, twins, chosen, corrections, provenance, refinements, figure)
}  # name of a fragment → what fills its template


def draw_methods(runs: Methods) -> Figure:
    """MRR of every seed, a row a method, both directions side by side, and linear CCA as a line."""
    arrows = evaluate.direction_names(first(runs)["dataset"])
    rows = pd.DataFrame(
        {"method": METHOD_NAMES[name], "direction": way, "mrr": record["metrics"][way]["mrr"]}
        for name, records in runs.items()
        for record in records
        for way in arrows
    )
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), sharey=True, sharex=True)
    palette = {METHOD_NAMES[name]: METHOD_COLORS[name] for name in runs}
    for ax, (way, arrow) in zip(axes, arrows.items(), strict=True):
        own = rows[rows["direction"] == way]
        sns.stripplot(own, x="mrr", y="method", hue="method", palette=palette, jitter=False, size=6, alpha=0.7, ax=ax)
        ax.axvline(first(runs)["baselines"]["linear_cca"]["metrics"][way]["mrr"], color=METHOD_COLORS["linear_cca"])
        ax.set(xlabel=f"MRR, {arrow}", ylabel="")
    return figure
