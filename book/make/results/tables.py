"""Tables and sentences of the book, in Markdown: pure functions from records to text."""

from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction

import numpy as np

from book.make import markdown
from book.make.results.runs import BASELINES, PROFILES, Runs, differences, rivals, title
from xmlib.data import audio_score
from xmlib.encoders import filters
from xmlib.evaluate import DIRECTIONS, chance_metrics
from xmlib.profiles import settings
from xmlib.runs import fingerprint, records
from xmlib.scoring import baselines, intervals
from xmlib.scoring.intervals import Interval
from xmlib.show.units import duration

CUTOFFS = {"r1": "R@1 (%)", "r5": "R@5", "r10": "R@10", "r25": "R@25"}
RANKS = {"median_rank": "Median rank", "mean_rank": "Mean rank"}
REST = {"mean_distance": "Distance", "hubness": "Hubness"}
NAMES = CUTOFFS | RANKS | REST | {"mrr": "MRR"}
MRR_COLUMNS = [f"MRR {name}" for name in DIRECTIONS.values()]
VALIDATION = ["Validation MRR ¹", "Reported ¹"]
FOOTNOTE = (
    "¹ Best validation MRR, sheet → audio: ours, and that on the papers' data by the readme of the released code.\n"
    "These are other pairs and candidates; the order can be compared, the numbers cannot.\n"
)
ABOUT = ["Profile", "Width", "Epochs", "Seeds"]


def machine(record: dict) -> str:
    """The machine in a few words: its processor or GPU, and the threads of the run."""
    about = record["machine"]
    return markdown.escape(f"{about['processor']}, {about['threads']} of {about['cores']} CPU cores")


def profile(run: Runs) -> str:
    """`medium`, or with how the runs ended `quick, *16 epochs*`."""
    return f"{run.profile}, *{run.ending}*" if run.ending else run.profile


def width(run: Runs) -> str:
    """The width factor of the encoders as a small fraction: `1`, `1/3`."""
    return _fraction(run.first["settings"]["width"])


def epochs(run: Runs) -> str:
    """The number of epochs trained, or its range over the seeds."""
    counts = sorted({len(record["history"]) for record in run.records})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def seeds(run: Runs) -> str:
    """`1`, or `3 (0.579–0.588)`: the number of seeds and the range of their MRR in the first direction."""
    if len(run.records) == 1:
        return "1"
    low, high = run.spread(next(iter(DIRECTIONS)))
    return f"{len(run.records)} ({markdown.number(low)}–{markdown.number(high)})"


def page(run: Runs) -> str:
    """A link to the executed notebook of the method."""
    return f"[{run.title}](results/{run.first['dataset']}-{run.method}.ipynb)"


def headline(runs: Sequence[Runs], reported_numbers: Sequence[dict]) -> str:
    """The home page's table: the longest runs of each method, with the baselines on the same pairs below them.

    Validation MRR stands beside the reported one, which is of validation too, and what the runs leave open below.
    """
    header = ["Method", *MRR_COLUMNS, *VALIDATION, *ABOUT]
    rows = []
    for same_pairs in rivals(runs):
        rows += [[page(run), *_run_cells(run, reported_numbers)] for run in same_pairs]
        rows += _baseline_rows(same_pairs, len(header))
    return f"{markdown.table(header, rows, right=[*MRR_COLUMNS, *VALIDATION])}\n{FOOTNOTE}\n{limits(runs)}"


def limits(runs: Sequence[Runs]) -> str:
    """What these runs cannot say, in plain words, as far as their records tell; empty where there is nothing of it."""
    records_of_all = [record for run in runs for record in run.records]
    told = []
    if not any(record["parameters"].get("dataset_file") for record in records_of_all):
        told.append("No run is on the papers' own pairs, so their numbers are neither confirmed nor refuted.")
    if all(len(run.records) == 1 for run in runs):
        told.append("There is one seed a method: a difference may be luck of the seed.")
    if all(row["phase"] == 0 for record in records_of_all for row in record["history"]):
        told.append("No run has come to the refinements of the released schedule.")
    if old := sorted({run.profile for run in runs if _outdated(run.first)}):
        told.append(
            f"The runs of the profile {' and '.join(old)} were made with other settings or pairs than it has today; "
            "their records say with which."
        )
    last = sum(record["best_epoch"] > 0.95 * len(record["history"]) for record in records_of_all)
    if last:
        told.append(
            f"In {last} of {len(records_of_all)} runs the best epoch is among the last: longer ones may do better."
        )
    return " ".join(told) + "\n"


def _outdated(record: dict) -> bool:
    """Whether a run had other settings than its profile has today, or another number of built training pairs."""
    today = asdict(settings(record["profile"], record["dataset"], record["method"]))
    kept = {name: value for name, value in record["settings"].items() if name in today}
    built = not record["parameters"].get("dataset_file")
    other_pairs = built and record["data"]["train"] != audio_score.PROFILES[record["profile"]].train
    return other_pairs or kept != {name: today[name] for name in kept}


def made_by(runs: Sequence[Runs]) -> str:
    """The sentences on the machines of these runs, with a link to every record."""
    machines: dict[str, list[str]] = {}
    for run in runs:
        for record in run.records:
            file = f"{{download}}`{record['method']}, seed {record['seed']} <records/{records.file_name(record)}>`"
            machines.setdefault(machine(record), []).append(file)
    return "".join(f"Made on {name}. Records: {', '.join(files)}.\n\n" for name, files in machines.items())


def _run_cells(run: Runs, reported_numbers: Sequence[dict]) -> list[str]:
    scores = [markdown.with_interval(run.mrr(way), run.interval(way)) for way in DIRECTIONS]
    found = [e for e in reported_numbers if (e["dataset"], e["method"]) == (run.first["dataset"], run.method)]
    theirs = ", ".join(_approximate(entry, "mrr") for entry in found)
    return [*scores, markdown.number(run.valid_mrr), theirs, profile(run), width(run), epochs(run), seeds(run)]


def _baseline_rows(same_pairs: Sequence[Runs], columns: int) -> list[list[str]]:
    run, rows = same_pairs[0], []
    for key, name in BASELINES.items():
        metrics = run.first["baselines"][key]["metrics"]
        cells = [name, *(_mrr(metrics[way]) for way in DIRECTIONS), _validation(run, key), "", run.profile]
        rows.append(cells + [""] * (columns - len(cells)))
    return rows


def _validation(run: Runs, baseline: str) -> str:
    """The validation MRR of a baseline in the first direction; that of chance is exact."""
    if baseline == "chance":
        return markdown.number(chance_metrics(run.first["data"]["valid"])["mrr"])
    found = run.first["baselines"][baseline].get("valid_mrr")
    return markdown.number(found) if found is not None else ""


def _mrr(metrics: dict) -> str:
    if "mrr_interval" in metrics:
        return markdown.with_interval(metrics["mrr"], metrics["mrr_interval"])
    return markdown.number(metrics["mrr"])  # chance is exact


def readme(runs: Sequence[Runs], reported_numbers: Sequence[dict]) -> str:
    """The README's table, in plain Markdown: the home page's with the time of a run and the machine."""
    header = ["Method", *MRR_COLUMNS, *VALIDATION, *ABOUT, "Time a run", "Machine"]
    rows = []
    for same_pairs in rivals(runs):
        for run in same_pairs:
            time = duration(float(np.mean([record["wall_seconds"] for record in run.records])))
            rows.append([run.title, *_run_cells(run, reported_numbers), time, machine(run.first)])
        rows += _baseline_rows(same_pairs, len(header))
    return (
        f"{markdown.table(header, rows, right=[*MRR_COLUMNS, *VALIDATION])}\n"
        "The first two columns are of the test pairs; square brackets hold the 95 % interval over queries, round ones\n"
        "the range over seeds. Times are wall time, whatever else the machine did meanwhile.\n"
        f"{FOOTNOTE}\n{limits(runs)}"
    )


def all_metrics(same_pairs: Sequence[Runs], direction: str) -> str:
    """Every record on the same pairs, one row a seed, in one direction, with the baselines below."""
    columns = ["mrr", *CUTOFFS, *RANKS, *REST]
    rows = []
    for run in same_pairs:
        for record in run.records:
            ended = records.ending(record)
            seed = f"{record['seed']}, *{ended}*" if ended else str(record["seed"])
            rows.append([run.title, seed, *_metric_cells(record["metrics"][direction], columns)])
    for key, name in BASELINES.items():
        metrics = same_pairs[0].first["baselines"][key]["metrics"][direction]
        rows.append([name, "", *_metric_cells(metrics, columns)])
    names = [NAMES[key] for key in columns]
    return markdown.table(["Method", "Seed", *names], rows, right=names)


def _metric_cells(metrics: dict, columns: Sequence[str]) -> list[str]:
    digits = {"mean_distance": 2, "hubness": 2}
    return [
        ""
        if key not in metrics
        else _mrr(metrics)
        if key == "mrr"
        else markdown.number(metrics[key], digits.get(key, 1))
        for key in columns
    ]


def paired(same_pairs: Sequence[Runs]) -> str:
    """The differences of MRR between methods, query by query, in both directions, and how many hold together."""
    columns = [differences(same_pairs, direction) for direction in DIRECTIONS]
    rows = [
        [
            f"{found[0].one} − {found[0].other}",
            *(markdown.with_interval(d.value, d.interval, signed=True) for d in found),
        ]
        for found in zip(*columns, strict=True)
    ]
    found = [difference for column in columns for difference in column]
    text = together([d.interval for d in found], [d.p for d in found])
    return f"{markdown.table(['Difference', *MRR_COLUMNS], rows, right=MRR_COLUMNS)}\n{text}\n"


def together(between: Sequence[Interval], p_values: Sequence[float]) -> str:
    """The sentence on how many of several differences have an interval without 0, alone and all together (Holm)."""
    above, below = sum(low > 0 for low, _ in between), sum(high < 0 for _, high in between)
    left = int((intervals.holm(p_values) < 0.05).sum())
    return (
        f"Of these {len(between)} differences in MRR the interval lies above 0 in {above or 'no'} and below 0 in "
        f"{below or 'no'} {'case' if below == 1 else 'cases'}. Held against chance all together, by Holm's correction, "
        f"{left or 'none'} of them {'remains' if left < 2 else 'remain'}."
    )


def reading(same_pairs: Sequence[Runs]) -> str:
    """The sentences under the home page's table: which method validation chooses, and what it gains on the test set."""
    forth, back = DIRECTIONS
    chosen = max(same_pairs, key=lambda run: run.valid_mrr)
    data, linear = chosen.first["data"], chosen.first["baselines"]["linear_cca"]["metrics"]
    compared = (chosen.title, BASELINES["linear_cca"])
    gain = next(d for d in differences(same_pairs, forth) if (d.one, d.other) == compared)
    return (
        f"At the profile *{chosen.profile}* there are {data['train']:,} training and {data['test']:,} test pairs. "
        f"Of the {len(same_pairs)} networks run there, **{chosen.title}** has the highest validation MRR.\n\n"
        f"On the test set it has an MRR of {markdown.number(chosen.mrr(forth))} from sheet to audio "
        f"and {markdown.number(chosen.mrr(back))} from audio to sheet; "
        f"linear CCA has {markdown.number(linear[forth]['mrr'])} and {markdown.number(linear[back]['mrr'])}. "
        f"Query by query the gain over linear CCA is {markdown.with_interval(gain.value, gain.interval, signed=True)} "
        "from sheet to audio.\n"
    )


def reported(entries: Sequence[dict], dataset: str) -> str:
    """The published numbers of one data set, each with its source."""
    rows = []
    for entry in entries:
        if entry["dataset"] == dataset:
            shown = [f"{NAMES[key]} {_approximate(entry, key)}" for key in entry["metrics"]]
            source = f"{markdown.escape(entry['source'])} {{cite:p}}`{entry['cite']}`"
            data, split = f"`{entry['data']}`", markdown.escape(entry["split"])
            rows.append([title(entry["method"]), data, split, "; ".join(shown), source])
    return markdown.table(["Method", "Data", "Split", "Reported", "Source"], rows)


def _approximate(entry: dict, key: str) -> str:
    value = entry["metrics"][key]
    if entry["approximate"]:
        return f"≈ {value:g}"
    return markdown.number(value) if key in ("mrr", "mean_distance") else f"{value:g}"


def provenance(runs: Sequence[Runs]) -> str:
    """One row a record: the file, what ended the run, how long it took, where, and by which code."""
    header = ["Record", "Profile", "Epochs", "Best", "Ended by", "Time", "Memory", "Machine", "Commit", "Code"]
    rows = []
    for run in runs:
        for record in run.records:
            rows.append([
                f"{{download}}`{record['method']}, seed {record['seed']} <records/{records.file_name(record)}>`",
                profile(Runs((record,))),
                str(len(record["history"])),
                str(record["best_epoch"]),
                markdown.escape(record["stopped"]),
                duration(record["wall_seconds"]),
                f"{record['peak_memory_mb']:,.0f} MB",
                machine(record),
                f"`{record['commit']}`" if record["commit"] else "–",
                f"`{fingerprint.short(record['code'])}`",
            ])  # fmt: skip
    return markdown.table(header, rows, right=["Epochs", "Best", "Time", "Memory"])


def current(found: Sequence[dict]) -> str:
    """The sentence on how many records were made by other code than this, which would not be repeated as they are."""
    other = sum(bool(records.stale(r)) for r in found)
    if not other:
        return f"All {len(found)} records of this book were made by the code that is here.\n"
    return (
        f"Of the {len(found)} records of this book, {other} were made by code that differs from this in a module that "
        "decides numbers; `xm records list` says which modules. To run one of them again, check out "
        "its commit first.\n"
    )


def sizes(runs: Sequence[Runs]) -> str:
    """How many pairs each profile has, and the digest that names exactly these pairs."""
    header = ["Profile", "Training pairs", "Validation pairs", "Test pairs", "Groups in test", "Digest"]
    rows = []
    for same_pairs in rivals(runs):
        data = same_pairs[0].first["data"]
        counts = [data["train"], data["valid"], data["test"], len(set(data["test_groups"]))]
        rows.append([same_pairs[0].profile, *(f"{count:,}" for count in counts), f"`{data['digest'][:16]}`"])
    return markdown.table(header, rows, right=header[1:5])


def profiles() -> str:
    """What the profiles fix: encoders, limit of epochs, pairs."""
    header = ["Profile", "Width", "Filters", "Epochs at most", "Training pairs", "Validation", "Test"]
    rows = []
    for name in PROFILES:
        chosen, size = settings(name), audio_score.PROFILES[name]
        cells = [name, _fraction(chosen.width), "/".join(map(str, filters(chosen.width))), f"{chosen.epochs:,}"]
        rows.append(cells + [f"{count:,}" for count in (size.train, size.valid, size.test)])
    return markdown.table(header, rows, right=header[3:])


def all_settings() -> str:
    """Every setting at every profile, under its name in the code."""
    columns = [asdict(settings(name)) for name in PROFILES]
    rows = [[f"`{key}`", *(_value(column[key]) for column in columns)] for key in columns[0]]
    return markdown.table(["Setting", *PROFILES], rows, right=PROFILES)


def grid() -> str:
    """The settings among which linear CCA is chosen."""
    rows = [
        ["principal components of each view, or all of a view with fewer", ", ".join(map(str, baselines.COMPONENTS))],
        ["ridge, relative to the mean variance", ", ".join(map(_value, baselines.RIDGES))],
        ["canonical directions kept", ", ".join(map(str, baselines.DIRECTIONS))],
    ]
    return markdown.table(["Linear CCA", "Tried"], rows)


def _fraction(value: float) -> str:
    return str(Fraction(value).limit_denominator(24))


def _value(value: object) -> str:
    if value is None:
        return "by method"
    if isinstance(value, float):
        return _fraction(value) if 0.04 < value < 1 and round(value, 3) != value else f"{value:g}"
    return str(value)
