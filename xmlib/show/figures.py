"""The look of figures, the names and colours of methods, and curves of trainings.

Colours are Okabe and Ito's, safe for colour-blind readers; a method keeps its colour everywhere.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from xmlib.methods import METHODS

STYLE = Path(__file__).with_name("matplotlibrc")
METHOD_NAMES = {name: row.title for name, row in METHODS.items()} | {"linear_cca": "Linear CCA", "chance": "Chance"}
METHOD_COLORS = {name: row.color for name, row in METHODS.items()} | {"linear_cca": "#777777", "chance": "#BBBBBB"}


def use_style() -> None:
    """Give every figure of this process the book's look."""
    plt.style.use(STYLE)


def histories(curves: dict[str, tuple[list[int], list[float]]], key: str, ax: Axes | None = None) -> Axes:
    """Values of a key per epoch, a line for each named run; `curves`: name → epochs and values."""
    ax = ax or plt.subplots(figsize=(7, 3.6))[1]
    for name, (epochs, values) in curves.items():
        ax.plot(epochs, values, label=name.replace("$", r"\$"))  # a dollar would begin mathematics
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=key.replace("$", r"\$"))
    ax.legend()
    return ax
