"""A user's pairs out of two arrays, a table, or folders: their kinds are recognised, printed, and can be set."""

from __future__ import annotations

import fnmatch
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from xmlib.data.own import arrays, given, sides, sounds, spreadsheet, table
from xmlib.data.own.divide import NAMES
from xmlib.data.own.sides import AUDIO, KINDS, Pairs, Side
from xmlib.data.own.table import PICTURES
from xmlib.data.pictures import preparation as images
from xmlib.errors import InputError

ROLES = {  # what a column is called that is no view
    "id": ("id", "ids", "key", "name"), "group": ("group", "groups"),
    "label": ("label", "labels", "class"), "split": ("split", "set"),
}  # fmt: skip
VIEWS = (  # columns that are taken for views if there are more than two others
    ("image", "image_path", "picture", "audio", "audio_path", "path", "file", "filename", "view1", "x"),
    ("text", "caption", "description", "title", "view2", "y"),
)
OPTIONS = (  # of `read`, each found or usual where it is empty
    "key1", "key2", "kind1", "kind2", "id_column", "group_column", "label_column", "split_column", "folder",
    "encoding", "separator", "decimal", "missing",
)  # fmt: skip
FAULT = {"images": images.fault, "audio": sounds.fault}
TABLES = (*spreadsheet.SUFFIXES, ".jsonl", ".parquet")
OF_SUFFIX = {**dict.fromkeys(PICTURES, "images"), **dict.fromkeys(AUDIO, "audio"), ".txt": "texts"}


def read(
    view1: Any = "",
    view2: Any = "",
    table: str | Path = "",
    *,
    key1: str = "",
    key2: str = "",
    kind1: str = "",
    kind2: str = "",
    id_column: str = "",
    group_column: str = "",
    label_column: str = "",
    split_column: str = "",
    folder: str | Path = "",
    encoding: str = "",
    separator: str = "",
    decimal: str = "",
    missing: str = "stop",
    quiet: bool = False,
) -> Pairs:
    """The pairs of two arrays, two folders, or a table; a few printed lines say what they were taken for.

    `view1`, `view2`: arrays, files of them (.npy, .npz, .mat, .parquet, or .txt with one text per line), or folders
    whose files have matching names; one .npz, .mat or folder may hold both. `table`: a spreadsheet (CSV with any
    separator), JSON lines, or Parquet. `key1`, `key2`: the arrays of such a file, or the columns of the table (`x*`:
    all that begin with x). `kind1`, `kind2`: numbers, texts, images or audio. `folder`: what the paths in a table are
    relative to, by default the folder of the table. `missing`: "stop" or "skip", for incomplete pairs. Options that
    are empty are found by looking. Raises InputError for whatever does not fit.
    """
    for name, kind in (("kind1", kind1), ("kind2", kind2)):
        if kind not in ("", *KINDS):
            raise InputError(f"{name} {kind!r} is unknown; choose one of: {', '.join(KINDS)}.")
    written = dict(
        table=table, key1=key1, key2=key2, id_column=id_column, group_column=group_column, label_column=label_column,
        split_column=split_column, folder=folder, encoding=encoding, separator=separator,
    )  # fmt: skip
    for name, value in written.items():
        if not isinstance(value, (str, Path)):
            raise InputError(f"{name} is {value!r:.60} of type {type(value).__name__}; give a text.")
    if decimal not in ("", *spreadsheet.DECIMALS):
        raise InputError(f"decimal {decimal!r} is no decimal sign; choose '.' or ','.")
    asked = {"id": id_column, "group": group_column, "label": label_column, "split": split_column}
    ways: dict[str, Any] = {"keys": (key1, key2), "kinds": (kind1, kind2), "asked": asked, "decimal": decimal}
    if _given(table):
        if _given(view1) or _given(view2):
            raise InputError("a table and views are given; give either a table, or view1 and view2.")
        pairs = _of_table(given.path(table), folder, encoding, separator, **ways)
    elif _is_folder(view1) or _is_folder(view2):
        pairs = _of_folders(view1, view2 if _given(view2) else view1, kind1, kind2)
    else:
        pairs = _of_arrays(view1, view2, encoding, **ways)
    return _told(_of_sound_files(sides.check(pairs, missing), missing), quiet)


def _told(pairs: Pairs, quiet: bool = False) -> Pairs:
    """The pairs with what was found of them, which is printed."""
    pairs.found.extend(_findings(pairs))
    if not quiet:
        print("\n".join(pairs.found))
    return pairs


def example() -> Pairs:
    """Pairs to try things with: the left and the right halves of scikit-learn's 1,797 written digits, with labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    left, right = (sides.of_array(half, name) for half, name in _halves(found.images))
    said = ["scikit-learn's handwritten digits, left and right halves"]
    return _told(_pairs(left, right, {"label": strings(found.target)}, said))


def _halves(images: np.ndarray) -> list[tuple[np.ndarray, str]]:
    middle = images.shape[2] // 2
    return [(images[:, :, :middle], "left half"), (images[:, :, middle:], "right half")]


def _of_sound_files(pairs: Pairs, missing: str) -> Pairs:
    """The pairs without those whose image or sound is damaged, or might do harm."""
    reasons: dict[int, str] = {}
    for side in (pairs.view1, pairs.view2):
        if side.kind in FAULT:
            reasons |= faults_of(side.kind, side.items)
    return sides.check(pairs.without(reasons, missing), missing) if reasons else pairs


def faults_of(kind: str, files: Sequence[Path]) -> dict[int, str]:
    """Which of the files cannot be used, by number, and why; each is read once, however often it is named."""
    reasons = {file: FAULT[kind](file) for file in dict.fromkeys(files)}
    return {i: reasons[file] for i, file in enumerate(files) if reasons[file]}


def _given(value: Any) -> bool:
    return not (value is None or isinstance(value, str) and not value)


def _is_folder(value: Any) -> bool:
    return isinstance(value, (str, Path)) and _given(value) and os.path.isdir(os.path.expanduser(value))


def _findings(pairs: Pairs) -> list[str]:
    """What the user should see of the pairs, a sentence each."""
    said = [f"{len(pairs):,} pairs"]
    for side in (pairs.view1, pairs.view2):
        shape = f", {' × '.join(map(str, side.items.shape[1:]))} each" if side.kind == "numbers" else ""
        share = f", sparse: {side.items.nnz / np.prod(side.items.shape):.1%} are not 0" if issparse(side.items) else ""
        said.append(f"{side.name}: {side.kind}{shape}{share}")
    for role in ("groups", "labels", "splits"):
        if count := len({one for one in getattr(pairs, role) if one}):
            said.append(f"{count:,} {role}")
    if pairs.left_out:
        said.append(f"left out {len(pairs.left_out)}:")
        said += [f"  {name}: {reason}" for name, reason in pairs.left_out[:20]]
        said += [f"  and {len(pairs.left_out) - 20} more"] if len(pairs.left_out) > 20 else []
    return said


def _pairs(view1: Side, view2: Side, about: dict[str, list[str]], found: Sequence[str] = ()) -> Pairs:
    """Pairs with what is known of them by role; ids are numbers from 1 if there are none."""
    n = len(view1)
    for role, values in about.items():
        if len(values) != n:
            raise InputError(f"{role} has {len(values):,} values for {n:,} items; give one for each.")
    none = [""] * n
    ids = about.get("id") or [f"row {i}" for i in range(1, n + 1)]
    return Pairs(
        view1, view2, ids, about.get("group", none), about.get("label", none), about.get("split", none),
        found=list(found),
    )  # fmt: skip


def _of_arrays(view1: Any, view2: Any, encoding: str, keys: tuple, kinds: tuple, asked: dict, decimal: str) -> Pairs:
    """Pairs from arrays, files of arrays, or one file of several."""
    about: dict[str, list[str]] = {}
    both = isinstance(view1, (str, Path)) and (not _given(view2) or str(view1) == str(view2))
    if both and _given(view1):
        keys, roles = _two_keys(str(view1), keys, asked)
        about = {role: strings(arrays.load(view1, key)) for role, key in roles.items()}
        view2 = view1
    found, names = [], []
    for view, key, name in ((view1, keys[0], "view1"), (view2, keys[1], "view2")):
        if not _given(view):
            raise InputError(f"{name} is not given; give two arrays, two folders, or a table.")
        found.append(array_of(view, key, encoding))
        source = ", ".join([Path(view).name, key][: 1 + bool(key)]) if isinstance(view, (str, Path)) else ""
        names.append(f"{name} ({source})" if source else name)
    one, other = (sides.of_array(*each, decimal) for each in zip(found, names, kinds, strict=True))
    return _pairs(one, other, {role: values for role, values in about.items() if len(values) == len(one)})


def array_of(view: Any, key: str, encoding: str) -> Any:
    """The array that a user gave, or that is in a file."""
    if not isinstance(view, (str, Path)):
        return view
    if str(view).lower().endswith(".txt") and os.path.isfile(os.path.expanduser(view)):
        lines = spreadsheet.decoded(given.path(view), encoding)[0].split("\n")
        return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]
    if str(view).lower().endswith((".csv", ".tsv", ".jsonl")):
        raise InputError(f"{view} is a table; give it as table='{view}', with key1 and key2 for its columns.")
    return arrays.load(view, key)


def _two_keys(file: str, keys: tuple[str, str], asked: dict[str, str]) -> tuple[tuple[str, str], dict[str, str]]:
    """The two arrays of a file that are the views, and those that are known by their names for something else."""
    names = arrays.keys(file)
    roles = {role: name for role in ROLES if (name := column_of(names, role, asked[role], file)) and name not in keys}
    views = [name for name in names if name not in roles.values()]
    if all(keys) or len(views) == 2:
        first, second = keys if all(keys) else views
        return (first, second), roles
    listed = ", ".join(names) or "no arrays by name"
    raise InputError(
        f"{file} has {listed}; say by key1 and key2 (a command: --key1, --key2) which two are the views, or give view2."
    )


def column_of(names: Sequence[str], role: str, asked: str, where: Any) -> str:
    """The name that has a role, "" if there is none."""
    if asked and asked not in names:
        raise InputError(f"{where} has no column {asked!r} (it has: {', '.join(map(str, names)) or 'nothing'}).")
    known = {str(name).lower(): name for name in reversed(names)}
    return asked or next((known[name] for name in ROLES[role] if name in known), "")


def strings(values: Any) -> list[str]:
    """Texts of an array of anything, one a row."""
    return ["" if value is None or value != value else str(value).strip() for value in np.ravel(values).tolist()]


def _of_table(
    file: Path, folder: str | Path, encoding: str, separator: str, keys: tuple, kinds: tuple, asked: dict, decimal: str
) -> Pairs:
    """Pairs from the rows of a table."""
    if not os.path.isfile(file):
        raise InputError(f"table {str(file)!r} is not there; give a file that ends in {', '.join(TABLES)}.")
    cells, said = cells_of(file, encoding, separator)
    names, home = list(cells.columns), given.path(folder) if folder else file.parent
    check_names(names, file, home)
    found = {role: column_of(names, role, asked[role], file) for role in ROLES}
    roles = {role: name for role, name in found.items() if name and (name not in keys or name == asked[role])}
    views = _two_columns(file, [name for name in names if name not in roles.values() or name in keys], keys)
    one, other = (
        side_of_column(cells, chosen, f"column {'+'.join(chosen[:3])}", kind, home, decimal)
        for chosen, kind in zip(views, kinds, strict=True)
    )
    about = {role: strings(cells[name]) for role, name in roles.items()}
    called = about.get("id") or [f"row {i}" for i in range(2, len(cells) + 2)]  # as the spreadsheet numbers them
    others = ", ".join(f"{role}s from {name!r}" for role, name in roles.items())
    line = f"{file.name}: {len(cells):,} rows, {said}{'; ' + others if others else ''}"
    return _pairs(one, other, about | {"id": called}, [line])


def cells_of(file: Path, encoding: str, separator: str) -> tuple[Any, str]:
    """The table in a file, and how it was read."""
    suffix = file.suffix.lower()
    if suffix in spreadsheet.SUFFIXES:
        return spreadsheet.read(file, encoding, separator)
    if suffix == ".jsonl":
        return table.read_jsonl(file), "JSON lines"
    if suffix == ".parquet":
        return arrays.parquet(file), "Parquet"
    raise InputError(f"{file} ends in {suffix or 'nothing'!r}; a table ends in {', '.join(TABLES)}.")


def check_names(names: Sequence[str], file: Path, folder: Path) -> None:
    """Raise InputError for two columns of one name, and for a name that is a picture or a sound: the names are missing.

    Without the second check the first pair would be lost, and nothing would say so. `folder`: where paths begin.
    """
    for name in map(str, names):
        if Path(name).suffix.lower() in OF_SUFFIX and os.path.isfile(folder / name):
            raise InputError(
                f"{file} begins with a pair, not with names of columns: add a first line such as image,text."
            )
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{file} has two columns {twice[0]!r}; give each column a name of its own.")


def _two_columns(file: Path, names: list[str], keys: tuple[str, str]) -> list[list[str]]:
    """The columns of both views, each one or several."""
    if all(keys):
        chosen = [[name for name in names if fnmatch.fnmatchcase(str(name), key)] for key in keys]
        for key, found in zip(keys, chosen, strict=True):
            if not found:
                raise InputError(f"{file} has no column {key!r} (it has: {', '.join(map(str, names)) or 'nothing'}).")
        return chosen
    known = [next((name for name in names if str(name).lower() in view), "") for view in VIEWS]
    first, second = names if len(names) == 2 else known
    if not (first and second) or any(keys):
        raise InputError(
            f"{file} has the columns {', '.join(map(str, names)) or '(none)'}; "
            "say by key1 and key2 (a command: --key1, --key2) which two are the views."
        )
    return [[first], [second]]


def side_of_column(cells: Any, names: list[str], name: str, kind: str, folder: Path, decimal: str) -> Side:
    """A side from a column, or from several columns of numbers side by side."""
    if len(names) > 1:
        parts = [side_of_column(cells, [one], f"column {one}", "numbers", folder, decimal) for one in names]
        faults = {i: fault for part in parts for i, fault in part.faults.items()}
        return Side("numbers", np.concatenate([part.items for part in parts], axis=1), name, faults)
    if cells[names[0]].dtype.kind in arrays.NUMERIC:
        return sides.of_array(cells[names[0]].to_numpy(dtype=float, na_value=np.nan), name, kind)
    values = cells[names[0]].tolist()
    if any(isinstance(value, (list, tuple, np.ndarray)) for value in values):
        return sides.of_array(arrays.column(values, name), name, kind)
    for i, value in enumerate(values, 1):
        if isinstance(value, (dict, set, bytes)):
            raise InputError(f"row {i} of {name} is of type {type(value).__name__}; a text or numbers were wanted.")
    return sides.of_cells(strings(values), name, kind, folder, decimal)


def _of_folders(view1: Any, view2: Any, kind1: str, kind2: str) -> Pairs:
    """Pairs of the files in two folders, or of two kinds in one, whose names match but for the ending."""
    folders = [
        Path(os.path.expanduser(view if isinstance(view, (str, Path)) else "an array")) for view in (view1, view2)
    ]
    for folder in folders:
        if not os.path.isdir(folder):
            raise InputError(f"{folder} is no folder, and the other view is one; give two folders, or two files.")
    same = folders[0].resolve() == folders[1].resolve()
    listed = [files_of(folder) for folder in folders]
    kinds = _kinds_of(listed, same, (kind1, kind2), folders)
    files = [by_stem(found[kind], folder) for found, kind, folder in zip(listed, kinds, folders, strict=True)]
    stems = sorted({*files[0], *files[1]})
    made = []
    for found, kind, folder in zip(files, kinds, folders, strict=True):
        paths = [found.get(stem, folder / f"{stem}.*") for stem in stems]
        name = f"{kind} in {folder.name or folder}"
        made.append(sides.of_files(paths, name, kind, [path.relative_to(folder).as_posix() for path in paths]))
    tops = [stem.split("/")[0].lower() if "/" in stem else "" for stem in stems]
    splits = tops if all(top in NAMES for top in tops) else [""] * len(stems)
    unmatched = len(stems) - len({*files[0]} & {*files[1]})
    said = [f"{len(stems):,} names in the folders{f', {unmatched} without a partner' if unmatched else ''}"]
    return _pairs(made[0], made[1], {"id": stems, "split": splits}, said)


def files_of(folder: Path) -> dict[str, list[Path]]:
    """The files below a folder by the kind that their ending says; hidden ones are left alone."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in OF_SUFFIX and path.is_file() and not path.name.startswith("."):
            found[OF_SUFFIX[path.suffix.lower()]].append(path)
    return found


def _kinds_of(listed: list[dict], same: bool, asked: tuple[str, str], folders: list[Path]) -> list[str]:
    """The kind of files that is a view in each of the folders."""
    if same and not all(asked):
        kinds = sorted(listed[0], key=list(dict.fromkeys(OF_SUFFIX.values())).index)
        if len(kinds) != 2:
            raise InputError(f"{folders[0]} has files of {', '.join(kinds) or 'no known kind'}; two kinds make pairs.")
        return kinds
    chosen = []
    for found, kind, folder in zip(listed, asked, folders, strict=True):
        if not found or (kind and kind not in found):
            raise InputError(
                f"{folder} has no {kind or 'images, audio or texts'}; it has: {', '.join(found) or 'nothing'}."
            )
        chosen.append(kind or max(found, key=lambda one: len(found[one])))
    return chosen


def by_stem(files: list[Path], folder: Path) -> dict[str, Path]:
    """Files by their paths from the folder, without the ending."""
    found: dict[str, Path] = {}
    for path in files:
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise InputError(f"{found[stem].name} and {path.name} in {path.parent} have one name; rename one of them.")
        found[stem] = path
    return found
