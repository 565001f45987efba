"""`xm records`: what runs have left, made again and compared."""

from pathlib import Path
from typing import Annotated

import typer

SHOWN = 20  # differences of a record, at most

app = typer.Typer(help="List, repeat and compare records of runs.")


@app.command("list")
def every() -> None:
    """Print a line for every record in the book.

    It names the modules of xmlib that have changed since the run.
    """
    from xmlib.runs import records  # brings PyTorch

    print("\n".join(map(records.summary, records.load_all())) or "There are no records yet: run `make book`.")


@app.command()
def rerun(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A record, such as one under book/records.")],
) -> int:
    """Run a record again and compare all digits.

    Exit status 1 where something differs.
    """
    from xmlib.runs import records

    found = records.rerun(file)
    ending = f"{len(found)} differences." if found else "Equal: the record was repeated to the last digit."
    print("\n".join([*found[:SHOWN], ending]))
    return 1 if found else 0


@app.command()
def confirm(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Records, one a notebook or family of methods.")],
    epochs: Annotated[int, typer.Option(min=1, help="How many are trained by either code.")] = 2,
) -> int:
    """Train to see if a change of code changes a number.

    The first epochs of each record are trained with the code of its own commit and with this checkout. Where all digits
    agree, book/records/equivalent.json says so, and the records of that notebook are not stale. Exit status 1 where a
    digit differs.
    """
    from xmlib.runs.confirm import confirm as differences

    status = 0
    for file in files:
        found = differences(file, epochs)
        print("\n".join([f"{file}: {len(found)} differences", *found[:SHOWN]]) if found else f"{file}: equal")
        status = status or int(bool(found))
    return status
