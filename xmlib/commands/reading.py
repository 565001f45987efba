"""The options by which commands read a user's pairs or items, which are those of the library's readers."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

MISSING = "For incomplete items: stop, or skip and name them."
HELP = {
    "view1": "An array file, a .txt with one text per line, or a folder.",
    "view2": "The other view; not needed where --view1 holds both.",
    "table": "Instead of views: a CSV with names of columns, JSON lines or Parquet.",
    "key": "Array or column; 'x*' means all columns that begin with x.",
    "key1": "Array or column of view 1; 'x*' means all that begin with x.",
    "key2": "Array or column of view 2.",
    "kind1": "Kind of view 1: numbers, texts, images or audio.",
    "kind2": "Kind of view 2.",
    "id_column": "The column with the names of the items.",
    "group_column": "The column whose equal values stay in one split.",
    "label_column": "The column with classes.",
    "split_column": "The column that says train, valid or test.",
    "folder": "The folder that paths in a table are relative to.",
    "encoding": "Encoding of a CSV.",
    "separator": "Sign between the columns of a CSV.",
    "decimal": "Decimal sign of a CSV.",
    "missing": MISSING,
}
PAIRS = (
    "view1", "view2", "table", "key1", "key2", "kind1", "kind2", "id_column", "group_column", "label_column",
    "split_column", "folder", "encoding", "separator", "decimal", "missing",
)  # fmt: skip
ITEMS = ("key", "id_column", "folder", "encoding", "separator", "decimal", "missing")
Command = Callable[..., Any]


def options(names: tuple[str, ...]) -> Callable[[Command], Command]:
    """A command with these options besides its own; it gets them as one dictionary, `reading`."""

    def extended(command: Command) -> Command:
        def run(**given: Any) -> Any:
            return command(reading={name: given.pop(name) for name in names}, **given)

        read = [option(n, "stop" if n == "missing" else "", HELP[n], n == "missing") for n in names]
        own = [one for one in inspect.signature(command).parameters.values() if one.name != "reading"]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + read
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return extended


def option(name: str, default: Any, says: str | None, show_default: bool = True) -> inspect.Parameter:
    """`--name`, without a `--no-name` where it is a switch."""
    own = typer.Option(f"--{name.replace('_', '-')}", help=says, show_default=show_default)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[type(default), own]
    )


def pairs_of(reading: dict[str, str], model: Any = None) -> Any:
    """The pairs that the options name, and what they were taken for is printed to stderr.

    `model`: a retriever, whose kinds of views are expected unless others are named.
    """
    from xmlib.commands import printing
    from xmlib.data.own import pairs, sides

    kinds = {}
    if model is not None:
        for name, prepare in zip(("kind1", "kind2"), model.preparations, strict=True):
            if not reading[name] and prepare.kind in sides.KINDS:
                kinds[name] = prepare.kind
    found = pairs.read(**{**reading, **kinds}, quiet=True)
    printing.say("\n".join(found.found))
    return found
