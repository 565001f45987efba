"""What the book shows of the image–text runs: fragments and figures made of records, part of `book.make`."""

from collections import Counter
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from book.make import markdown
from book.make.results import tables
from xmlib import evaluate
from xmlib.methods import IMAGE_METHODS
from xmlib.scoring import intervals
from xmlib.show import summaries, units
from xmlib.show.figures import METHOD_COLORS, METHOD_NAMES

DATASETS = {"emoji": "make book", "openclipart": "make openclipart"}  # and what makes their records
BASELINES = ("linear_cca", "chance")
MAIN = {"linear_nce": "mirrored"}  # the variant of the pairs that a method is run on with all seeds; others: the usual
FORTH = next(iter(evaluate.DIRECTIONS))
Methods = dict[str, list[dict]]  # of the runs on the same pairs: method → records, one a seed


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown, for every fragment that a page of the image–text runs includes."""
    found, result = summaries.one_linear_cca(found), {}
    for dataset, command in DATASETS.items():
        runs = by_method(found, dataset)
        missing = f"There are no runs on {dataset} here yet; `{command}` makes them.\n"
        shown: dict[str, Callable[[], str]] = {
            "results": lambda: results(runs),  # noqa: B023
            "twins": lambda: twins(runs),  # noqa: B023
            "chosen": lambda: chosen(runs),  # noqa: B023
            "corrections": lambda: corrections(runs),  # noqa: B023
            "variants": lambda: variants(found, dataset),  # noqa: B023
            "provenance": lambda: provenance(runs),  # noqa: B023
            "refinements": lambda: refinements(runs),  # noqa: B023
            "figure": lambda: figure(dataset, runs),  # noqa: B023
        }
        result |= {f"{dataset}_{name}.md": show() if runs else missing for name, show in shown.items()}
    return result


def pictures(found: Sequence[dict], draw: Callable[[Callable], bytes]) -> dict[str, bytes]:
    """File name → SVG: the methods of each data set, every seed a dot."""
    found = summaries.one_linear_cca(found)
    runs = {dataset: by_method(found, dataset) for dataset in DATASETS}
    return {f"{name}-methods.svg": draw(lambda: draw_methods(methods)) for name, methods in runs.items() if methods}  # noqa: B023


def by_method(found: Sequence[dict], dataset: str, variant: str | None = None) -> Methods:
    """The records of a data set by method, in the book's order, seeds in order.

    Those of one variant of the pairs; None: of each method those that the grid runs with all seeds.
    """
    kept = [r for r in found if r["dataset"] == dataset and r["profile"] != "toy"]
    methods = {}
    for name in IMAGE_METHODS:
        wanted = MAIN.get(name, "") if variant is None else variant
        own = [r for r in kept if (r["method"], r.get("variant", "")) == (name, wanted)]
        methods[name] = sorted(own, key=lambda r: r["seed"])
    return {name: records for name, records in methods.items() if records}


def results(runs: Methods) -> str:
    """Every method and the baselines, in both directions, means over seeds; intervals over queries and seeds."""
    first = next(iter(runs.values()))[0]
    parts = []
    for direction, arrow in evaluate.direction_names(first["dataset"]).items():
        rows = [_row(records, direction) for records in runs.values()]
        rows += [_baseline(name, first, direction) for name in BASELINES] + _ceiling(runs)
        header = ["Method", "Seeds", *summaries.METRICS.values()]
        if _of_twins(runs):
            header.append(summaries.ANY)
        parts.append(f"{arrow[0].upper()}{arrow[1:]}:\n\n{markdown.table(header, rows, right=header[1:])}")
    data = first["data"]
    return (
        f"{data['train']:,} training, {data['valid']:,} validation and {data['test']:,} test pairs; a query has "
        f"all {data['test']:,} test items of the other kind as candidates. Means over seeds; the interval is of the "
        f"MRR, over groups of queries and over seeds. {mirrored(runs)} "
        f"{summaries.fitted(first['baselines']['linear_cca'])}\n\n" + "\n".join(parts) + f"\n{orders(runs)}\n"
    )


def orders(runs: Methods) -> str:
    """The sentence on the order of the methods by MRR and by mAP, means of both directions; empty without mAP."""
    if not all("map" in record["metrics"][FORTH] for records in runs.values() for record in records):
        return ""
    told = []
    for name in ("mrr", "map"):
        means = {
            method: np.mean([m[name] for record in records for m in record["metrics"].values()])
            for method, records in runs.items()
        }
        told.append("; ".join(METHOD_NAMES[method] for method in sorted(means, key=means.get, reverse=True)))
    if told[0] == told[1]:
        return f"By MRR and by mAP the order of the networks is the same: {told[0]}."
    return (
        f"By MRR, which asks for the one right answer, the order of the networks is: {told[0]}. By mAP, which asks for "
        f"anything of its class, it is another: {told[1]}."
    )


def twins(runs: Methods) -> str:
    """The sentences on near twins in the gallery: how many there are, and the ceiling that equal texts set."""
    first = next(iter(runs.values()))[0]
    sizes = Counter(first["data"]["test_groups"])
    related = sum(count for count in sizes.values() if count > 1)
    told = f"{related} of the {first['data']['test']:,} test items have a near twin among the test items."
    if not _of_twins(runs):
        return (
            f"{told} These runs count each as wrong, and their records keep no other count; runs made anew have both. "
            f"`{DATASETS[first['dataset']]}` makes them where the records are removed.\n"
        )
    found = first["twins"]
    return (
        f"{told} {found['same_text']} have the very words of another one. So no function of the words can have an MRR "
        f"above {markdown.number(found['ceiling']['mrr'])}, or an R@1 above {found['ceiling']['r1']:.1f} %. "
        f"*{summaries.ANY}* takes every member of the right answer's group as right.\n"
    )


def _of_twins(runs: Methods) -> bool:
    """Whether every record keeps what near twins change."""
    return all("twins" in record for records in runs.values() for record in records)


def _ceiling(runs: Methods) -> list[list[str]]:
    """The row of what no function of the words exceeds, where the records have it."""
    if not _of_twins(runs):
        return []
    cells = _cells([next(iter(runs.values()))[0]["twins"]["ceiling"]])
    return [["No function of the words exceeds", "", *cells.values(), ""]]


def refinements(runs: Methods) -> str:
    """Best validation MRR by the end of the first phase and of each refinement, and epochs; means over seeds."""
    most = max(record["settings"]["refinements"] for records in runs.values() for record in records)
    rows = []
    for name, records in runs.items():
        own = max(record["settings"]["refinements"] for record in records)
        best = [np.mean([best_until(record, phase) for record in records]) for phase in range(own + 1)]
        epochs = np.mean([len(record["history"]) for record in records])
        cells = [f"{mrr:.4f}" for mrr in best] + [""] * (most - own)
        rows.append([METHOD_NAMES[name], str(len(records)), *cells, f"{epochs:.0f}"])
    header = ["Method", "Seeds", "first phase", *(f"refinement {i}" for i in range(1, most + 1)), "Epochs in all"]
    return markdown.table(header, rows, right=header[1:])


def best_until(record: dict, phase: int) -> float:
    """The highest validation MRR of a run up to the end of a phase, 0 the first one."""
    return max(row["valid_mrr"] for row in record["history"] if row["phase"] <= phase)


def mirrored(runs: Methods) -> str:
    """The sentence on the methods that are trained on more pictures than the others."""
    names = [METHOD_NAMES[name] for name in runs if MAIN.get(name) == "mirrored"]
    return f"*{', '.join(names)}* is trained on every picture and on its mirror image." if names else ""


def _row(records: list[dict], direction: str) -> list[str]:
    cells = _cells([record["metrics"][direction] for record in records])
    cells["mrr"] = markdown.with_interval(float(cells["mrr"]), summaries.interval(records, direction))
    if all("twins" in record for record in records):
        values = summaries.reciprocal_ranks_of_any(records, direction)
        between = intervals.mean_interval(values, records[0]["data"]["test_groups"])
        cells["any"] = markdown.with_interval(float(values.mean()), between)
    return [METHOD_NAMES[records[0]["method"]], str(len(records)), *cells.values()]


def _baseline(name: str, first: dict, direction: str) -> list[str]:
    metrics = first["baselines"][name]["metrics"][direction]
    cells = _cells([metrics])
    if "mrr_interval" in metrics:
        cells["mrr"] = markdown.with_interval(float(cells["mrr"]), metrics["mrr_interval"])
    if "twins" in first:
        of_any = first["baselines"][name]["twins"]["metrics"][direction]
        interval = of_any.get("mrr_interval")
        cells["any"] = markdown.with_interval(of_any["mrr"], interval) if interval else markdown.number(of_any["mrr"])
    return [METHOD_NAMES[name], "", *cells.values()]


def _cells(metrics: list[dict]) -> dict[str, str]:
    digits = {"mrr": 3, "map": 3}
    return {
        name: f"{np.mean([m[name] for m in metrics]):.{digits.get(name, 1)}f}" if name in metrics[0] else ""
        for name in summaries.METRICS
    }


def chosen(runs: Methods) -> str:
    """The sentences on the method with the best validation MRR, and what it gains over linear CCA on the test set."""
    method = max(runs, key=lambda name: np.mean([record["valid_mrr"] for record in runs[name]]))
    return f"Validation chooses **{METHOD_NAMES[method]}**. {summaries.gain(runs[method])}\n"


def corrections(runs: Methods) -> str:
    """R@10, MRR, its gain and hubness under each correction, for each method, text to image."""
    direction = list(evaluate.DIRECTIONS)[1]
    rows = []
    for method, records in runs.items():
        frame = summaries.corrections(records).loc[evaluate.direction_names(records[0]["dataset"])[direction]]
        for name, row in frame.iterrows():
            cells = [f"{row['R@10']:.1f}", f"{row['MRR']:.3f}", row["MRR gain"], markdown.number(row["hubness"], 2)]
            rows.append([METHOD_NAMES[method], str(name), *cells])
    header = ["Method", "Correction", "R@10", "MRR", "Gain in MRR", "Hubness"]
    told = "" if "[" in "".join(map(str, rows)) else "\nThese records keep too little for intervals of the gains.\n"
    return markdown.table(header, rows, right=header[2:]) + told


def variants(found: Sequence[dict], dataset: str) -> str:
    """MRR on every variant of the pairs in both directions, each method beside linear CCA."""
    kept = [r for r in found if r["dataset"] == dataset and r["method"] in IMAGE_METHODS and r["profile"] != "toy"]
    names = sorted({r.get("variant", "") for r in kept})
    arrows = evaluate.direction_names(dataset)
    rows = []
    for name in names:
        runs = by_method(found, dataset, name)
        first = next(iter(runs.values()))[0]
        linear = [first["baselines"]["linear_cca"]["metrics"][way]["mrr"] for way in arrows]
        for method, records in runs.items():
            own = [float(np.mean([r["metrics"][way]["mrr"] for r in records])) for way in arrows]
            cells = [f"{value:.3f}" for pair in zip(own, linear, strict=True) for value in pair]
            rows.append([name.replace("_", " ") or "grouped", METHOD_NAMES[method], str(len(records)), *cells])
    header = ["Pairs", "Method", "Seeds"] + [t for arrow in arrows.values() for t in (f"MRR {arrow}", "linear CCA")]
    return markdown.table(header, rows, right=header[2:])


def provenance(runs: Methods) -> str:
    """Where the records are, who made them and how long it took."""
    rows = []
    for method, records in runs.items():
        counts = [len(record["history"]) for record in records]
        seconds = float(np.mean([record["wall_seconds"] for record in records]))
        converged = "yes" if all(record["converged"] for record in records) else "*no*"
        cells = [f"{min(counts)}–{max(counts)}", converged, units.duration(seconds), tables.machine(records[0])]
        rows.append([METHOD_NAMES[method], records[0]["profile"], str(len(records)), *cells])
    header = ["Method", "Profile", "Seeds", "Epochs", "Converged", "Time a run", "Machine"]
    return markdown.table(header, rows)


def figure(dataset: str, runs: Methods) -> str:
    """The figure of all methods, with the MRR of each in its alternative text."""
    direction, arrow = list(evaluate.direction_names(dataset).items())[1]
    values = "; ".join(
        f"{METHOD_NAMES[name]} {np.mean([r['metrics'][direction]['mrr'] for r in records]):.3f}"
        for name, records in runs.items()
    )
    return markdown.figure(
        f"{dataset}-methods",
        f"Dots of MRR, one row a method. {arrow} – {values}.",
        f"Test MRR of every method on {dataset}, a dot a seed; the line is linear CCA.",
    )


def draw_methods(runs: Methods) -> Figure:
    """MRR of every seed, a row a method, both directions side by side, and linear CCA as a line."""
    first = next(iter(runs.values()))[0]
    arrows = evaluate.direction_names(first["dataset"])
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
        ax.axvline(first["baselines"]["linear_cca"]["metrics"][way]["mrr"], color=METHOD_COLORS["linear_cca"])
        ax.set(xlabel=f"MRR, {arrow}", ylabel="")
    return figure
