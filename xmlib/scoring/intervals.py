"""How far a mean may be off: intervals over queries, over seeds and over both, and which of many differences hold.

`values` are one number a query, (n,), or one a seed and query, (seeds, n): reciprocal ranks, shares of neighbours, or
the differences of two methods on the same queries (book, evaluation protocol).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from xmlib.errors import InputError
from xmlib.evaluate import Interval, bootstrap_interval, members


class Mean(NamedTuple):
    """A mean with its standard error and the degrees of freedom of that: (value − truth) / error is about Student's."""

    value: float
    error: float
    freedom: float

    def interval(self, level: float = 0.95) -> Interval:
        """Where the truth may lie: (low, high)."""
        half = self.error * stdtrit(self.freedom, (1 + level) / 2) if self.error else 0.0
        return float(self.value - half), float(self.value + half)

    @property
    def p(self) -> float:
        """Probability of a mean at least as far from 0 as this one if the truth is 0."""
        if not self.error:
            return float(self.value == 0)
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.error))


def crossed_mean(values, groups=None) -> Mean:
    """The mean of a table (seeds, n) of values, with its error over new seeds and new groups of queries together.

    Squared, the error is (MS_seed + MS_group − MS_rest) / (seeds · groups) with the mean squares of the two-way table
    of seeds and groups; a part of the variance that comes out negative counts as 0. Degrees of freedom are those of
    Satterthwaite. Of one seed the error is that over groups alone. `groups`: (n,) labels, None for single queries;
    unequal sizes as in `group_cells`. The error of a single group is infinite: nothing is known of others.
    """
    cells = group_cells(values, groups)
    seeds, count = cells.shape
    mean = float(cells.mean())
    if count < 2:
        return Mean(mean, np.inf, 1.0)
    if seeds < 2:
        return Mean(mean, float(cells.std(ddof=1)) / count**0.5, count - 1.0)
    of_seed, of_group = cells.mean(1) - mean, cells.mean(0) - mean
    rest = float(np.square(cells - mean - of_seed[:, None] - of_group).sum()) / ((seeds - 1) * (count - 1))
    squares = [  # mean square, degrees of freedom; below `rest` there is no sign of that part
        (max(count * float(np.square(of_seed).sum()) / (seeds - 1), rest), seeds - 1),
        (max(seeds * float(np.square(of_group).sum()) / (count - 1), rest), count - 1),
    ]
    parts = [part for part in squares if part[0] > rest]
    total = sum(square for square, _ in squares) - rest
    spread = sum(square**2 / freedom for square, freedom in parts)
    spread += ((len(parts) - 1) * rest) ** 2 / ((seeds - 1) * (count - 1))
    return Mean(mean, (total / (seeds * count)) ** 0.5, total**2 / spread if spread else 1.0)


def group_cells(values, groups=None) -> np.ndarray:
    """A table (seeds, groups) with the mean of the table (seeds, n) of values, each group by its size.

    A cell is the mean of all, plus what the group adds: the sum of its queries' distances from that mean, over the mean
    size of a group. So a large group weighs as much as its queries, and the spread of the cells is that of a mean over
    queries when whole groups are drawn (the linearised ratio of sum and size).
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    n = values.shape[1]
    member = members(n, groups)
    mean = values.mean()
    sums = np.stack([np.bincount(member, weights=row - mean) for row in values])
    return mean + sums * (sums.shape[1] / n)


def mean_interval(values, groups=None, level: float = 0.95) -> Interval:
    """Interval (low, high) of the mean: of several seeds over seeds and groups, of one seed or (n,) the bootstrap."""
    if np.ndim(values) == 2 and len(values) > 1:
        return crossed_mean(values, groups).interval(level)
    return bootstrap_interval(np.ravel(values), groups, level)


def paired_mean(a, b, groups=None) -> Mean:
    """As `crossed_mean`, of `a - b`: values of two methods on the same queries and the same seeds in the same order."""
    return crossed_mean(_difference(a, b), groups)


def paired_interval(a, b, groups=None, level: float = 0.95) -> Interval:
    """As `mean_interval`, of `a - b`: values of two methods on the same queries and on the same seeds in order."""
    return mean_interval(_difference(a, b), groups, level)


def _difference(a, b) -> np.ndarray:
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        sizes = " and ".join("×".join(map(str, values.shape)) for values in (a, b))
        raise InputError(f"A paired comparison needs the same queries and seeds, but got {sizes} values.")
    return a - b


def seed_interval(values, level: float = 0.95) -> Interval:
    """Student's t interval (low, high) of the mean of one number a seed, `values` (seeds,).

    Says where the mean over all seeds may lie, for these queries; raises `InputError` for fewer than two seeds.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        raise InputError(f"An interval over seeds needs at least two seeds, but got {len(values)}: run more seeds.")
    return Mean(float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5, len(values) - 1).interval(level)


def holm(p_values) -> np.ndarray:
    """Holm's adjusted p-values (k,): in at most 5 % of families is one below 5 % that chance alone has made."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted
