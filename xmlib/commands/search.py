"""`xm embed`, `index`, `search` and `explore`: items of one view as vectors, to be found by items of the other."""

import os
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from xmlib.commands import printing, reading
from xmlib.commands.model import AsJson, Model, _some
from xmlib.errors import InputError

LONGEST = 72  # letters of an item in a table, so that its line fits into most terminals
View = Annotated[int, typer.Option(min=1, max=2, help="The view that the items belong to.")]
Source = Annotated[str, typer.Argument(metavar="ITEMS", help="A file of an array, a table, or a folder of files.")]


@reading.options(reading.ITEMS)
def embed(
    model: Model,
    items: Source,
    reading: dict[str, str],
    view: View,
    out: Annotated[Path, typer.Option(help="A .npy, or a .parquet with id, vector and the columns of a table.")],
) -> None:
    """Write the embeddings of items to a file.

    They are float32 of length 1, one row per item. Parquet also has the path or text of each item and the other columns
    of its table.
    """
    from xmlib.retriever import Retriever
    from xmlib.retriever.embedding_files import OWN, check, write

    check(out)
    loaded = Retriever.load(model)
    side, ids, columns = _items(loaded, items, view, reading)
    if out.suffix.lower() == ".parquet" and (left_out := [name for name in columns if name in OWN]):
        printing.say(f"left out of the table, since these names are taken: {', '.join(left_out)}")
    vectors = (loaded.embed1, loaded.embed2)[view - 1](side.items)
    write(out, vectors, ids, columns)
    print(f"{vectors.shape[0]:,} vectors of {vectors.shape[1]} numbers are in {out}")


def _items(model: Any, items: str, view: int, options: dict[str, str]) -> Any:
    """Items as `one_view.read` gives them, of the kind that this view of the model has."""
    from xmlib.data.own import one_view

    return one_view.read(items, view, model.preparations[view - 1].kind, **options)


@reading.options(reading.ITEMS)
def index(
    model: Model,
    reading: dict[str, str],
    view: View,
    items: Annotated[str, typer.Argument(metavar="ITEMS", help="A file of an array, a table, or a folder.")] = "",
    add: Annotated[
        bool, typer.Option("--add", help="Add to the items that are there instead of replacing them.")
    ] = False,
    remove: Annotated[list[str] | None, typer.Option(metavar="ID", help="Take this item out; may be repeated.")] = None,
    remove_list: Annotated[Path | None, typer.Option(help="A text file of ids to take out, one per line.")] = None,
    bank: Annotated[str, typer.Option(help="Training items of the other view, which lower the scores of hubs.")] = "",
    bank_key: Annotated[str, typer.Option(help="The array or column of the bank.")] = "",
    kind: Annotated[str, typer.Option(help="Kind of index: auto, exact or hnsw.")] = "auto",
) -> None:
    """Put items into an index, or take some out.

    Items of view 2 are found by queries of view 1, and the other way round. Items are removed before others are added,
    so --remove ID with --add replaces one. A bank applies to all items of the index; it stays when some are added.
    """
    from xmlib.retriever import Retriever, results_page
    from xmlib.retriever.retriever import BACKWARD, FORWARD

    gone = (remove or []) + (_lines(remove_list) if remove_list else [])
    _check_asked(items, add, gone, bank)
    loaded = Retriever.load(model)
    direction = FORWARD if view == 2 else BACKWARD
    if gone:
        _remove(loaded, direction, gone)
    if items:
        side, ids, _ = _items(loaded, items, view, reading)
        ids = _numbered_on(loaded.indexes[direction].ids, ids) if add and direction in loaded.indexes else ids
        _put(loaded, direction, view, side.items, ids, add, kind)
        results_page.remember(loaded, direction, side, ids, model)
    if bank:
        queries = _items(loaded, bank, 3 - view, reading | {"key": bank_key, "id_column": ""}).side.items
        known = (loaded.embed1, loaded.embed2)[2 - view](queries)
        loaded.indexes[direction] = _there(loaded, direction).with_bank(known)
    loaded.save(model)
    print(f"{_said(loaded.indexes[direction])} {direction.replace('_to_', ' → ')}")


def _lines(file: Path) -> list[str]:
    from xmlib.data.own.pairs import array_of

    if file.suffix.lower() != ".txt":
        raise InputError(f"{file} is no list of ids: give a .txt with an id on each line.")
    return [line.strip() for line in array_of(file, "", "") if line.strip()]


def _check_asked(items: str, add: bool, gone: list[str], bank: str) -> None:
    if not (items or gone or bank) or (add and not items):
        raise InputError("There is nothing to put into the index or to take out: give ITEMS, --remove or --bank.")
    if gone and items and not add:
        raise InputError("ITEMS take the place of all that is there, so that none is left to remove: add --add.")


def _there(model: Any, direction: str) -> Any:
    """The index of a direction; raises InputError where there is none."""
    if direction not in model.indexes:
        raise InputError(f"There is no index of {direction.replace('_to_', ' → ')} yet: give ITEMS.")
    return model.indexes[direction]


def _remove(model: Any, direction: str, names: list[str]) -> None:
    """Take items out by their ids, which may be whole numbers in a model made in Python."""
    from xmlib.retriever import results_page

    there = {str(one): one for one in _there(model, direction).ids}
    gone = [there.get(name, name) for name in names]
    model.indexes[direction].remove(gone)
    results_page.forget(model, direction, gone)


def _numbered_on(there: list[Any], ids: list[str]) -> list[str]:
    """The ids, those of the rows of an array counted on from the last row that is there."""
    rows = [int(one[4:]) for one in map(str, there) if one.startswith("row ") and one[4:].isdecimal()]
    if not rows or ids != [f"row {i}" for i in range(1, len(ids) + 1)]:
        return ids
    first = max(rows) + 1
    printing.say(f"the rows are numbered on from row {first}")
    return [f"row {i}" for i in range(first, first + len(ids))]


def _put(model: Any, direction: str, view: int, items: Any, ids: list[str], add: bool, kind: str) -> None:
    """Add items to an index, or make one of them alone."""
    from xmlib.retriever import results_page

    if add and direction in model.indexes:
        if twice := sorted({str(one) for one in model.indexes[direction].ids} & set(ids)):
            raise InputError(
                f"The id {twice[0]!r} is given twice, since the index has it: name a column of other ids by "
                "--id-column, or take it out by --remove."
            )
        model.indexes[direction].add((model.embed1, model.embed2)[view - 1](items), ids)
        return
    model.index(direction, items, ids, kind=kind)
    results_page.forget(model, direction)


def _said(index: Any) -> str:
    corrected = "" if index.bank is None else f", less a correction by {len(index.bank):,} items of a bank,"
    return f"{len(index):,} items can be searched{corrected}"


def _short(item: str) -> str:
    """An item without its middle, since the end of a path says as much as the beginning of a text."""
    return item if len(item) <= LONGEST else f"{item[: LONGEST - 25]}…{item[-24:]}"


def search(
    model: Model,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="A text, a path, numbers like 0.1,2 or a file of them.")
    ],
    k: Annotated[int, typer.Option("-k", min=1, help="How many to find.")] = 10,
    direction: Annotated[str, typer.Option(help="view1_to_view2 or view2_to_view1; else the query decides.")] = "",
    row: Annotated[int, typer.Option(min=1, help="The row of a file of numbers that is the query.")] = 1,
    show: Annotated[bool, typer.Option("--open", help="Write a page of the results and open it.")] = False,
    page: Annotated[Path | None, typer.Option(help="The file for that page; by default beside the model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the best items for a query.

    Each item is shown with its id, and its text or the path of its file. Scores are cosines, minus the correction where
    the index has a bank. The page contains its pictures and sounds and loads nothing from elsewhere.
    """
    from xmlib.files import write_text
    from xmlib.retriever import Retriever, results_page
    from xmlib.retriever import query as asked

    loaded = Retriever.load(model)
    way = direction or asked.direction(query, loaded.preparations, list(loaded.indexes))
    view = 2 - asked.asking(way)  # of the items that are found
    if way not in loaded.indexes:
        raise InputError(
            f"There is no index of view {view} to search: make it by xm index {model} ITEMS --view {view}."
        )
    side = asked.read(query, loaded.preparations[asked.asking(way)].kind, row)
    ids, scores = loaded.search(side.items, k, way)
    pairs = zip(range(1, k + 1), ids[0], scores[0], strict=True)
    found: list[dict[str, Any]] = [{"rank": rank, "id": one, "score": float(score)} for rank, one, score in pairs]
    for line, item in zip(found, results_page.named(loaded, model, way, ids[0]), strict=False):  # numbers have none
        line["item"] = item if as_json else _short(item)
    print(printing.as_json({"direction": way, "found": found}) if as_json else printing.table(found))
    if show or page:
        target = page or Path(os.path.abspath(model.expanduser())).with_name(f"{model.resolve().name}-search.html")
        write_text(target, results_page.page(loaded, model, way, side, ids[0], scores[0]))
        printing.say(f"the page is {target}")
        if show and not webbrowser.open(target.resolve().as_uri()):
            printing.say("there is no browser to open it in")


@reading.options(reading.PAIRS)
def explore(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Folders of models, to be compared.")],
    reading: dict[str, str],
    split: Annotated[str, typer.Option(help="Only pairs of that split: train, valid or test.")] = "",
    queries: Annotated[int, typer.Option(min=1, help="How many pairs ask at most.")] = 40,
    show: Annotated[bool, typer.Option("--open", help="Open the page.")] = False,
    page: Annotated[Path | None, typer.Option(help="Where the page goes; else beside the model.")] = None,
) -> None:
    """Write a page of what pairs find.

    They ask in both directions; where none are given, those ask that training has held out. The page has pictures and
    sounds in it and asks no other machine for anything. Two models stand side by side, and the queries can be listed
    that one alone has right.
    """
    from xmlib.commands.reading import pairs_of
    from xmlib.files import write_text
    from xmlib.retriever import Retriever, explorer_page

    loaded = [Retriever.load(model) for model in models]
    if reading["view1"] or reading["table"]:
        asked = explorer_page.of_pairs(loaded, _some(pairs_of(reading, loaded[0]), split, 0, 0))
        of = "the given pairs"
    else:
        asked = explorer_page.of_folders(loaded, models)
        of = "the pairs that training has held out" if "held_out" in loaded[0].about else "all pairs of its index"
    said = f"{min(queries, len(asked.ids)):,} of {len(asked.ids):,} pairs ask, of {of}."
    target = page or Path(os.path.abspath(models[0].expanduser())).with_name(f"{models[0].resolve().name}-explore.html")
    names = [model.resolve().name for model in models]
    write_text(target, explorer_page.page(loaded, names, asked, said, queries))
    print(f"the page is {target}")
    if show and not webbrowser.open(target.resolve().as_uri()):
        printing.say("there is no browser to open it in")
