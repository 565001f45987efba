"""All groups of commands in one, and how a command ends."""

import io
import sys
from collections.abc import Sequence

import typer

from xmlib.commands import data, model, plot, prepare, records, search
from xmlib.commands.stopping import STOPPED
from xmlib.errors import InputError

app = typer.Typer(
    help="Train on pairs of your own, search, evaluate; build data sets; list, repeat and compare records of runs.\n\n"
    "Pairs are kept in the folder data, runs in runs; XMLIB_DATA and XMLIB_RUNS name other folders.",
    add_completion=False,
    rich_markup_mode=None,  # plain text, wherever it goes
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.add_typer(records.app, name="records")
for _command in (
    model.train, model.evaluate, search.embed, search.index, search.search, search.explore, model.refit, plot.plot,
    prepare.prepare,
):  # fmt: skip
    app.command()(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: that of the command, 2 after bad input or where the disk is full or closed, 130 after Ctrl-C.

    Either is said in one line.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):  # what a terminal has no letters for must not end a command
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = app(given or ["--help"], prog_name="xm", standalone_mode=False)
    except InputError as error:
        return _say(f"error: {error}", 2)
    except OSError as error:  # of the disk: full, closed, or a name that it does not take
        about = (
            f"{str(error.filename)[:200]} cannot be read or written" if error.filename else "a file cannot be written"
        )
        return _say(f"error: {about} ({error.strerror or error}): make room on the disk, or choose another place.", 2)
    except typer.TyperException as error:
        return _say(f"error: {_sentence(error)}", 2)
    return _say("stopped", STOPPED) if status == STOPPED else status or 0


def _say(line: str, status: int) -> int:
    print(line, file=sys.stderr)
    return status


def _sentence(error: typer.TyperException) -> str:
    """What is wrong with the words of a command, and where they are explained."""
    said = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{said} (see {context.command_path if context else 'xm'} --help)"
