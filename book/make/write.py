"""Figures as bytes, and files that are touched only when their bytes change."""

from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from xmlib.files import svg, write_bytes
from xmlib.show import figures


def draw(plot: Callable) -> bytes:
    """The SVG of what `plot` draws; the same bytes for the same drawing."""
    with plt.style.context(figures.STYLE):
        drawn = plot()
        figure = drawn if isinstance(drawn, Figure) else drawn.get_figure()
        content = svg(figure)
        plt.close(figure)
    return content


def write(path: Path, content: str | bytes) -> bool:
    """True when the file was written, False when it held the same bytes already: its time then stays as it is."""
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data:
        return False
    write_bytes(path, data)
    return True
