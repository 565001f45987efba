"""How the notebooks check a formula: errors held against what is allowed, finite differences, random directions."""

from collections.abc import Callable, Sequence

import pandas as pd
import torch
from pandas.io.formats.style import Styler
from torch import Tensor


def begin(seed: int) -> None:
    """Set what all checks share: double precision, the seed, and one thread, so that the digits repeat."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)


class Checks:
    """The comparisons of a notebook, which stops at the first that fails."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def within(self, what: str, found: Tensor, right: Tensor, tolerance: float) -> None:
        """Assert that two tensors agree, relative to the size of the second; keep the error for the table."""
        found, right = torch.as_tensor(found), torch.as_tensor(right)
        error = float((found - right).norm() / right.norm())
        assert error <= tolerance, f"{what}: the error is {error:.1e}, above {tolerance:.0e}"
        self.rows.append({"what": what, "relative error": error, "allowed": tolerance})

    def table(self) -> Styler:
        """What was compared, with its error and what is allowed; the caption counts."""
        style = pd.DataFrame(self.rows).set_index("what").style.format("{:.0e}")
        return style.set_caption(f"{len(self.rows)} comparisons, none outside what is allowed.")


def slope(f: Callable[..., Tensor], point: Sequence[Tensor], direction: Sequence[Tensor], step: float = 1e-5) -> Tensor:
    """How fast f changes at `point` along `direction`, by central differences."""
    ahead, behind = (f(*(p + s * v for p, v in zip(point, direction, strict=True))) for s in (step, -step))
    return (ahead - behind) / (2 * step)


def inner(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    """Sum of the products of all entries: what a gradient makes of a direction."""
    return torch.stack([(a * b).sum() for a, b in zip(left, right, strict=True)]).sum()


def direction_of_covariances(d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random changes (d, d) of sxx, syy and sxy, the first two symmetric as these matrices are."""
    first, second = torch.randn(2, d, d)
    return first + first.T, second + second.T, torch.randn(d, d)
