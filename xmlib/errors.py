"""The exceptions that others catch: the input was wrong, or the numbers of a training were. And two common checks.

The checks look at Python's numbers and at shapes, never at values on a device, which would make a GPU wait.
"""

import sys
from numbers import Integral, Real
from typing import Any

MOST = sys.float_info.max


class InputError(ValueError):
    """Bad input from the user; the message is one sentence naming what is wrong, the value and the remedy."""


class DivergedError(ArithmeticError):
    """The numbers handed over are not finite, so no projection exists; training ends its phase when it sees this."""


def check_number(name: str, value: Any, usual: float, least: float = 0, most: float = MOST, above=False) -> None:
    """Raises `InputError` unless `value` is from `least` (or `above` it) to `most`, and whole if the usual one is.

    Tensors pass unread.
    """
    whole = isinstance(usual, int)
    wanted: Any = Integral if whole else Real
    fits = isinstance(value, wanted) and not isinstance(value, bool) and least <= value <= most
    if not hasattr(value, "detach") and (not fits or (above and value == least)):
        bounds = f"{'above' if above else 'of at least'} {least:g}" + f" and at most {most:g}" * (most < MOST)
        kind = "whole" if whole else "finite"
        raise InputError(f"{name} = {value!r:.40} is no {kind} number {bounds}: give one, such as {usual:g}.")


def check_rows(what: str, x: Any, y: Any, pairs: bool = True, widths: bool = True) -> None:
    """Raises `InputError` unless both are tensors (n, d) with rows; `pairs`: as many; `widths`: of one width."""
    if not all(hasattr(view, "detach") and view.ndim == 2 for view in (x, y)) or (widths and x.shape[1] != y.shape[1]):
        got = " and ".join(f"{type(view).__name__} of shape {tuple(getattr(view, 'shape', ()))}" for view in (x, y))
        wanted = "two tensors of shape (n, d)" + (", with the same d" if widths else "")
        raise InputError(f"{what} takes {wanted}, but got {got}: give one row an item.")
    if not len(x) or not len(y) or (pairs and len(x) != len(y)):
        wanted = "as many rows in one view as in the other and at least one" if pairs else "at least one row a view"
        raise InputError(f"{what} needs {wanted}, but got {len(x)} and {len(y)}: leave out what has no partner.")
