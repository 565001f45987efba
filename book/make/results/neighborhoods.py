"""What the book shows of the runs with semantic neighbourhoods: the ablation, part of `book.make`."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from book.make import markdown
from book.make.results import image_text, tables
from xmlib import evaluate, intervals
from xmlib.intervals import Mean
from xmlib.methods import METHODS
from xmlib.neighborhoods import neighborhood_summaries as own
from xmlib.neighborhoods.study import CONFIGURATIONS, RELEASED
from xmlib.show import summaries
from xmlib.show.figures import METHOD_COLORS, METHOD_NAMES

METHOD = "neighborhoods"
OTHER_HEAD = "ccal_neighborhoods"
TFIDF = "tfidf"  # the other text encoder
DATASETS = ("emoji", "openclipart")
NAMES = {"emoji": "emoji", "openclipart": "Openclipart"}
FORMS = {"intended": METHOD_COLORS["neighborhoods"], "released": METHOD_COLORS["learned_cont"]}
MISSING = "There are no runs with neighbourhoods on {} here yet; `make ablation` makes them.\n"
Named = dict[str, list[dict]]  # configuration → records, one a seed


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown, for every fragment that the page on neighbourhoods' results includes."""
    found, result = summaries.one_linear_cca(found), {}
    for dataset in DATASETS:
        runs, weighed = by_configuration(found, dataset), by_configuration(found, dataset, encoder=TFIDF)
        shown: dict[str, Callable[[], str]] = {
            "short": lambda: short(found, dataset, runs, weighed),  # noqa: B023
            "ablation": lambda: ablation(runs),  # noqa: B023
            "effects": lambda: effects(runs),  # noqa: B023
            "coherence": lambda: coherence(runs),  # noqa: B023
            "tfidf": lambda: on_tfidf(dataset, runs, weighed),  # noqa: B023
            "search": lambda: search(runs),  # noqa: B023
            "pools": lambda: own.pools(runs["all"]) + "\n",  # noqa: B023
            "others": lambda: others(found, dataset, runs, weighed),  # noqa: B023
            "figure": lambda: figure(dataset, runs),  # noqa: B023
        }
        missing = MISSING.format(dataset)
        result |= {f"neighborhoods_{dataset}_{name}.md": show() if runs else missing for name, show in shown.items()}
    return result


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


def short(found: Sequence[dict], dataset: str, runs: Named, weighed: Named) -> str:
    """The sentences that come first: terms for neighbours together, both forms of the loss, the other text side."""
    told = [f"On {NAMES[dataset]}: {_pooled(runs)}".strip(), _forms(runs)]
    if weighed:
        told += [f"With tf-idf texts: {_pooled(weighed)}", _beside(found, dataset, weighed["all"])]
    return " ".join(filter(None, told)) + "\n"


def _forms(runs: Named) -> str:
    """The sentence on the intended form of the loss against the released one, over all terms and both directions."""
    pairs = [(name, name + RELEASED) for name in runs if name + RELEASED in runs]
    pairs = [(one, other) for one, other in pairs if _seeds(runs[one]) == _seeds(runs[other])]
    if not pairs:
        return ""
    mean = own.contrast(runs, pairs)
    return f"The intended form of the loss above the released one: {_shown(mean)}."


def _beside(found: Sequence[dict], dataset: str, best: list[dict]) -> str:
    """The sentence on all terms with tf-idf texts against linear CCA and the networks that start at random."""
    rivals = image_text.by_method(found, dataset)
    named = {METHOD_NAMES[name]: records for name, records in rivals.items() if not METHODS[name].linear}
    linear = [record | record["baselines"]["linear_cca"] for record in best]
    shown = [
        f"{title} {_shown(own.contrast({'one': best, 'other': records}, [('one', 'other')]))}"
        for title, records in (named | {METHOD_NAMES["linear_cca"]: linear}).items()
        if _seeds(records) == _seeds(best)
    ]
    return f"All terms there, above other methods on the same queries, mean of both directions – {'; '.join(shown)}."


def _shown(mean: Mean) -> str:
    return markdown.with_interval(mean.value, mean.interval(), signed=True)


def ablation(runs: Named) -> str:
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
    data = runs["all"][0]["data"]
    return (
        f"{data['train']:,} training and {data['test']:,} test pairs. The intervals are over groups of queries and "
        f"over seeds. {summaries.fitted(runs['all'][0]['baselines']['linear_cca'])}\n\n"
        f"{markdown.table(header, rows, right=header[2:])}"
    )


def effects(runs: Named) -> str:
    """What each term adds to image → text alone in the same form of the loss: MRR and coherence, paired, in words."""
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
    told = f"{tables.together(tested, p_values)} {_over(runs)}" if tested else ""
    return f"{markdown.table(header, rows, right=header[2:])}\n{told}\n"


def _pooled(runs: Named) -> str:
    """The sentence on the one contrast of all terms for neighbours."""
    same = {name: records for name, records in runs.items() if _seeds(records) == _seeds(runs["none"])}
    mean = own.pooled(same)
    if mean is None:
        return ""
    return (
        "all terms for neighbours together, each against the same training without it, mean of both directions: "
        f"{_shown(mean)}."
    )


def _over(runs: Named) -> str:
    """The sentence on what the intervals of the shares are over."""
    if all(_has_shares(records, kind) for records in runs.values() for kind in own.KINDS):
        return "All intervals are over groups of test items and over seeds."
    return (
        "The intervals of the last two columns are over seeds alone and too narrow for other items: these records keep "
        "no share of single items."
    )


def _seeds(records: list[dict]) -> list[int]:
    return [record["seed"] for record in records]


def _has_shares(records: list[dict], kind: str) -> bool:
    return all("label_shares" in record["coherence"][kind] for record in records)


def on_tfidf(dataset: str, runs: Named, weighed: Named) -> str:
    """The ablation with the text encoder of paper A's methods: what it gains, its scores, and what each term adds."""
    if not weighed:
        return MISSING.format(f"{dataset} with tf-idf texts")
    best = weighed["all"]
    gains = []
    for way, arrow in evaluate.direction_names(dataset).items():
        gains.append(f"{arrow} {summaries.shown(*own.difference(best, runs['all'], way))}")
    gained = "All terms on tf-idf texts, above all terms with the released text encoder on the same queries and seeds"
    return f"{gained}: MRR {'; '.join(gains)}. {summaries.gain(best)}\n\n{ablation(weighed)}\n{effects(weighed)}"


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


def search(runs: Named) -> str:
    """The sentence on the search for neighbours, from the records."""
    found = [r["neighbors"] for r in runs["all"]]
    ten = min(n["hnsw_recall10"] for n in found)
    every = min(n["hnsw_recall_k"] for n in found)
    first = found[0]
    return (
        f"{first['items']:,} training texts ({first['left_out']} without a word left out), {first['k']} neighbours "
        f"each, by {first['index']} search.{_unknown(first)} On the same Doc2Vec vectors nmslib's HNSW finds at least "
        f"{100 * ten:.1f} % of the 10 nearest and {100 * every:.1f} % of all {first['k']}, in every seed.\n"
    )


def _unknown(found: dict) -> str:
    if "unknown_train" not in found:  # older records
        return ""
    return (
        f" {found['unknown_train']} training and {found['unknown_test']} test texts have no word that Doc2Vec knows; "
        "their neighbours say nothing."
    )


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


def figure(dataset: str, runs: Named) -> str:
    """The figure of all configurations, with the MRR of each in its alternative text."""
    way, arrow = list(evaluate.direction_names(dataset).items())[1]
    values = "; ".join(
        f"{', '.join(own.configuration(name))} {np.mean([r['metrics'][way]['mrr'] for r in records]):.3f}"
        for name, records in runs.items()
    )
    return markdown.figure(
        f"neighborhoods-{dataset}",
        f"Dots of MRR, one row a configuration. {arrow} – {values}.",
        f"Test MRR of every configuration on {dataset}, a dot a seed; the line is linear CCA.",
    )


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
