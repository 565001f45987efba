"""Whether a record is one: its form, the names in it, and whether its numbers are those of its ranks."""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from xmlib import evaluate
from xmlib.evaluate import DIRECTIONS
from xmlib.methods import METHODS
from xmlib.profiles import PROFILES
from xmlib.scoring import relevance

NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]*", re.I | re.A)  # part of a file's name: no folder, no pattern, not hidden
COMMIT = re.compile(r"([0-9a-f]{7,64}\+?)?")  # readers are told to check it out
NUMBER = (int, float)
METRICS = dict.fromkeys((*evaluate.chance_metrics(1), "hubness"), NUMBER) | {"mrr_interval": [NUMBER]}
SCORES = {
    "metrics": dict.fromkeys(DIRECTIONS, METRICS),
    "ranks": dict.fromkeys(DIRECTIONS, [NUMBER]),
    "ties": dict.fromkeys(DIRECTIONS, dict),
}
CHANCE = {"metrics": dict.fromkeys(DIRECTIONS, dict.fromkeys(evaluate.chance_metrics(1), NUMBER))}
POOLS = dict.fromkeys(DIRECTIONS, {"ways": int, "accuracy": NUMBER})
EPOCH = dict.fromkeys(("epoch", "phase", "lr", "loss", "train_mrr", "valid_mrr", "seconds"), NUMBER)
# A type, several of them, [what every item is] or {key: what its value is}; keys that are not named may hold anything.
FORM: dict[str, Any] = {
    **dict.fromkeys(("notebook", "dataset", "method", "profile", "stopped", "commit"), str),
    **dict.fromkeys(("seed", "best_epoch"), int),
    **dict.fromkeys(("valid_mrr", "wall_seconds", "peak_memory_mb"), NUMBER),
    **dict.fromkeys(("parameters", "settings", "packages", "code"), dict),
    "converged": bool,
    "data": {"digest": str, **dict.fromkeys(("train", "valid", "test"), int), "test_groups": [int]},
    "history": [EPOCH],
    "machine": {**dict.fromkeys(("device", "processor", "system", "python"), str), "threads": int},
    **SCORES,
}
OPTIONAL = {"variant": str, "pools": POOLS}


def fault(record: dict) -> str:
    """What is wrong with a record, to be said after "it is no sound record: "; empty if nothing is."""
    checks = (_form, unfit_name, _unknown, _disagreement, _impossible, _changed)
    return next((problem for check in checks if (problem := check(record))), "")


def _form(record: dict) -> str:
    """What is missing or of another type than it should be."""
    baselines = record.get("baselines")
    known = baselines if isinstance(baselines, dict) else {}
    sides = {name: CHANCE if name == "chance" else SCORES for name in known}
    optional = {key: form for key, form in OPTIONAL.items() if key in record}
    return _misfit(record, FORM | {"baselines": sides} | optional).lstrip(".")


def _misfit(value: Any, form: Any) -> str:
    """The first place whose value has another form, and what is wrong with it."""
    types = form if isinstance(form, tuple) else (form if isinstance(form, type) else type(form),)
    if type(value) not in types:  # True is no number
        return f" is of type {type(value).__name__} and not {' or '.join(t.__name__ for t in types)}"
    if type(value) is int and abs(value) >= 2**63:
        return " is too large"
    below: dict = form if isinstance(form, dict) else {}
    if isinstance(form, list):  # thousands of numbers: one of each type is enough
        value = dict(enumerate(value if isinstance(form[0], dict) else {type(item): item for item in value}.values()))
        below = dict.fromkeys(value, form[0])
    for key, inner in below.items():
        problem = _misfit(value[key], inner) if key in value else " is missing"
        if problem:
            return (f".{key}" if isinstance(form, dict) else "") + problem
    return ""


def unfit_name(record: dict) -> str:
    """Which part of a record's name does not name a file in its folder; empty if all do."""
    for key in ("profile", "dataset", "method", "variant"):
        value = record.get(key, "")
        if not (value == "" and key == "variant" or isinstance(value, str) and NAME.fullmatch(value)):
            return f"its {key} {str(value)[:80]!r} cannot be part of a file's name"
    return "" if type(record["seed"]) is int and record["seed"] >= 0 else f"its seed is {str(record['seed'])[:80]!r}"


def _unknown(record: dict) -> str:
    """Which method, profile or commit is none."""
    if record["profile"] not in PROFILES or record["method"] not in METHODS:
        return f"there is no method {record['method']!r} or no profile {record['profile']!r}"
    return "" if COMMIT.fullmatch(record["commit"]) else f"its commit {record['commit'][:80]!r} is not hexadecimal"


def _disagreement(record: dict) -> str:
    """Which places of the record say different things."""
    parameters, best = record["parameters"], record["best_epoch"]
    for key in ("method", "profile", "seed", "dataset"):
        if parameters.get(key, record[key]) != record[key]:
            return f"its {key} is {record[key]!r} and in its parameters {parameters[key]!r}"
    if not 1 <= best <= len(record["history"]) or record["history"][best - 1]["valid_mrr"] != record["valid_mrr"]:
        return f"valid_mrr {record['valid_mrr']} is not that of best_epoch, {best}, in its history"
    if record["converged"] != (record["stopped"] == "patience"):
        return f"converged is {record['converged']}, but the run was stopped by {record['stopped']!r}"
    return ""


def _scored(record: dict) -> dict[str, dict]:
    """The test of the method and those of the baselines, each with where it stands."""
    return {"": record} | {f"baselines.{name}.": s for name, s in record["baselines"].items() if name != "chance"}


def _impossible(record: dict) -> str:
    """Where there are ranks that no query can have among the test pairs."""
    n = record["data"]["test"]
    if len(record["data"]["test_groups"]) != n:
        return f"data.test_groups has {len(record['data']['test_groups'])} entries for {n} test pairs"
    for where, scores in _scored(record).items():
        for way in DIRECTIONS:
            ranks, ties = scores["ranks"][way], scores["ties"][way]
            if not _possible(ranks, ties, n):
                return f"{where}ranks.{way} and ties.{way} are not those of {n} queries"
            low, high = (*scores["metrics"][way]["mrr_interval"], -1, -1)[:2]
            if not 0 <= low <= high <= 1:
                return f"{where}metrics.{way}.mrr_interval is no interval from 0 to 1"
    return ""


def _possible(ranks: list[float], ties: dict[str, int], n: int) -> bool:
    """Whether every one of `n` ranks is b + (t + 1) / 2 for whole numbers b and t."""
    queries, counts = set(map(str, range(n))), ties.values()
    if len(ranks) != n or not n or not 1 <= min(ranks) <= max(ranks) <= n or not set(ties) <= queries:
        return False
    if any(type(count) is not int or not 1 < count <= n for count in counts):
        return False
    tied = np.ones(n)
    tied[[int(query) for query in ties]] = list(counts)
    better = np.array(ranks, dtype=float) - (tied + 1) / 2
    return bool(((better >= 0) & (better == np.floor(better)) & (better + tied <= n)).all())


def _changed(record: dict) -> str:
    """The first number that is not what the ranks give."""
    for where, said, expected in _recomputed(record):
        for name, value in expected.items():
            if not math.isclose(said[name], value, rel_tol=1e-9, abs_tol=1e-12):  # other processors sum otherwise
                return f"{where}.{name} is {said[name]}, but its ranks give {value}"
    return ""


def _recomputed(record: dict) -> Iterator[tuple[str, dict, dict]]:
    """Where numbers stand, what the record says there, and what its ranks give."""
    n = record["data"]["test"]
    for where, scores in _scored(record).items():
        for way in DIRECTIONS:
            standing = evaluate.recorded_standing(scores, way)
            yield f"{where}metrics.{way}", scores["metrics"][way], evaluate.metrics_of(*standing)
    for way in DIRECTIONS:
        if "chance" in record["baselines"]:
            chance = record["baselines"]["chance"]["metrics"][way]
            yield f"baselines.chance.metrics.{way}", chance, evaluate.chance_metrics(n)
        if "pools" in record:
            pool, standing = record["pools"][way], evaluate.recorded_standing(record, way)
            accuracies = relevance.pool_accuracies(*standing, n, pool["ways"])
            yield f"pools.{way}", pool, {"accuracy": 100 * float(accuracies.mean())}
