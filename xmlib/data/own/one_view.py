"""Items of one view alone, to be embedded, indexed or searched with: read as pairs are, from the same forms."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path
from typing import Any, NamedTuple

from xmlib.data.own import given, pairs, sides
from xmlib.data.own.sides import KINDS, NAMED, Side
from xmlib.errors import InputError

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")  # .txt has one text per line
CALLED = {"texts": "text", "images": "path", "audio": "path"}  # the column that has an item itself
Columns = dict[str, list[Any]]


class OneView(NamedTuple):
    """Items, an id for each, and what else is known of each: columns of values by their names.

    `columns` has the item itself as `path` or `text` (numbers are left out), `label` and `group` where a table has
    columns for these, and all its others by their own names.
    """

    side: Side
    ids: list[str]
    columns: Columns


def read(
    source: str | Path,
    view: int,
    kind: str,
    *,
    key: str = "",
    id_column: str = "",
    folder: str | Path = "",
    encoding: str = "",
    separator: str = "",
    decimal: str = "",
    missing: str = "stop",
) -> OneView:
    """The items in a file or folder; ids are those of a column called id, names of files, or numbers of rows.

    `source`: a folder of files, one image or sound, an array (.npy, .npz, .mat), a .txt with one text per line, or a
    table, of which `key` names the column (`x*`: all that begin with x). `view`, 1 or 2: by which usual names a
    column is looked for without `key`. `kind`: what the items are, one of `sides.KINDS`. The rest is as in
    `pairs.read`. Raises InputError for a file that is not there, items of another kind, and, unless `missing` is
    "skip", for items that cannot be used.
    """
    if kind not in KINDS:
        raise InputError(f"items of kind {kind!r} cannot be read from files; prepare them in Python.")
    if view not in (1, 2):
        raise InputError(f"view {view!r} is neither 1 nor 2; say of which view the items are.")
    if missing not in ("stop", "skip"):
        raise InputError(f"missing {missing!r} is unknown; choose one of: stop, skip.")
    path, columns = given.path(source), None
    if os.path.isdir(path):
        side, ids = _of_folder(path, kind)
    elif path.suffix.lower() in pairs.OF_SUFFIX and kind in pairs.FAULT:
        side, ids = sides.of_files([path], path.name, _same(kind, path), [str(source)]), [path.stem]
    elif path.suffix.lower() in TABLES:
        side, ids, columns = _of_table(path, view, kind, key, id_column, folder, encoding, separator, decimal)
    else:
        side = sides.of_array(pairs.array_of(str(path), key, encoding), path.name, kind, decimal)
        ids = [f"row {i}" for i in range(1, len(side) + 1)]
    return _whole(OneView(side, ids, _item(side) if columns is None else columns), missing)


def _item(side: Side) -> Columns:
    """The items themselves as a column; none for numbers."""
    return {} if side.kind == "numbers" else {CALLED[side.kind]: [str(item) for item in side.items]}


def _same(kind: str, path: Path) -> str:
    own = pairs.OF_SUFFIX[path.suffix.lower()]
    if own != kind:
        raise InputError(f"{path} is of kind {own}, and {kind} were wanted: give another file.")
    return kind


def _of_folder(folder: Path, kind: str) -> tuple[Side, list[str]]:
    found = pairs.files_of(folder)
    if kind not in found:
        raise InputError(f"{folder} has no {kind}; it has: {', '.join(found) or 'nothing'}.")
    files = pairs.by_stem(found[kind], folder)
    names = [path.relative_to(folder).as_posix() for path in files.values()]
    return sides.of_files(list(files.values()), f"{kind} in {folder.name}", kind, names), list(files)


def _of_table(
    file: Path, view: int, kind: str, key: str, id_column: str, folder: str | Path, encoding: str, separator: str,
    decimal: str,
) -> OneView:  # fmt: skip
    if not os.path.isfile(file):
        raise InputError(f"{str(file)!r} is not there; give the path of a file or a folder.")
    cells = pairs.cells_of(file, encoding, separator)[0]
    names, home = list(cells.columns), given.path(folder) if folder else file.parent
    pairs.check_names(names, file, home)
    known = {role: pairs.column_of(names, role, id_column if role == "id" else "", file) for role in pairs.ROLES}
    free = [name for name in names if name not in known.values() or name == key]  # a path may be the id as well
    chosen = _columns(file, free, view, kind, key)
    side = pairs.side_of_column(cells, chosen, f"column {'+'.join(chosen[:3])}", kind, home, decimal)
    rows = [f"row {i}" for i in range(2, len(cells) + 2)]  # as the spreadsheet numbers them
    return OneView(side, pairs.strings(cells[known["id"]]) if known["id"] else rows, _about(cells, chosen, kind, known))


def _about(cells: Any, chosen: list[str], kind: str, known: dict[str, str]) -> Columns:
    """All columns of a table but an id that is no item, and numbers that are the view; no name is given twice."""
    roles = {known[role]: role for role in ("label", "group")} | (
        {} if kind == "numbers" else {chosen[0]: CALLED[kind]}
    )
    left_out = {known["id"], *chosen} if kind == "numbers" else {known["id"]} - set(chosen)
    names = [name for name in cells.columns if name not in left_out]
    called = {name: roles[name] if name in roles and roles[name] not in names else str(name) for name in names}
    return {called[name]: cells[name].tolist() for name in names}


def _columns(file: Path, names: list[str], view: int, kind: str, key: str) -> list[str]:
    usual = [name for name in names if str(name).lower() in pairs.VIEWS[view - 1]][:1]
    chosen = [name for name in names if fnmatch.fnmatchcase(str(name), key)] if key else usual
    if not key and not usual and (len(names) == 1 or kind == "numbers"):
        chosen = names
    if not chosen:
        wanted = f"no column {key!r}" if key else "several columns"
        raise InputError(f"{file} has {wanted} (it has: {', '.join(map(str, names)) or 'nothing'}); name one by key.")
    return chosen


def _whole(found: OneView, missing: str) -> OneView:
    """The items that can be used; those that cannot are an error, or left out with a printed line."""
    side, ids, columns = found
    reasons: dict[int, Any] = dict(side.faults)
    if side.kind in pairs.FAULT:
        there = [i for i in range(len(side)) if i not in reasons]
        damaged = pairs.faults_of(side.kind, [side.items[i] for i in there])
        reasons |= {there[i]: reason for i, reason in damaged.items()}
    said = [f"{ids[i]}: {reasons[i]}" for i in sorted(reasons)]
    if reasons and missing == "stop":
        named = "; ".join(said[:NAMED]) + "; …" * (len(said) > NAMED)
        raise InputError(
            f"{len(said)} of {len(side)} items cannot be used ({named}); "
            "put that right, or set missing to 'skip' to go on without them."
        )
    kept = [i for i in range(len(side)) if i not in reasons]
    if not kept:
        raise InputError(f"{side.name} has no items that can be used; give one at least.")
    if said:
        print("\n".join([f"left out {len(said)}:", *(f"  {line}" for line in said)]))
    chosen = {name: [values[i] for i in kept] for name, values in columns.items()}
    return OneView(side.take(kept), [ids[i] for i in kept], chosen)
