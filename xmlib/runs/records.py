"""Records: one JSON file a run, which holds everything that the book says of it and everything to repeat it."""

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from xmlib import methods, paths, profiles
from xmlib.data import DATASETS, Splits
from xmlib.errors import InputError
from xmlib.files import write_text
from xmlib.profiles import Settings
from xmlib.runs import fingerprint, record_checks
from xmlib.runs.parameters import check as check_parameters
from xmlib.runs.parameters import nested, varied

FORMAT = 2
EQUIVALENT = paths.RECORDS / "equivalent.json"
CODE = {
    "baselines": "scoring/baselines",
    "cca": "cca",
    "polar": "polar",
    "encoders": "encoders",
    "model": "model",
    "objectives": "objectives",
    "methods": "methods",
    "fit": "fit",
    "evaluate": "evaluate",
    "intervals": "scoring/intervals",
    "hubness": "scoring/hubness",
    "relevance": "scoring/relevance",
    "data/augment": "data/audio_score/augment",
}  # modules that decide the numbers: their name in records → where they are
NEIGHBORHOOD_CODE = CODE | {
    "text": "neighborhoods/text",
    "neighbors": "neighborhoods/neighbors",
    "angular": "neighborhoods/angular",
    "text_encoders": "neighborhoods/text_encoders",
    "pixel_encoders": "neighborhoods/pixel_encoders",
    "fit_neighborhoods": "neighborhoods/training",
    "neighborhoods": "neighborhoods/study",
}  # of methods with neighbourhoods
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "music21", "verovio", "resvg_py", "midirenderer")
NEIGHBORHOOD_PACKAGES = (*PACKAGES, "gensim", "nmslib")
RESULTS = (
    "history",
    "best_epoch",
    "stopped",
    "metrics",
    "ranks",
    "ties",
    "baselines",
    "corrections",
    "twins",
    "neighbors",
    "coherence",
    "pools",
    "captions",
)  # equal when run again
UNEQUAL = {"seconds"}  # inside the results, what no two runs share


def code_of(method: str = "") -> dict[str, str]:
    """Fingerprints of the modules that decide the numbers of a method."""
    return fingerprint.of(tuple((NEIGHBORHOOD_CODE if method in methods.NEIGHBORHOODS else CODE).items()))


def stale(record: dict) -> list[str]:
    """The modules that decide numbers and have changed since, but for changes that `confirm` has shown to move none."""
    today = code_of(record["method"])
    moved = {(e["module"], e["from"]): e["to"] for e in equivalences() if e["notebook"] == record["notebook"]}
    current = dict(record["code"])
    for module in fingerprint.changed(current, today):
        passed = set()
        while current.get(module) != today.get(module) and (step := (module, current.get(module))) in moved:
            if step in passed:
                break
            passed.add(step)
            current[module] = moved[step]
    return fingerprint.changed(current, today)


def equivalences() -> list[dict]:
    """What `confirm` has kept: for a notebook's runs, a module and two fingerprints that give the same numbers."""
    return json.loads(EQUIVALENT.read_text(encoding="utf-8")) if EQUIVALENT.exists() else []


def run_key(splits: Splits, method: str, settings: Settings, seed: int, device: torch.device) -> str:
    """Name of a run's folder: equal for two runs if and only if the longer continues the shorter."""
    kept = asdict(settings)
    if not settings.anneal:
        kept["epochs"] = None  # the limit does not change the epochs before it
    decides = [
        method,
        kept,
        seed,
        splits.digest,
        str(device),
        torch.get_num_threads(),
        torch.__version__,
        code_of(method),
    ]
    key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]
    return f"{splits.name}-{method}-seed{seed}-{key}"


def checkpoint_path(splits: Splits, method: str, settings: Settings, seed: int, device: torch.device) -> Path:
    """Where the checkpoint of that run lives."""
    commit()  # remembered from the start of the run, see `xmlib.runs.fingerprint.of`
    return paths.RUNS / run_key(splits, method, settings, seed, device) / "checkpoint.pt"


def make(
    notebook: str,
    parameters: dict,
    splits: Splits,
    settings: Settings,
    training,
    test: dict,
    baselines: dict,
    variant: str = "",
) -> dict:
    """The record of a finished training with its `test` scores (`evaluate.both_ways`) and the baselines.

    `variant`: names what differs from the usual split or from the profile, such as `zero_shot`; empty for the usual.
    """
    packages = NEIGHBORHOOD_PACKAGES if parameters["method"] in methods.NEIGHBORHOODS else PACKAGES
    own = DATASETS[splits.name].packages if splits.name in DATASETS else ()
    packages = (*packages, *own)
    return {
        "format": FORMAT,
        "notebook": notebook,
        "dataset": splits.name,
        "variant": variant,
        **{name: parameters[name] for name in ("method", "profile", "seed")},
        "parameters": parameters | {"record": ""},  # where it lies is no part of it
        "settings": asdict(settings),
        "data": {
            "digest": splits.digest,
            **{name: len(getattr(splits, name)) for name in ("train", "valid", "test")},
            "test_groups": [int(group) for group in splits.test.groups],
            "settings": splits.settings,
        },
        "history": training.history,
        "best_epoch": training.best["epoch"],
        "stopped": training.stopped,
        "converged": training.stopped == "patience",
        "valid_mrr": training.best["mrr"],
        **test,
        "baselines": baselines,
        "wall_seconds": training.seconds,
        "peak_memory_mb": peak_memory_mb(),
        "machine": machine(training.device),
        "packages": versions(packages, splits),
        "commit": commit(),
        "code": code_of(parameters["method"]),
    }


def versions(packages: Sequence[str], splits: Splits) -> dict[str, str]:
    """Versions of packages: those that made the pairs, where that was elsewhere, and else those installed here."""
    return {name: splits.packages.get(name) or importlib.metadata.version(name) for name in packages}


def peak_memory_mb() -> float:
    """The most memory this process has held, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes where Linux counts kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def machine(device: torch.device) -> dict:
    """Processor, cores, threads, device, system and Python of this process; of a GPU also driver, CUDA and memory."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": device.type,
        "processor": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **(_gpu(device) if device.type == "cuda" else {}),
    }


def _gpu(device: torch.device) -> dict:
    return {
        "driver": _driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "device_memory_mb": torch.cuda.max_memory_allocated(device) / 2**20,  # at most, of this process
    }


def _driver() -> str:
    """Version of NVIDIA's driver; empty where its own tool does not say."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.split("\n")[0].strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@functools.cache
def commit() -> str:
    """The commit checked out, with `+` where files differ from it; empty outside a git checkout."""
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--match", ""],
            cwd=paths.ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""
    return run.stdout.strip()


def file_name(record: dict) -> str:
    """Where a record lies below the folder of records: profile/dataset[-variant]-method-seed.json.

    Raises `InputError` for a name that would lie elsewhere.
    """
    if problem := record_checks.unfit_name(record):
        raise InputError(f"A record cannot be kept: {problem}; give another.")
    data = "-".join(filter(None, (record["dataset"], record.get("variant", ""))))
    return f"{record['profile']}/{data}-{record['method']}-seed{record['seed']}.json"


def save(record: dict, path: Path | str) -> Path:
    """Write a record in one step; returns its path."""
    path = Path(path)
    write_text(path, json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=True) + "\n")
    return path


def load(path: Path | str) -> dict:
    """The record in a file, its metrics held against its ranks.

    Raises `InputError` for a file that is not there, not a record, or whose numbers are not those of its ranks.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no record {str(path)!r}: give the path of a JSON file under book/records.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The record {str(path)!r} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is not a record but broken JSON ({error}): restore or remake it.") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"{str(path)!r} is not a record of format {FORMAT}: remake it with this version.")
    if problem := record_checks.fault(record):
        raise InputError(f"{str(path)!r} is no sound record: {problem}; restore or remake it.")
    return record


def load_all(folder: Path | None = None) -> list[dict]:
    """Every record below a folder (default: the book's), in order of path."""
    return [load(path) for path in sorted((folder or paths.RECORDS).glob("*/*.json"))]


def reported(dataset: str = "") -> list[dict]:
    """The published numbers in book/reported.yml, each with its source; of one data set, or of all."""
    import yaml

    entries = yaml.safe_load((paths.ROOT / "book" / "reported.yml").read_text(encoding="utf-8"))
    return [entry for entry in entries if dataset in ("", entry["dataset"])]


def rerun(path: Path | str) -> list[str]:
    """Run a record's notebook again, from nothing, with its parameters; the differences found, empty if equal.

    A record may come from anywhere, so it can only choose among our notebooks and set the parameters that they declare.
    Raises `InputError` where it asks for more, where this checkout would run something else, and where the notebook
    fails.
    """
    record = load(path)
    notebook = notebook_of(record)
    check_same_run(record)
    with tempfile.TemporaryDirectory() as folder:
        again = made_by(notebook, record, {}, Path(folder))
        if again is None:
            raise InputError(f"The notebook of {str(path)!r} stopped with the error above; mend that and run it again.")
        return differences(record, load(again))


def made_by(notebook: Path, record: dict, changes: dict, folder: Path, *flags: str, **environment: str) -> Path | None:
    """The record that a notebook writes into a folder with a record's parameters, some changed; None if it fails.

    `flags`: for papermill; `environment`: besides the folder of runs, which is the same one, and the threads.
    """
    import yaml

    again, given = folder / "again.json", folder / "parameters.yml"  # in JSON, papermill would take 1e-05 for a text
    chosen = nested(notebook, parameters_of(record) | changes | {"record": str(again)})
    given.write_text(yaml.safe_dump(chosen), encoding="utf-8")
    command = [sys.executable, "-m", "papermill", "--log-level", "ERROR", *flags, "-f", str(given), str(notebook)]
    own = {"XMLIB_RUNS": str(folder), "OMP_NUM_THREADS": str(record["machine"]["threads"])}
    run = subprocess.run([*command, str(folder / "again.ipynb")], env=os.environ | own | environment, check=False)
    return None if run.returncode else again


def parameters_of(record: dict) -> dict:
    """The parameters that repeat a record; its device is the one that `auto` was."""
    return record["parameters"] | {"record": "", "device": record["machine"]["device"]}


def notebook_of(record: dict) -> Path:
    """The notebook that made a record; `InputError` unless it is one of ours and declares all that the record sets."""
    ours = {path.stem: path for path in sorted(paths.NOTEBOOKS.glob("*.ipynb"))}
    notebook = ours[profiles.choose("notebook", record["notebook"], ours)]
    check_parameters(notebook, parameters_of(record))
    return notebook


def check_same_run(record: dict) -> None:
    """Raises `InputError` unless code, settings and packages of this checkout are those that made the record."""
    asked = (*profiles.PARAMETERS, *profiles.TERMS)
    own = {name: value for name, value in record["parameters"].items() if name in asked}
    own |= varied(record["parameters"])
    today = {
        "code": code_of(record["method"]),
        "settings": asdict(profiles.settings(record["profile"], record["dataset"], record["method"], **own)),
        "packages": {name: _installed(name) for name in record["packages"]},
    }
    made = record | {"settings": asdict(Settings()) | record["settings"]}  # with those that have come since
    changed = [name for name, value in today.items() if value != made[name] and (name != "code" or stale(record))]
    if changed:
        commit = record["commit"].rstrip("+")
        there = f"run `git checkout {commit}` and `make setup` first, then rerun it there" if commit else "remake it"
        raise InputError(f"The record was made with other {' and '.join(changed)} than this checkout has: {there}.")


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""


def differences(one: dict, other: dict) -> list[str]:
    """Where two records' results differ, as `path: value ≠ value`; times and machines do not count."""
    return [line for name in RESULTS for line in _differences(name, one.get(name), other.get(name))]


def _differences(where: str, one, other) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted((set(one) | set(other)) - UNEQUAL)
        return [line for n in names for line in _differences(f"{where}.{n}", one.get(n), other.get(n))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for i, (a, b) in pairs for line in _differences(f"{where}[{i}]", a, b)]
    same = one == other or (one != one and other != other)  # NaN equals NaN here
    return [] if same else [f"{where}: {one!r} ≠ {other!r}"]


def ending(record: dict) -> str:
    """A label for how the run ended: none where its patience did, `16 epochs` where its plan did, or `not converged`.

    The plan is that of an annealed rate, which has fallen to 0 when the plan ends.
    """
    labels = {"patience": "", "schedule": f"{len(record['history'])} epochs"}
    return labels.get(record["stopped"], "not converged")


def summary(record: dict) -> str:
    """One line on a record."""
    forth, back = (record["metrics"][d]["mrr"] for d in ("view1_to_view2", "view2_to_view1"))
    label = ending(record) and f", {ending(record)}"
    other = stale(record)
    current = f", made by other code than this ({', '.join(other)})" if other else ""
    return (
        f"{record['profile']:8}{record['method']:14} seed {record['seed']}  MRR {forth:.3f} / {back:.3f}  "
        f"{len(record['history'])} epochs, {record['wall_seconds'] / 60:.0f} min{label}{current}"
    )
