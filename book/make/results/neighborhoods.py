"""What the book shows of the runs with semantic neighbourhoods: the ablation, part of `book.make`."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from book.make import markdown
from book.make.results import image_text, tables
from book.make.templates import fill
from xmlib import evaluate
from xmlib.methods import METHODS
from xmlib.neighborhoods import neighborhood_summaries as own
from xmlib.neighborhoods.study import CONFIGURATIONS, RELEASED
from xmlib.scoring import intervals
from xmlib.scoring.intervals import Mean
from xmlib.show import summaries
from xmlib.show.figures import METHOD_COLORS, METHOD_NAMES

METHOD = "neighborhoods"
OTHER_HEAD = "ccal_neighborhoods"
TFIDF = "tfidf"  # the other text encoder
DATASETS = ("emoji", "openclipart")
NAMES = {"emoji": "emoji", "openclipart": "Openclipart"}
FORMS = {"intended": METHOD_COLORS["neighborhoods"], "released": METHOD_COLORS["learned_cont"]}
Named = dict[str, list[dict]]  # configuration → records, one a seed


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown, for every fragment that the page on neighbourhoods' results includes."""
    found, result = summaries.one_linear_cca(found), {}
    for dataset in DATASETS:
        runs, weighed = by_configuration(found, dataset), by_configuration(found, dataset, encoder=TFIDF)
        shown: dict[str, Callable[[], str]] = {
            "short": lambda: filled("short", short(found, dataset, runs, weighed)),  # noqa: B023
            "ablation": lambda: filled("ablation", ablation(runs)),  # noqa: B023
            "effects": lambda: filled("effects", effects(runs)),  # noqa: B023
            "coherence": lambda: coherence(runs),  # noqa: B023
            "tfidf": lambda: on_tfidf(dataset, runs, weighed),  # noqa: B023
            "search": lambda: filled("search", search(runs)),  # noqa: B023
            "pools": lambda: own.pools(runs["all"]) + "\n",  # noqa: B023
            "others": lambda: others(found, dataset, runs, weighed),  # noqa: B023
            "figure": lambda: filled("figure", figure(dataset, runs)),  # noqa: B023
        }
        missing = filled("missing", {"what": dataset})
        result |= {f"neighborhoods_{dataset}_{name}.md": show() if runs else missing for name, show in shown.items()}
    return result


def filled(name: str, values: dict) -> str:
    """The template of this page's fragment `name` with its values."""
    return fill(f"results/neighborhoods_{name}.md", **values)


def pictures(found: Sequence[dict], draw: Callable[[Callable], bytes]) -> dict[str, bytes]:
    """File name → SVG: MRR of every configuration of each data set, every seed a dot."""
    found = summaries.one_linear_cca(found)
    runs = {dataset: by_configuration(found, dataset) for dataset in DATASETS}
    return {f"neighborhoods-{name}.svg": draw(lambda: draw_ablation(named)) for name, named in runs.items() if named}  # noqa: B023


def by_configuration(found: Sequence[dict], dataset: str, method: str = METHOD, encoder: str = "") -> Named:
    """The committed records of the ablation by configuration, in the order of the table; seeds in order.

    `encoder`: of the texts, empty for the released one. Empty unless all terms and none of them are there, since
    everything is compared with those.
    """
    kept = [r for r in found if (r["dataset"], r["method"], r["profile"]) == (dataset, method, "full")]
    runs = {}
    for name in CONFIGURATIONS:
        variant = "-".join(filter(None, (encoder, "" if name == "all" else name)))
        same = [r for r in kept if r["variant"] == variant]
        runs[name] = sorted(same, key=lambda r: r["seed"])
    runs = {name: records for name, records in runs.items() if records}
    return runs if method != METHOD or {"all", "none"} <= set(runs) else {}


def short(found: Sequence[dict], dataset: str, runs: Named, weighed: Named) -> dict:
    """What comes first: terms for neighbours together, both forms of the loss, the other text side."""
    told: dict = {"name": NAMES[dataset], "pooled": _pooled(runs), "forms": _forms(runs), "weighed": None}
    if weighed:
        told["weighed"] = {"pooled": _pooled(weighed), "beside": _beside(found, dataset, weighed["all"])}
    return told


def _forms(runs: Named) -> Mean | None:
    """The intended form of the loss above the released one, over all terms and both directions."""
    pairs = [(name, name + RELEASED) for name in runs if name + RELEASED in runs]
    pairs = [(one, other) for one, other in pairs if _seeds(runs[one]) == _seeds(runs[other])]
    return own.contrast(runs, pairs) if pairs else None


def _beside(found: Sequence[dict], dataset: str, best: list[dict]) -> dict[str, Mean]:
    """All terms with tf-idf texts above linear CCA and the networks that start at random, by their names."""
    rivals = image_text.by_method(found, dataset)
    named = {METHOD_NAMES[name]: records for name, records in rivals.items() if not METHODS[name].linear}
    linear = [record | record["baselines"]["linear_cca"] for record in best]
    return {
        title: own.contrast({"one": best, "other": records}, [("one", "other")])
        for title, records in (named | {METHOD_NAMES["linear_cca"]: linear}).items()
        if _seeds(records) == _seeds(best)
    }


def ablation(runs: Named) -> dict:
    """MRR with intervals and R@10 of every configuration in both directions, and the baselines below."""
    ways = evaluate.direction_names(runs["all"][0]["dataset"])
    rows = []
    for name, records in runs.items():
        terms, form = own.configuration(name)
        cells = [terms, form, str(len(records))]
        for way in ways:
            mean = {m: float(np.mean([r["metrics"][way][m] for r in records])) for m in ("mrr", "r10")}
            cells += [markdown.with_interval(mean["mrr"], summaries.interval(records, way)), f"{mean['r10']:.1f}"]
        rows.append(cells)
    for name in image_text.BASELINES:
        metrics = runs["all"][0]["baselines"][name]["metrics"]
        cells = [METHOD_NAMES[name], "", ""]
        for way in ways:
            interval = metrics[way].get("mrr_interval")
            mrr = metrics[way]["mrr"]
            cells += [markdown.with_interval(mrr, interval) if interval else markdown.number(mrr)]
            cells += [f"{metrics[way]['r10']:.1f}"]
        rows.append(cells)
    header = ["Terms", "Loss", "Seeds"]
    for arrow in ways.values():
        header += [f"MRR, {arrow}", f"R@10, {arrow}"]
    return {
        "data": runs["all"][0]["data"],
        "linear_cca": summaries.fitted(runs["all"][0]["baselines"]["linear_cca"]),
        "table": markdown.table(header, rows, right=header[2:]),
    }


def effects(runs: Named) -> dict:
    """What each term adds to image → text alone in the same form of the loss: MRR and coherence, paired."""
    rows, tested, p_values = [], [], []
    groups = runs["none"][0]["data"]["test_groups"]
    for name, records in runs.items():
        base = runs.get("none" + RELEASED if name.endswith(RELEASED) else "none")
        terms, form = own.configuration(name)
        if records is base or _seeds(records) != _seeds(base or []) or len(records) < 2:
            continue
        cells = [terms, form]
        for way in evaluate.direction_names(records[0]["dataset"]):
            one, other = (summaries.reciprocal_ranks(found, way) for found in (records, base))
            mean = intervals.paired_mean(one, other, groups)
            tested.append(mean.interval())
            p_values.append(mean.p)
            cells.append(markdown.with_interval(mean.value, mean.interval(), signed=True))
        for kind in own.KINDS:
            value, between = _coherence_difference(records, base, kind)
            cells.append(markdown.with_interval(value, between, signed=True))
        rows.append(cells)
    arrows = evaluate.direction_names(runs["all"][0]["dataset"]).values()
    header = ["Terms", "Loss", *(f"MRR, {arrow}" for arrow in arrows)]
    header += [f"{kind}, same label" for kind in own.KINDS.values()]
    return {
        "table": markdown.table(header, rows, right=header[2:]),
        "together": tables.together(tested, p_values) if tested else "",
        "shares": all(_has_shares(records, kind) for records in runs.values() for kind in own.KINDS),
    }


def _pooled(runs: Named) -> Mean | None:
    """The one contrast of all terms for neighbours."""
    return own.pooled({name: records for name, records in runs.items() if _seeds(records) == _seeds(runs["none"])})


def _seeds(records: list[dict]) -> list[int]:
    return [record["seed"] for record in records]


def _has_shares(records: list[dict], kind: str) -> bool:
    return all("label_shares" in record["coherence"][kind] for record in records)


def on_tfidf(dataset: str, runs: Named, weighed: Named) -> str:
    """The ablation with the text encoder of paper A's methods: what it gains, its scores, and what each term adds."""
    if not weighed:
        return filled("missing", {"what": f"{dataset} with tf-idf texts"})
    best = weighed["all"]
    arrows = evaluate.direction_names(dataset)
    values = {
        "gains": {arrow: own.difference(best, runs["all"], way) for way, arrow in arrows.items()},
        "above_linear_cca": summaries.gain(best),
        "ablation": filled("ablation", ablation(weighed)),
        "effects": filled("effects", effects(weighed)),
    }
    return filled("tfidf", values)


def _coherence_difference(records: list[dict], base: list[dict], kind: str) -> tuple[float, tuple[float, float]]:
    """Mean gain in the share of near items with the same label, and its interval over items and seeds.

    Over seeds alone where the records keep no share of single items.
    """
    if _has_shares(records, kind) and _has_shares(base, kind):
        one, other = ([r["coherence"][kind]["label_shares"] for r in found] for found in (records, base))
        mean = intervals.paired_mean(one, other, records[0]["data"]["test_groups"])
        return mean.value, mean.interval()
    gains = [a["coherence"][kind]["label"] - b["coherence"][kind]["label"] for a, b in zip(records, base, strict=True)]
    return float(np.mean(gains)), intervals.seed_interval(gains)


def coherence(runs: Named) -> str:
    """The share of an item's ten nearest that are near in text space or have its label, before and after."""
    header = ["Terms", "Loss", "Pictures, label", "Pictures, text", "Texts, label", "Texts, text"]
    first = runs["all"]
    mean = {
        (kind, measure): float(np.mean([r["coherence"][kind][measure] for r in first]))
        for kind in ("image_before", "text_before")
        for measure in ("label", "text")
    }
    rows = [["before: the features", "", *(f"{value:.3f}" for value in mean.values())]]
    for name, records in runs.items():
        cells = [
            f"{np.mean([r['coherence'][kind][measure] for r in records]):.3f}"
            for kind in own.KINDS
            for measure in ("label", "text")
        ]
        rows.append([*own.configuration(name), *cells])
    chance = [first[0]["coherence"][kind][f"{m}_chance"] for kind in own.KINDS for m in ("label", "text")]
    rows.append(["Chance", "", *(f"{value:.3f}" for value in chance)])
    return markdown.table(header, rows, right=header[2:])


def search(runs: Named) -> dict:
    """The search for neighbours, from the records; the shares found are those of the worst seed."""
    found = [r["neighbors"] for r in runs["all"]]
    return {
        "first": found[0],
        "of_ten": min(n["hnsw_recall10"] for n in found),
        "of_all": min(n["hnsw_recall_k"] for n in found),
    }


def others(found: Sequence[dict], dataset: str, runs: Named, weighed: Named) -> str:
    """The same terms with tf-idf texts (`weighed`) and on the CCA layer, and the methods of paper A, as one table."""
    shown = {"all terms": runs["all"], "image → text alone": runs["none"]}
    if weighed:
        shown |= {"all terms, tf-idf texts": weighed["all"], "image → text alone, tf-idf texts": weighed["none"]}
    on_cca = by_configuration(found, dataset, OTHER_HEAD).get("all")
    if on_cca:
        shown["all terms, on the CCA layer"] = on_cca
    rivals = image_text.by_method(found, dataset)
    for name, records in rivals.items():
        shown[METHOD_NAMES[name]] = records
    ways = evaluate.direction_names(dataset)
    rows = []
    for title, records in shown.items():
        cells = [f"{np.mean([r['metrics'][way]['mrr'] for r in records]):.3f}" for way in ways]
        cells += [f"{np.mean([r['metrics'][way]['map'] for r in records]):.3f}" for way in ways]
        rows.append([title, str(len(records)), *cells])
    baseline = (weighed or runs)["all"][0]["baselines"]["linear_cca"]["metrics"]
    cells = [f"{baseline[way][name]:.3f}" if name in baseline[way] else "" for name in ("mrr", "map") for way in ways]
    rows.append([METHOD_NAMES["linear_cca"], "", *cells])
    header = ["Training", "Seeds", *(f"MRR, {arrow}" for arrow in ways.values())]
    header += [f"mAP, {arrow}" for arrow in ways.values()]
    return markdown.table(header, rows, right=header[1:]) + f"\n{image_text.mirrored(rivals)}\n"


def figure(dataset: str, runs: Named) -> dict:
    """Of the figure of all configurations, the MRR of each in the second direction."""
    way, arrow = list(evaluate.direction_names(dataset).items())[1]
    mrrs = {
        ", ".join(own.configuration(name)): float(np.mean([r["metrics"][way]["mrr"] for r in records]))
        for name, records in runs.items()
    }
    return {"dataset": dataset, "arrow": arrow, "mrrs": mrrs}


def draw_ablation(runs: Named) -> Figure:
    """MRR of every seed, a row a configuration, both directions side by side, and linear CCA as a line."""
    first = runs["all"][0]
    arrows = evaluate.direction_names(first["dataset"])
    rows = pd.DataFrame(
        {"terms": own.configuration(name)[0], "loss": own.configuration(name)[1], "way": way} |
        {"mrr": record["metrics"][way]["mrr"]}
        for name, records in runs.items()
        for record in records
        for way in arrows
    )  # fmt: skip
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.8), sharey=True, sharex=True)
    for ax, (way, arrow) in zip(axes, arrows.items(), strict=True):
        shown = rows[rows["way"] == way]
        sns.stripplot(
            shown, x="mrr", y="terms", hue="loss", palette=FORMS, dodge=True, jitter=False, size=5, alpha=0.7, ax=ax,
            legend=ax is axes[1],
        )  # fmt: skip
        ax.axvline(first["baselines"]["linear_cca"]["metrics"][way]["mrr"], color=METHOD_COLORS["linear_cca"])
        ax.set(xlabel=f"MRR, {arrow}", ylabel="")
    axes[1].legend(title="loss", loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    return figure
