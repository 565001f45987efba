"""`xm plot`: what changed while runs were trained."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from xmlib.commands import printing
from xmlib.commands.model import AsJson
from xmlib.errors import InputError

SUFFIXES = (".svg", ".png", ".pdf")


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUNS", help="Records, checkpoints, or folders of models.")],
    key: Annotated[str, typer.Option(help="Of their histories, such as loss, train_mrr, lr or seconds.")] = "valid_mrr",
    out: Annotated[Path | None, typer.Option(help="A file for the figure: .svg, .png or .pdf.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a key of the histories of several runs.

    A table has the first, lowest, highest and last value of each. A run that still trains is read up to its checkpoint.
    """
    from xmlib.retriever import histories

    if out and out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{out} ends in {out.suffix or 'nothing'!r}; a figure is written to {', '.join(SUFFIXES)}.")
    found = {name: histories.values(rows, key, name) for name, rows in histories.several(runs).items()}
    if as_json:
        print(printing.as_json({name: {"epoch": epochs, key: values} for name, (epochs, values) in found.items()}))
    else:
        print(printing.table([_row(name, *curve) for name, curve in found.items()]))
    if out:
        _draw(found, key, out)
        printing.say(f"the figure is {out}")


def _row(name: str, epochs: list[int], values: list[float]) -> dict[str, Any]:
    there = [value for value in values if not math.isnan(value)]
    ends = {"first": there[0], "lowest": min(there), "highest": max(there), "last": there[-1]}
    return {"run": name, "epochs": len(epochs), **{said: float(f"{value:.4g}") for said, value in ends.items()}}


def _draw(found: dict[str, tuple[list[int], list[float]]], key: str, out: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from xmlib.files import write
    from xmlib.show import figures

    figures.use_style()
    figure: Any = figures.histories(found, key).figure
    metadata = {"Date": None} if out.suffix.lower() == ".svg" else None
    write(out.expanduser(), lambda file: figure.savefig(file, format=out.suffix[1:].lower(), metadata=metadata))
