"""`xm plot`: what changed while runs were trained."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from xmlib.commands import printing
from xmlib.commands.model import AsJson
from xmlib.errors import InputError

SUFFIXES = (".svg", ".png", ".pdf")
EVERY = 1.0  # seconds between two looks at runs that are followed
Curves = dict[str, tuple[list[int], list[float]]]  # epochs and values by the names of runs


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUNS", help="Records, checkpoints, or folders of models.")],
    key: Annotated[str, typer.Option(help="What to compare, such as loss, train_mrr, lr or seconds.")] = "valid_mrr",
    out: Annotated[Path | None, typer.Option(help="A file for the figure: .svg, .png or .pdf.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Draw again whenever a run writes, until all have ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare a key of the histories of several runs.

    A table has the first, lowest, highest and last value of each run. A run that still trains is read up to its
    checkpoint. With --live the figure is in a window until you close it. Without a display it is in the file of --out,
    by default KEY.svg, until the runs have ended. Ctrl-C ends it too.
    """
    from xmlib.retriever import histories

    if out and out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{out} ends in {out.suffix or 'nothing'!r}; a figure is written to {', '.join(SUFFIXES)}.")
    if live:
        found, out = _followed(runs, key, out), None
    else:
        found = {name: histories.values(rows, key, name) for name, rows in histories.several(runs).items()}
    if as_json:
        print(printing.as_json({name: {"epoch": epochs, key: values} for name, (epochs, values) in found.items()}))
    else:
        print(printing.table([_row(name, *curve) for name, curve in found.items()]))
    if out:
        _draw(found, key, out, _figure())
        printing.say(f"the figure is {out}")


def _row(name: str, epochs: list[int], values: list[float]) -> dict[str, Any]:
    there = [value for value in values if not math.isnan(value)]
    ends = {"first": there[0], "lowest": min(there), "highest": max(there), "last": there[-1]}
    return {"run": name, "epochs": len(epochs), **{said: float(f"{value:.4g}") for said, value in ends.items()}}


def _followed(runs: list[Path], key: str, out: Path | None) -> Curves:
    """The values in the end, of runs that are drawn whenever one of them has written something."""
    from xmlib.retriever import histories

    named = dict(zip(histories.names_of(runs), map(histories.Followed, runs), strict=True))
    figure, found = _figure(window=True), {}
    window = _is_window()
    place = out or (None if window else Path(f"{key}.svg"))
    line = printing.Progress()
    try:
        while True:
            new = [run.look() for run in named.values()]
            if any(new):
                found = {name: histories.values(run.rows, key, name) for name, run in named.items()}
                _draw(found, key, place, figure)
                line("; ".join(f"{name}: epoch {epochs[-1]}, {key} {v[-1]:.4g}" for name, (epochs, v) in found.items()))
            if not _waited(figure, window, all(run.ended() for run in named.values())):
                break
    except KeyboardInterrupt:
        if not found:
            raise
    line.keep(f"the figure is {place}" if place else "the window is closed")
    return found


def _waited(figure: Any, window: bool, ended: bool) -> bool:
    """Whether to go on, after a while: without a window until the runs have ended, with one until it is closed."""
    import time

    import matplotlib.pyplot as plt

    if window:
        plt.pause(EVERY)
        return plt.fignum_exists(figure.number)
    if not ended:
        time.sleep(EVERY)
    return not ended


def _figure(window: bool = False) -> Any:
    """An empty figure in the book's style, on the screen where a window is wanted and there is a display."""
    import matplotlib

    if not window:
        matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from xmlib.show import figures

    figures.use_style()
    return plt.figure(figsize=(7, 3.6))


def _is_window() -> bool:
    """Whether figures of this process are shown by themselves: Matplotlib found a display and a toolkit."""
    import matplotlib
    from matplotlib.backends import BackendFilter, backend_registry

    return matplotlib.get_backend().lower() in backend_registry.list_builtin(BackendFilter.INTERACTIVE)


def _draw(found: Curves, key: str, out: Path | None, figure: Any) -> None:
    """Draw the curves, and write the figure where a file is given."""
    from xmlib.files import write
    from xmlib.show import figures

    figure.clear()
    figures.histories(found, key, figure.add_subplot())
    if out is None:
        return
    metadata = {"Date": None} if out.suffix.lower() == ".svg" else None
    write(out.expanduser(), lambda file: figure.savefig(file, format=out.suffix[1:].lower(), metadata=metadata))
