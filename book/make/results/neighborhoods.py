"""What the book shows of the runs with semantic neighbourhoods: the ablation, part of `book.make`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from book.make.results import image_text, tables
from book.make.results.findings import NAMES
from book.make.results.runs import BASELINES, Runs, baselines, grouped
from book.make.results.tables import BACK
from book.show import neighborhood_summaries as own
from book.show import summaries
from book.show.drawings import Drawing
from xmlib import evaluate
from xmlib.methods import METHODS
from xmlib.neighborhoods.study import CONFIGURATIONS, RELEASED
from xmlib.scoring import intervals
from xmlib.scoring.intervals import Mean
from xmlib.show.figures import METHOD_COLORS

METHOD = "neighborhoods"
OTHER_HEAD = "ccal_neighborhoods"
TFIDF = "tfidf"  # the other text encoder
DATASETS = ("emoji", "openclipart")
FORMS = {"intended": METHOD_COLORS["neighborhoods"], "released": METHOD_COLORS["learned_cont"]}
Named = dict[str, Runs]  # configuration → its runs


def fragments(found: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown, for every fragment that the page on neighbourhoods' results includes."""
    found, result = summaries.one_linear_cca(found), {}
    for dataset in DATASETS:
        study = Study.of(found, dataset)
        for name, values in VALUES.items():
            used = study if values in WIDE else replace(study, weighed={}, on_cca={}, rivals={})
            text = filled(name, values, used) if study.runs else filled("missing", {"what": dataset})
            result[f"neighborhoods_{dataset}_{name}.md"] = text
    return result


def filled(name: str, values: dict | Callable[..., dict], *of: Any) -> str:
    """The template of this page's fragment `name` with its values, see `tables.filled`."""
    return tables.filled(f"neighborhoods_{name}", values, *of)


def pictures(found: Sequence[dict], draw: Callable[[Callable], Drawing]) -> dict[str, Drawing]:
    """File name → SVG: MRR of every configuration of each data set, every seed a dot."""
    found = summaries.one_linear_cca(found)
    runs = {dataset: by_configuration(found, dataset) for dataset in DATASETS}
    return {f"neighborhoods-{name}.svg": draw(partial(draw_ablation, named)) for name, named in runs.items() if named}


def by_configuration(found: Sequence[dict], dataset: str, method: str = METHOD, encoder: str = "") -> Named:
    """The committed runs of the ablation by configuration, in the order of the table.

    `encoder`: of the texts, empty for the released one. Empty unless all terms and none of them are there, since
    everything is compared with those.
    """
    names = {"-".join(filter(None, (encoder, "" if name == "all" else name))): name for name in CONFIGURATIONS}
    kept = [r for r in found if (r["dataset"], r["method"], r["profile"]) == (dataset, method, "full")]
    kept = [record for record in kept if record["variant"] in names]
    runs = grouped(kept, lambda record: CONFIGURATIONS.index(names[record["variant"]]))
    named = {CONFIGURATIONS[place]: own for place, own in runs.items()}
    return named if method != METHOD or {"all", "none"} <= set(named) else {}


@dataclass(frozen=True)
class Study:
    """All that the page shows of one data set."""

    dataset: str
    runs: Named
    weighed: Named  # with tf-idf texts
    on_cca: Named  # with the CCA layer
    rivals: image_text.Methods

    @classmethod
    def of(cls, found: Sequence[dict], dataset: str) -> "Study":
        return cls(
            dataset,
            by_configuration(found, dataset),
            by_configuration(found, dataset, encoder=TFIDF),
            by_configuration(found, dataset, OTHER_HEAD),
            image_text.by_method(found, dataset),
        )

    @property
    def ways(self) -> dict[str, str]:
        """What readers call the two directions."""
        return evaluate.direction_names(self.dataset)


def short(study: Study) -> dict:
    """What comes first: terms for neighbours together, both forms of the loss, the other text side."""
    told: dict = {"name": NAMES[study.dataset], "pooled": _pooled(study.runs), "forms": _forms(study.runs)}
    if not study.weighed:
        return told | {"weighed": None}
    return told | {"weighed": {"pooled": _pooled(study.weighed), "beside": _beside(study.weighed["all"], study.rivals)}}


def _forms(runs: Named) -> Mean | None:
    """The intended form of the loss above the released one, over all terms and both directions."""
    pairs = [(name, name + RELEASED) for name in runs if name + RELEASED in runs]
    pairs = [(one, other) for one, other in pairs if runs[one].seeds == runs[other].seeds]
    return own.contrast(runs, pairs) if pairs else None


def _beside(best: Runs, rivals: image_text.Methods) -> dict[str, Mean]:
    """All terms with tf-idf texts above linear CCA and the networks that start at random, by their names."""
    named = {run.title: run for name, run in rivals.items() if not METHODS[name].linear}
    linear = Runs(record | record["baselines"]["linear_cca"] for record in best)
    return {
        title: own.contrast({"one": best, "other": run}, [("one", "other")])
        for title, run in (named | {BASELINES["linear_cca"]: linear}).items()
        if run.seeds == best.seeds
    }


def ablation(study: Study) -> dict:
    """MRR with intervals and R@10 of every configuration in both directions, and of the baselines."""
    first = study.runs["all"].first
    return {
        "data": first["data"],
        "linear_cca": summaries.fitted(first["baselines"]["linear_cca"]),
        "runs": _told(study.runs),
        "baselines": {title: side["metrics"] for title, side in baselines(first).items()},
        "ways": study.ways,
    }


def _told(runs: Named) -> list[tuple[str, str, Runs]]:
    """Every configuration: what its terms and its form of the loss are called, and its runs."""
    return [(*own.configuration(name), run) for name, run in runs.items()]


def effects(study: Study) -> dict:
    """What each term adds to image → text alone in the same form of the loss: MRR and coherence, paired."""
    rows, tested = [], []
    for name, run in study.runs.items():
        base = study.runs.get("none" + RELEASED if name.endswith(RELEASED) else "none")
        if base is not None and run is not base and run.seeds == base.seeds and len(run) > 1:
            mrr = [_difference(run, base, way) for way in study.ways]
            tested += mrr
            means = [*mrr, *(coherence_mean(run, base, kind) for kind in own.KINDS)]
            rows.append((*own.configuration(name), [(mean.value, mean.interval()) for mean in means]))
    return {
        "rows": rows,
        "ways": study.ways,
        "kinds": own.KINDS.values(),
        "together": tables.together([mean.interval() for mean in tested], [mean.p for mean in tested]),
        "shares": all(has_shares(run, kind) for run in study.runs.values() for kind in own.KINDS),
    }


def _difference(run: Runs, base: Runs, way: str) -> Mean:
    one, other = (summaries.reciprocal_ranks(found, way) for found in (run, base))
    return intervals.paired_mean(one, other, run.first["data"]["test_groups"])


def _pooled(runs: Named) -> Mean | None:
    """The one contrast of all terms for neighbours."""
    return own.pooled({name: run for name, run in runs.items() if run.seeds == runs["none"].seeds})


def has_shares(run: Runs, kind: str) -> bool:
    """Whether the records keep the share of every item."""
    return all("label_shares" in record["coherence"][kind] for record in run)


def tfidf(study: Study) -> dict:
    """The ablation with the text encoder of the other methods: what it gains, its scores, and what each term adds."""
    if not study.weighed:
        return {"dataset": study.dataset, "gains": {}}
    best, weighed = study.weighed["all"], replace(study, runs=study.weighed)
    return {
        "dataset": study.dataset,
        "gains": {arrow: own.difference(best, study.runs["all"], way) for way, arrow in study.ways.items()},
        "above_linear_cca": summaries.gain(best),
        "ablation": filled("ablation", ablation(weighed)),
        "effects": filled("effects", effects(weighed)),
    }


def coherence_mean(run: Runs, base: Runs, kind: str) -> Mean:
    """Mean gain in the share of near items with the same label, with its error over items and seeds.

    Over seeds alone where the records keep no share of single items.
    """
    if has_shares(run, kind) and has_shares(base, kind):
        one, other = ([r["coherence"][kind]["label_shares"] for r in found] for found in (run, base))
        return intervals.paired_mean(one, other, run.first["data"]["test_groups"])
    gains = [a["coherence"][kind]["label"] - b["coherence"][kind]["label"] for a, b in zip(run, base, strict=True)]
    return Mean(float(np.mean(gains)), float(np.std(gains, ddof=1)) / len(gains) ** 0.5, len(gains) - 1.0)


def coherence(study: Study) -> dict:
    """The share of an item's ten nearest that are near in text space or have its label: before, after, by chance."""
    best = study.runs["all"]
    shares = [(kind, measure) for kind in own.KINDS for measure in ("label", "text")]
    return {
        "before": [best.mean("coherence", f"{kind}_before", measure) for kind, measure in shares],
        "after": [
            (terms, form, [run.mean("coherence", kind, measure) for kind, measure in shares])
            for terms, form, run in _told(study.runs)
        ],
        "chance": [best.first["coherence"][kind][f"{measure}_chance"] for kind, measure in shares],
    }


def search(study: Study) -> dict:
    """The search for neighbours, from the records; the shares found are those of the worst seed."""
    found = [r["neighbors"] for r in study.runs["all"]]
    return {
        "first": found[0],
        "of_ten": min(n["hnsw_recall10"] for n in found),
        "of_all": min(n["hnsw_recall_k"] for n in found),
    }


def pools(study: Study) -> dict:
    """The sentence on small pools of candidates."""
    return {"pools": own.pools(study.runs["all"])}


def others(study: Study) -> dict:
    """The same terms with tf-idf texts and on the CCA layer, and the other methods, by what they are called."""
    shown = {"all terms": study.runs["all"], "image → text alone": study.runs["none"]}
    if study.weighed:
        weighed = {"all terms, tf-idf texts": study.weighed["all"]}
        shown |= weighed | {"image → text alone, tf-idf texts": study.weighed["none"]}
    if "all" in study.on_cca:
        shown["all terms, on the CCA layer"] = study.on_cca["all"]
    return {
        "runs": shown | {run.title: run for run in study.rivals.values()},
        "linear_cca": (study.weighed or study.runs)["all"].first["baselines"]["linear_cca"]["metrics"],
        "ways": study.ways,
        "mirrored": image_text.mirrored(study.rivals),
    }


def figure(study: Study) -> dict:
    """Of the figure of all configurations, the MRR of each in the second direction."""
    mrrs = {f"{terms}, {form}": run.mrr(BACK) for terms, form, run in _told(study.runs)}
    return {"dataset": study.dataset, "arrow": study.ways[BACK], "mrrs": mrrs}


VALUES: dict[str, Callable[[Study], dict]] = {
    values.__name__: values for values in (short, ablation, effects, coherence, tfidf, search, pools, others, figure)
}  # name of a fragment → what fills its template
WIDE = (short, tfidf, others)  # those that look beyond the ablation itself


def draw_ablation(runs: Named) -> Figure:
    """MRR of every seed, a row a configuration, both directions side by side, and linear CCA as a line."""
    first = runs["all"].first
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
