"""The parameters of a notebook as its own cell declares them. The cell is read and never run.

What few readers vary stands in a dictionary, `options`. Here and in records its entries are parameters like others.
"""

import ast
import json
import math
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from xmlib import paths
from xmlib.data import DATASETS
from xmlib.data.audio_score import CORPORA, DIFFICULTIES
from xmlib.data.emoji.emoji_concepts import STYLES
from xmlib.data.image_text import SPLITS
from xmlib.errors import InputError
from xmlib.profiles import PRECISIONS, PROFILES, choose
from xmlib.runs.record_checks import NAME as FILE_NAME

OPTIONS = "options"
FACTORS = ("alpha", "dropout", "margin", "refit_n", "weight_tno")  # settings that are options; below 0: the run's own
TYPES = {"bool": bool, "int": int, "float": float, "str": str}  # of a parameter that a record can hold


def declared(notebook: Path) -> dict[str, str]:
    """Name → annotated type of every parameter in the cell of an `.ipynb` that is tagged `parameters`.

    The type of an option is that of its value.
    """
    kinds = {name: kind for name, (kind, _) in _cell(notebook).items() if name != OPTIONS}
    return kinds | {name: type(value).__name__ for name, value in options(notebook).items()}


def defaults(notebook: Path) -> dict[str, Any]:
    """Name → value of every parameter as the cell has it."""
    return {name: value for name, (_, value) in _cell(notebook).items() if name != OPTIONS} | options(notebook)


def options(notebook: Path) -> dict[str, Any]:
    """Name → value of those that stand in the dictionary."""
    return _cell(notebook).get(OPTIONS, ("dict", {}))[1]


def nested(notebook: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """These parameters as papermill takes them: those that are options in one dictionary."""
    own = {name: value for name, value in values.items() if name in options(notebook)}
    return {name: value for name, value in values.items() if name not in own} | ({OPTIONS: own} if own else {})


def _cell(notebook: Path) -> dict[str, tuple[str, Any]]:
    """Name → annotation and value, line by line."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = next(("".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])), "")
    lines = [line for line in ast.parse(tagged).body if isinstance(line, ast.AnnAssign) and line.value]
    return {ast.unparse(line.target): (ast.unparse(line.annotation), ast.literal_eval(line.value)) for line in lines}


def check(notebook: Path, values: Mapping[str, Any]) -> None:
    """Raise `InputError` unless the notebook declares every one of the parameters, with a type that the value has.

    Papermill escapes texts and writes all else as it is, names too, into code that is then run.
    """
    known = declared(notebook)
    for name, value in values.items():
        if name not in known:
            raise InputError(f"{notebook.stem} has no parameter {name[:80]!r}; it has: {', '.join(known)}.")
        if not _fits(value, known[name]):
            kind = type(value).__name__
            raise InputError(f"The parameter {name} is {str(value)[:80]!r} of type {kind}; give a {known[name]}.")


def _fits(value: Any, kind: str) -> bool:
    if kind == "float":  # 1 is as good as 1.0
        return type(value) is int or type(value) is float and math.isfinite(value)
    if type(value) is str and value != value.encode("utf-8", "replace").decode():
        return False  # half a surrogate pair cannot be written into the notebook
    return kind in TYPES and type(value) is TYPES[kind]


LONGEST = 255  # bytes that a file's name may have
YES_NO = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
LEAST = {"seed": 0}  # of other whole numbers 1 where 0 is not the default, else 0, or the default if that is less
MOST = {
    "seed": 2**31, "seeds": 1000, "threads": 1024, "epochs": 10**6, "batch": 10**6, "d": 10**5, "width": 100.0,
    "augment": 100.0, "test_share": 0.9, "valid_share": 0.9, "pixels": 1024,
}  # fmt: skip
CHOICES: dict[str, Collection[str]] = {
    "profile": PROFILES,
    "precision": PRECISIONS,
    "device": ("auto", "cpu", "cuda"),
    "corpus": tuple(CORPORA),
    "difficulty": tuple(DIFFICULTIES),
    "split": SPLITS,
    "style": tuple(STYLES),
    "test_style": ("", *STYLES),
}


def checked(notebook: str, namespace: Mapping[str, Any], **choices: Collection[str]) -> dict[str, Any]:
    """The parameters of one of our notebooks with the values that its namespace holds, each of its declared type.

    A value of another type is taken where it is unmistakable: `no` for False, 20.0 or "20" for 20, 2024 for "2024".
    `choices`: names → what they may be, besides `CHOICES`. Raises `InputError` for anything else, for a negative number
    that means nothing, and for a parameter handed over by papermill that the notebook has not.
    """
    path = paths.NOTEBOOKS / f"{notebook}.ipynb"
    kinds, usual = declared(path), defaults(path)
    given = _given_options(path, namespace)
    for name in [*_handed_over(namespace.get("In", [])), *given]:
        if name not in kinds and name != OPTIONS:
            raise InputError(f"The notebook {notebook} has no parameter {name!r}; it has: {', '.join(kinds)}.")
    values = {name: _taken(name, {**namespace, **given}[name], kind) for name, kind in kinds.items()}
    for name, allowed in (CHOICES | choices).items():
        if name in values and not (values[name] == "" and "" in allowed):
            choose(name.replace("_", " "), values[name], [one for one in allowed if one])
    for name, value in values.items():
        _check_range(name, value, usual[name])
    if "dataset" in values:
        _check_options(values, usual)
    if values.get("record"):
        _check_writable(Path(values["record"]))
    return values


def varied(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the options of a notebook change, as `profiles.settings` takes them.

    `directions` of the ranking loss: 1 or 2. Raises `InputError` for another number.
    """
    changed = {name: parameters[name] for name in FACTORS if parameters.get(name, -1) >= 0}
    directions = parameters.get("directions", 0)
    if directions not in (0, 1, 2):
        raise InputError(f"directions = {directions}; give 1 or 2 of the ranking loss, or 0 for the method's own.")
    return changed | ({"both_ways": directions == 2} if directions else {})


def _check_range(name: str, value: Any, usual: Any) -> None:
    """Raise `InputError` for a number that means nothing, a text that no file can be called, and a list of neither."""
    if type(value) in (int, float):
        least = LEAST.get(name, min(1, usual) if type(value) is int else min(0, usual))
        if value < least:
            raise InputError(f"{name} = {value}, but the least that means something is {least}: raise it.")
        if value > MOST.get(name, value):
            raise InputError(f"{name} = {value:g}, but the most that means something is {MOST[name]}: lower it.")
    elif type(value) is list and not (value and all(type(one) is int and one > 0 for one in value)):
        raise InputError(f"{name} is {str(value)[:80]}; give a list of one or more whole numbers above 0.")
    elif type(value) is str and not fits_a_name(value):
        raise InputError(f"The parameter {name} is {value[:80]!r}: no file can be called that, give another.")
    if name == "variant" and value and not FILE_NAME.fullmatch(value):
        raise InputError(
            f"The variant {value[:80]!r} cannot be part of a file's name: give a word of a-z, 0-9, _ and -."
        )


def _check_options(values: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """Raise `InputError` where an option is set that the data set has not, and so would do nothing."""
    known = {option for row in DATASETS.values() for option in row.options}
    for name in known & set(values) - set(DATASETS[values["dataset"]].options):
        if values[name] != usual[name]:
            data = values["dataset"]
            raise InputError(f"{name} = {values[name]!r} would do nothing, as {data} has no such option: leave it out.")


def _given_options(notebook: Path, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The options with those values that the namespace has; `InputError` where one is given as a parameter."""
    usual = options(notebook)
    if wrong := set(_handed_over(namespace.get("In", []))) & set(usual):
        name = min(wrong)
        raise InputError(f"{name} is one of the options: give them together, as in -y 'options: {{{name}: …}}'.")
    given = namespace.get(OPTIONS, {}) if usual else {}
    if type(given) is not dict:
        raise InputError(
            f"The options are {str(given)[:80]!r}; give a dictionary, as in -y 'options: {{NAME: VALUE}}'."
        )
    return usual | given


def _check_writable(record: Path) -> None:
    """Raise `InputError` unless a record can be written to this file or below this folder."""
    file = record.suffix == ".json"
    if file and record.is_dir() or not takes_files(record.parent if file else record):
        raise InputError(
            f"No record can be written to {str(record)!r}: give a folder of yours, or a file NAME.json in one."
        )


def fits_a_name(text: str) -> bool:
    """Whether a file could be called that, folders included."""
    return "\0" not in text and all(len(os.fsencode(part)) <= LONGEST for part in Path(text).parts)


def takes_files(folder: Path) -> bool:
    """Whether files can be written to this folder, which need not be there yet; a permission alone may deceive."""
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            return True
    except (OSError, ValueError):  # such as a name that is too long, or has a zero in it
        return False


def _handed_over(cells: Sequence[str]) -> list[str]:
    """The names that papermill sets in the cell that it puts in."""
    ours = next((cell for cell in cells if cell.startswith("# Parameters\n")), "")
    lines = [line for line in ast.parse(ours).body if isinstance(line, ast.Assign)]
    return [ast.unparse(target) for line in lines for target in line.targets]


def _taken(name: str, value: Any, kind: str) -> Any:
    """The value as one of the declared type."""
    text = str(value).strip()
    if kind == "bool" and text.lower() in YES_NO:
        return YES_NO[text.lower()]
    if kind == "str" and value is None:
        return ""
    if kind == "list" and type(value) is list:
        return value
    if kind == "str" and type(value) in (int, float):
        return text
    if kind in ("int", "float") and type(value) in (int, float, str):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and (kind == "float" or number == int(number)):
            return int(number) if kind == "int" else number
    if not _fits(value, kind):
        raise InputError(f"The parameter {name} is {text[:80]!r} of type {type(value).__name__}; give a {kind}.")
    return value
