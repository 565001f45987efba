"""What the tables and sentences on sheet music and sound say: pure functions from records to values of templates."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from book.make import sources, templates
from book.make.results.runs import BASELINES, NOT_CONVERGED, PROFILES, Runs, baselines, differences, rivals, title
from xmlib.data import audio_score
from xmlib.encoders import filters
from xmlib.evaluate import DIRECTIONS
from xmlib.profiles import settings
from xmlib.runs import fingerprint, records
from xmlib.scoring import baselines as linear_cca
from xmlib.scoring import intervals
from xmlib.scoring.intervals import Interval

FORTH, BACK = DIRECTIONS
WAYS = {"forth": FORTH, "back": BACK}


def filled(name: str, values: dict | Callable[..., dict], *of: Any) -> str:
    """The template of the fragment `name` with its values.

    Where `values` is a function, they are what it makes of `of`, and the text begins with comments that say so: the
    site shows them below each table and figure.
    """
    if isinstance(values, dict):
        return templates.fill(f"results/{name}.md", **values)
    text = templates.fill(f"results/{name}.md", **values(*of))
    return sources.comments(values, *of) + text if text else text


def longest_table(runs: Sequence[Runs], reported_numbers: Sequence[dict]) -> dict:
    """The longest runs of each method, the baselines on the same pairs, and what all these leave open.

    Validation MRR stands beside the reported one, which is of validation too.
    """
    numbers = {entry["method"]: entry for entry in reported_numbers if entry["dataset"] == "audio_score"}
    return {"rivals": by_profile(runs), "reported": numbers, **WAYS, **limits(runs)}


def readme(runs: Sequence[Runs], reported_numbers: Sequence[dict]) -> dict:
    """The README's table: the home page's with the time of a run and the machine, in plain Markdown."""
    return longest_table(runs, reported_numbers) | {"readme": True}


def headline(runs: Sequence[Runs], reported_numbers: Sequence[dict]) -> dict:
    """The home page's table, the machines with their records, and the method that validation chooses."""
    endings = {run.ending for run in runs}
    machines: dict[tuple, list[dict]] = {}
    for record in told(runs):
        about = record["machine"]
        machines.setdefault((about["processor"], about["threads"], about["cores"]), []).append(record)
    return {
        **longest_table(runs, reported_numbers),
        **(reading(rivals(runs)[0]) if runs else {}),
        "readme": False,
        "machines": list(machines.values()),
        "planned": bool(endings - {"", NOT_CONVERGED}),
        "stopped": NOT_CONVERGED in endings,
    }


def limits(runs: Sequence[Runs]) -> dict:
    """What these runs cannot say, as far as their records tell."""
    found = [record for run in runs for record in run]
    patient = [record for record in found if record["stopped"] != "schedule"]  # not at the end of an annealed plan
    return {
        "own_pairs": any(record["parameters"].get("dataset_file") for record in found),
        "one_seed": all(len(run) == 1 for run in runs),
        "refined": any(row["phase"] > 0 for record in patient for row in record["history"]) or not patient,
        "outdated": sorted({run.profile for run in runs if _outdated(run.first)}),
        "planned": len(found) - len(patient),
        "last": sum(record["best_epoch"] > 0.95 * len(record["history"]) for record in patient),
        "count": len(patient),
    }


def _outdated(record: dict) -> bool:
    """Whether a run had other settings than its profile has today, or another number of built training pairs."""
    today = asdict(settings(record["profile"], record["dataset"], record["method"]))
    kept = {name: value for name, value in record["settings"].items() if name in today}
    built = not record["parameters"].get("dataset_file")
    other_pairs = built and record["data"]["train"] != audio_score.PROFILES[record["profile"]].train
    return other_pairs or kept != {name: today[name] for name in kept}


def reading(same_pairs: Sequence[Runs]) -> dict:
    """Which method validation chooses, and what it gains on the test set."""
    chosen = max(same_pairs, key=lambda run: run.valid_mrr)
    compared = (chosen.title, BASELINES["linear_cca"])
    return {
        "chosen": chosen,
        "networks": len(same_pairs),
        "linear": chosen.first["baselines"]["linear_cca"]["metrics"],
        "gain": next(d for d in differences(same_pairs, FORTH) if (d.one, d.other) == compared),
        **WAYS,
    }


def by_profile(runs: Sequence[Runs]) -> list[dict[str, Any]]:
    """The runs on the same pairs of a profile with their baselines, longest profile first."""
    return [{"profile": own[0].profile, "runs": own, "baselines": baselines(own[0].first)} for own in rivals(runs)]


def profiles_of(runs: Sequence[Runs]) -> dict:
    """The runs by profile with their baselines."""
    return {"rivals": by_profile(runs)}


def provenance(runs: Sequence[Runs]) -> dict:
    """Every record with what the page of their origin says of it."""
    return {"records": told(runs)}


def told(runs: Iterable[Runs]) -> list[dict]:
    """Every record with what a page says of it besides: its file, how it ended, and its code in a few digits."""
    return [
        record
        | {
            "file": records.file_name(record),
            "ending": records.ending(record),
            "digits": fingerprint.short(record["code"]),
        }
        for run in runs
        for record in run
    ]


def curves(runs: Sequence[Runs]) -> dict:
    """The learning curves of every profile, and the profiles that have none."""
    there = {run.profile for run in runs} or {"quick"}  # without any records that profile is named already
    return {"rivals": by_profile(runs), "missing": [name for name in PROFILES if name not in there]}


def metrics(runs: Sequence[Runs]) -> dict:
    """Every record on the same pairs, one a seed, with the baselines."""
    found = [own | {"records": [(run.title, told([run])) for run in own["runs"]]} for own in by_profile(runs)]
    return {"rivals": found, "ways": DIRECTIONS}


def paired(runs: Sequence[Runs]) -> dict:
    """The differences of MRR between methods, query by query, in both directions, and how many hold together."""
    found = []
    for own in by_profile(runs):
        columns = [differences(own["runs"], way) for way in DIRECTIONS]
        both = [difference for column in columns for difference in column]
        counted = together([d.interval for d in both], [d.p for d in both])
        found.append(own | {"differences": list(zip(*columns, strict=True)), "together": counted})
    return {"rivals": found}


def together(between: Sequence[Interval], p_values: Sequence[float]) -> dict[str, int]:
    """How many of several differences have an interval without 0, alone and all together (Holm)."""
    return {
        "count": len(between),
        "above": sum(low > 0 for low, _ in between),
        "below": sum(high < 0 for _, high in between),
        "left": int((intervals.holm(p_values) < 0.05).sum()),
    }


def reported(entries: Sequence[dict], dataset: str) -> dict:
    """The published numbers of one data set, each with its source."""
    kept = [entry | {"title": title(entry["method"])} for entry in entries if entry["dataset"] == dataset]
    return {"entries": kept}


def current(found: Sequence[dict]) -> dict[str, int]:
    """How many records there are, and how many of other code than this, which would not be repeated as they are."""
    return {"count": len(found), "other": sum(bool(records.stale(record)) for record in found)}


def profiles() -> dict:
    """What the profiles fix: encoders, limit of epochs, pairs."""
    chosen = {name: settings(name) for name in PROFILES}
    return {
        "profiles": [
            {"name": name, "size": audio_score.PROFILES[name], "filters": filters(own.width), **asdict(own)}
            for name, own in chosen.items()
        ]
    }


def all_settings() -> dict:
    """Every setting at every profile, under its name in the code."""
    columns = [asdict(settings(name)) for name in PROFILES]
    return {"profiles": PROFILES, "settings": {key: [column[key] for column in columns] for key in columns[0]}}


def grid() -> dict:
    """The settings among which linear CCA is chosen."""
    return {
        "components": linear_cca.COMPONENTS,
        "ridges": linear_cca.RIDGES,
        "directions": linear_cca.DIRECTIONS,
    }
