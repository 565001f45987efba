"""Figures as files, and files that are touched only when their bytes change."""

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from book.make import sources
from book.show.drawings import Drawing, drawing
from xmlib.files import write_bytes
from xmlib.show import figures


def draw(plot: Callable) -> Drawing:
    """The files of what `plot` draws; the same bytes for the same drawing. A `partial` says what drew it."""
    with plt.style.context(figures.STYLE):
        drawn = plot()
        figure = drawn if isinstance(drawn, Figure) else drawn.get_figure()
        made = drawing(figure)
        plt.close(figure)
    return made._replace(wide=sources.in_svg(made.wide, plot))


def files(wanted: Mapping[str, str | bytes | Drawing]) -> dict[str, str | bytes]:
    """File name → content, with all files of every drawing."""
    found: dict[str, str | bytes] = {}
    for name, content in wanted.items():
        found |= content.files(name.removesuffix(".svg")) if isinstance(content, Drawing) else {name: content}
    return found


def write(path: Path, content: str | bytes) -> bool:
    """True when the file was written, False when it held the same bytes already: its time then stays as it is."""
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data:
        return False
    write_bytes(path, data)
    return True
