"""A figure as files: as it is, once more for a narrow screen, and the numbers in it."""

import csv
import io
import pickle
import sys
import textwrap
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import same_color, to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogFormatter, LogLocator

from xmlib import paths
from xmlib.files import svg, write_bytes
from xmlib.show import figures

WIDTH = 3.7  # inches of the narrow figure: 355 pixels, what a phone leaves
WORDS = 7.5  # points: 10 pixels there
LETTER = 0.58 * WORDS / 72  # inches, of one letter on average
LOWEST = 2.1  # inches, of a panel
LINE = 1.5 * WORDS / 72  # inches
DECADES = 5  # at most, named below a narrow panel
SHARP = 192  # pixels an inch of a narrow PNG: two for each of a phone's
COLUMNS = ("panel", "series", "drawn as", "x", "y")


class Drawing(NamedTuple):
    """The bytes of a figure's files: SVG, SVG for a narrow screen, CSV of what is plotted (empty where nothing is)."""

    wide: bytes
    narrow: bytes
    data: bytes

    def files(self, name: str) -> dict[str, bytes]:
        """File name → content, of the figure `name`."""
        found = {f"{name}.svg": self.wide, f"{name}-narrow.svg": self.narrow}
        return found | ({f"{name}.csv": self.data} if self.data else {})


def drawing(figure: Figure) -> Drawing:
    """All files of a figure; the figure is a narrow one afterwards."""
    wide, data = svg(figure), table(figure)
    make_narrow(figure)
    return Drawing(wide, svg(figure), data)


# ---- the narrow figure -----------------------------------------------------------------------------------------


def make_narrow(figure: Figure) -> None:
    """Panels side by side go below each other, legends below all, and words become large enough for a phone."""
    width, height = figure.get_size_inches()
    panels, lines = _beside(figure), 0
    if panels:
        _stack(figure, panels)
    for ax in figure.axes:
        lines += _widen_words(ax.xaxis) + _widen_words(ax.yaxis)
        for title in (ax.title, ax._left_title, ax._right_title):  # type: ignore[attr-defined]
            _wrap(title, 0.8 * WIDTH)
    grid = len(figure.axes) > max(1, len(panels))  # of pictures: it keeps its shape
    tall = height * WIDTH / width if grid else max(LOWEST, 0.75 * height, LINE * lines) * max(1, len(panels))
    figure.set_size_inches(WIDTH, tall + LINE * _legends_below(figure))
    for text in figure.findobj(Text):
        text.set_fontsize(WORDS)


def _legends_below(figure: Figure) -> int:
    """The number of entries of all legends, which leave their panels."""
    entries: dict[str, Any] = {}
    for ax in figure.axes:
        if legend := ax.get_legend():
            title = legend.get_title().get_text()
            names = [f"{title}: {text.get_text()}" if title else text.get_text() for text in legend.get_texts()]
            entries |= dict(zip(names, legend.legend_handles, strict=True))
            legend.remove()
    if entries:
        figure.legend(list(entries.values()), list(entries), loc="outside lower left", fontsize=WORDS)
    return len(entries)


def _beside(figure: Figure) -> list[Axes]:
    """The panels of a figure that has one row of several."""
    places = [ax.get_subplotspec() for ax in figure.axes]
    shapes = {place.get_gridspec().get_geometry() if place else (0, 0) for place in places}
    return list(figure.axes) if len(shapes) == 1 and shapes.pop() == (1, len(places)) and len(places) > 1 else []


def _stack(figure: Figure, panels: list[Axes]) -> None:
    places = figure.add_gridspec(len(panels), 1)
    for i, ax in enumerate(panels):
        ax.set_subplotspec(places[i])
        ax.tick_params(labelleft=True)
        if not ax.get_ylabel():
            ax.set_ylabel(panels[0].get_ylabel())


def _widen_words(axis: Axis) -> int:
    """The number of lines of all names beside a vertical axis; ticks get one size, and decades no small exponents."""
    axis.set_tick_params(labelsize=WORDS)
    upright = axis.axis_name == "y"  # type: ignore[attr-defined]
    _wrap(axis.label, 0.8 * (LOWEST if upright else WIDTH))
    if isinstance(axis.get_major_formatter(), LogFormatter):
        if not upright and isinstance(axis.get_major_locator(), LogLocator):
            axis.set_major_locator(LogLocator(numticks=DECADES))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    names = [_lines(name, 0.4 * WIDTH) for name in _names(axis)] if upright else []
    if names:
        axis.set_ticks(axis.get_majorticklocs(), names)
    return sum(name.count("\n") + 1 for name in names)


def _names(axis: Axis) -> list[str]:
    """What stands at the ticks of an axis of names."""
    names = axis.get_major_formatter().format_ticks(list(axis.get_majorticklocs()))
    return names if any(letter.isalpha() for letter in "".join(names)) and "$" not in "".join(names) else []


def _wrap(text: Text, inches: float) -> None:
    text.set_text(_lines(text.get_text(), inches))


def _lines(words: str, inches: float) -> str:
    """Words on lines of so many inches; what is mathematics stays on one."""
    if "$" in words:
        return words
    return "\n".join(textwrap.fill(line, int(inches / LETTER)) for line in words.splitlines())


# ---- the numbers -----------------------------------------------------------------------------------------------


def table(figure: Figure) -> bytes:
    """CSV of the points of all lines, dots and bars, one a row, with the names that legend and ticks give them."""
    rows = [row for ax in figure.axes for row in _rows(ax)]
    if not rows:
        return b""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([COLUMNS, *rows])
    return out.getvalue().encode()


def _rows(ax: Axes) -> Iterator[tuple]:
    panel = " ".join((ax.get_title(loc="left") or ax.get_title()).split())
    for artist, drawn_as, points in _points(ax):
        for x, y in points:
            yield panel, _series(ax, artist), drawn_as, _named(ax.xaxis, x), _named(ax.yaxis, y)


def _points(ax: Axes) -> Iterator[tuple[Any, str, np.ndarray]]:
    for line in ax.lines:
        if line.get_transform().contains_branch(ax.transData):
            kind = {"None": "dots", "-": "line"}.get(str(line.get_linestyle()), "broken line")
            yield line, kind, np.asarray(line.get_xydata())
    for dots in ax.collections:
        spots = np.asarray(dots.get_offsets())
        if len(spots) and dots.get_offset_transform().contains_branch(ax.transData):
            yield dots, "dots", spots
    for bars in ax.containers:
        for bar in getattr(bars, "patches", []):
            yield bar, "bar", np.array([[bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height()]])


def _series(ax: Axes, artist: Any) -> str:
    """Its own label, or those of the legend that have its colour."""
    label = str(artist.get_label())
    if label and not label.startswith("_"):
        return label
    legend = ax.get_legend() or next((found.get_legend() for found in ax.figure.axes if found.get_legend()), None)
    colour = _colour(artist)
    if legend is None or colour is None:
        return ""
    pairs = zip(legend.legend_handles, legend.get_texts(), strict=True)
    return " / ".join(text.get_text() for handle, text in pairs if handle and _colour(handle) == colour)


def _colour(artist: Any) -> str | None:
    """The colour of a line, or of what is filled."""
    for ask in ("get_color", "get_facecolor"):
        if hasattr(artist, ask):
            found = np.atleast_1d(getattr(artist, ask)())
            if found.size and not same_color(found[0] if found.ndim > 1 else getattr(artist, ask)(), "none"):
                return to_hex(found[0] if found.ndim > 1 else getattr(artist, ask)())
    return None


def _named(axis: Axis, value: float) -> Any:
    """The number, or the name that stands at it on an axis of names."""
    for place, name in zip(axis.get_majorticklocs(), _names(axis), strict=False):
        if abs(place - value) < 0.45 and name:
            return " ".join(name.split())
    return float(f"{value:.10g}")


def save(figure: Figure, folder: str, name: str) -> None:
    """Write the files of `figure`, which stays as it is; nothing if `folder` is empty.

    A relative `folder` is one of the repository.
    """
    if folder:
        with _copy(figure) as other:
            for file, content in drawing(other).files(name).items():
                write_bytes(paths.ROOT / folder / file, content)


@contextmanager
def _copy(figure: Figure) -> Iterator[Figure]:
    """The same figure once more, closed in the end: a notebook would show it too."""
    other = pickle.loads(pickle.dumps(figure))
    try:
        yield other
    finally:
        plt.close(other)


# ---- figures of notebooks --------------------------------------------------------------------------------------


def use_style() -> None:
    """Give every figure of this process the book's look; a notebook keeps a narrow one too from now on, for the site.

    It is a PNG, `narrow` in the metadata of the output.
    """
    figures.use_style()
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell and hasattr(shell, "kernel"):
        plt.switch_backend(plt.get_backend())  # which says how figures are shown, so it comes first
        pngs = shell.display_formatter.formatters["image/png"]
        with suppress(KeyError):  # where MPLBACKEND names a backend that shows nothing
            pngs.for_type(Figure, partial(_with_narrow, pngs.lookup_by_type(Figure)))


def _with_narrow(shown: Callable, figure: Figure) -> Any:
    """What a notebook shows of a figure and, but for grids of pictures, the metadata of it."""
    if len(figure.axes) > max(1, len(_beside(figure))):
        return shown(figure)
    out = io.BytesIO()
    with _copy(figure) as other:
        make_narrow(other)
        other.savefig(out, format="png", dpi=SHARP)
    return shown(figure), {"narrow": b64encode(out.getvalue()).decode()}
