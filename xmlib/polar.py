"""Training through CCA with all directions kept: closed-form gradients of unit rows and of the trace norm.

Scores need only the whitened views and the polar factor of T, and the backward pass is one Sylvester equation (book,
the polar factor). One `autograd.Function` leads from features to results, so autograd stores no intermediate steps.
Features of less than double precision are processed in float32. Float64 is used where it decides the accuracy: for
covariances (of a single view only if badly conditioned), their Cholesky factors, T and its decomposition.

On the CPU every condition is checked. On another device nothing waits for the CPU: matrix products replace
eigenvectors, and what has no solution comes out as NaN, which ends a phase of training as a `DivergedError` does.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor
from torch.linalg import solve_triangular

from xmlib.errors import DivergedError, InputError

WIDE = 96  # columns from which float32 covariances save more time than the look at their condition costs
STEEP = 16.0  # squared diagonal of L, largest over smallest, beyond which float32 covariances cost digits
LEAST = 1e-5  # correlation below which the eigenvectors of TTᵀ, which know its square, are not good enough
NOT_FINITE = "The views hold NaN or infinite values; CCA of them does not exist."
SHIFT, FLOOR = 1e-8, 1e-10  # of the iteration by products: added to T; correlation that it still brings to 1


class Batch(NamedTuple):
    """The statistics of a training batch: centred views (n, d), and the rest in float64.

    `weight`: of this batch in means and covariances, 1 without running statistics.
    """

    c1: Tensor
    c2: Tensor
    mean1: Tensor
    mean2: Tensor
    sxx: Tensor
    syy: Tensor
    sxy: Tensor
    Lx: Tensor
    Ly: Tensor
    weight: float


class Past(NamedTuple):
    """`running`: mean1, mean2, sxx, syy, sxy before a batch; `keep`, `weight`: their weight and that of the batch."""

    running: list[Tensor]
    keep: float
    weight: float


class Turned(NamedTuple):
    """Orthogonal `U`, `V` for which H = Uᵀ T V is symmetric and positive: U Vᵀ is the polar factor of T.

    `corr`: the correlations, if H is diagonal. Otherwise `H` itself, and the `steps` that led to V.
    """

    U: Tensor
    V: Tensor
    corr: Tensor | None
    H: Tensor | None = None
    steps: list | None = None

    def to(self, dtype: torch.dtype) -> "Turned":
        """The same in another precision; the steps stay as they are."""
        U, V, corr, H = (None if t is None else t.to(dtype) for t in self[:4])
        return Turned(U, V, corr, H, self.steps)

    def weigh(self, A: Tensor) -> Tensor:
        """A H."""
        return A * self.corr if self.H is None else A @ self.H

    def trace(self) -> Tensor:
        """The sum of all correlations."""
        return self.corr.sum() if self.H is None else self.H.trace()

    def solve(self, difference: Tensor) -> Tensor:
        """Antisymmetric Z with H Z + Z H = −½ (`difference` − its transpose) (book, eq. polar-z-bar)."""
        right = (difference.mT - difference) / 2
        if self.H is None:
            sums = self.corr[:, None] + self.corr
            determined = sums > 1e-12 * sums.max()  # the others nothing should move: any turn of them is as good
            return torch.where(determined, right.div_(sums), 0.0)
        Z = through_products(right.double() @ self.V.mT.double(), self.steps) @ self.V.double()
        return ((Z - Z.mT) / 4).to(right.dtype)


def turned(T: Tensor, dtype: torch.dtype) -> Turned:
    """The decomposition of square `T`, chosen by its device, its smallest correlation and the precision."""
    if T.device.type != "cpu":
        return by_products(T).to(dtype)
    found = by_eigenvectors(T) if dtype == torch.float32 else None
    return (found or by_svd(T)).to(dtype)


def by_eigenvectors(T: Tensor) -> Turned | None:
    """From T Tᵀ = U Σ² Uᵀ and V = Tᵀ U Σ⁻¹, in half the time of an SVD; None where a correlation is below `LEAST`."""
    squares, U = torch.linalg.eigh(T @ T.mT)
    if not squares[0] > LEAST**2:
        return None
    corr = squares.sqrt()
    return Turned(U, (T.mT @ U).div_(corr), corr)


def by_svd(T: Tensor) -> Turned:
    """From an SVD, whatever the correlations are; the first min(T.shape) directions of both sides."""
    U, corr, Vh = torch.linalg.svd(T, full_matrices=False)
    return Turned(U, Vh.mT, corr)


def by_products(T: Tensor) -> Turned:
    """U = I and V = Qᵀ from the scaled Newton–Schulz iteration (book, eq. newton-schulz): matrix products alone.

    `SHIFT` gives directions without correlation some rotation, so that they stay in the scores.
    """
    eye = torch.eye(len(T)).to(T)
    X, least, steps = T + SHIFT * eye, FLOOR, []
    while 1 - least > 1e-15:
        scale = math.sqrt(3 / (1 + least + least**2))
        a, b = 1.5 * scale, 0.5 * scale**3
        S = X.mT @ X
        steps.append((a, b, X, S))
        X = torch.addmm(X, X, S, beta=a, alpha=-b)
        least = least * (a - b * least**2)
    H = T @ X.mT
    return Turned(eye, X.mT, None, (H + H.mT) / 2, steps)


def through_products(grad: Tensor, steps: list) -> Tensor:
    """Gradient with respect to T of a loss of its polar factor, back through the `steps` of `by_products`."""
    for a, b, X, S in reversed(steps):
        K = X.mT @ grad
        grad = a * grad - b * (grad @ S + X @ (K + K.mT))
    return grad


def batch_statistics(h1: Tensor, h2: Tensor, ridge: float, past: Past | None = None) -> Batch:
    """Centred views, means, covariances and Cholesky factors, mixed with the `past` where there is one.

    Raises `InputError` for features that are no floating-point numbers; on the CPU `DivergedError` for values that
    are not finite and for covariances that are not positive definite. Call it without gradient.
    """
    dtype, on_cpu = working_dtype(h1, h2), h1.device.type == "cpu"
    wide1, wide2 = h1.double(), h2.double()
    mean1, mean2 = mixed(wide1.mean(0), past, 0), mixed(wide2.mean(0), past, 1)
    if on_cpu and not math.isfinite(float(mean1.sum()) + float(mean2.sum())):
        raise DivergedError(NOT_FINITE)
    wide1, wide2 = wide1 - mean1, wide2 - mean2
    c1, c2 = wide1.to(dtype), wide2.to(dtype)
    sxx, Lx, failed1 = _factored(c1, wide1, ridge, past, 2)
    syy, Ly, failed2 = _factored(c2, wide2, ridge, past, 3)
    sxy = mixed((wide1.mT @ wide2).div_(max(len(c1) - 1, 1)), past, 4)
    failed = failed1 + failed2
    if not on_cpu:
        Lx = Lx.masked_fill(failed > 0, torch.nan)
    elif failed:
        raise DivergedError("The covariance of a view is not positive definite: raise ridge, or use more pairs.")
    return Batch(c1, c2, mean1, mean2, sxx, syy, sxy, Lx, Ly, past.weight if past else 1.0)


def working_dtype(h1: Tensor, h2: Tensor) -> torch.dtype:
    """float64 if one of the views is, else float32. Raises `InputError` for views of whole numbers."""
    for view, h in enumerate((h1, h2), start=1):
        if not h.is_floating_point():
            raise InputError(
                f"View {view} holds features of {h.dtype}, but CCA needs floating-point ones: use .float()."
            )
    return torch.float64 if torch.float64 in (h1.dtype, h2.dtype) else torch.float32


def full_precision(h: Tensor) -> AbstractContextManager:
    """A context that turns autocast off where it is on: covariances in half precision would be useless."""
    kind = h.device.type
    known = torch.amp.is_autocast_available(kind)
    return torch.autocast(kind, enabled=False) if known and torch.is_autocast_enabled(kind) else nullcontext()


def mixed(new: Tensor, past: Past | None, which: int) -> Tensor:
    """The weighted sum of a batch statistic and its running one; `which` is its place in `Past.running`."""
    return past.keep * past.running[which] + past.weight * new if past else new


def _factored(c: Tensor, wide: Tensor, ridge: float, past: Past | None, which: int) -> tuple[Tensor, Tensor, Tensor]:
    """A covariance, its Cholesky factor, and a number above 0 if it has none; from `wide`, the same view in float64.

    From `c` in float32 if the factor shows that this is accurate enough: an error there moves T by E T, which hardly
    turns its polar factor. An error of the cross-covariance does turn it, so that one is always in float64.
    """
    quick = c is not wide and c.device.type == "cpu" and c.shape[1] >= WIDE
    for view in (c, wide) if quick else (wide,):
        s = (view.mT @ view).double().div_(max(len(c) - 1, 1))
        s.diagonal().add_(ridge)
        s = mixed(s, past, which)
        L, failed = torch.linalg.cholesky_ex(s)
        if view is wide or _even(L):
            break
    return s, L, failed


def _even(L: Tensor) -> bool:
    """Whether the covariance with this Cholesky factor is conditioned so well that float32 serves it."""
    least, most = L.diagonal().aminmax()
    return float(most) ** 2 < STEEP * float(least) ** 2


def whitened_cross(batch: Batch) -> Tensor:
    """`T = Lx⁻¹ sxy Ly⁻ᵀ` of a batch, in float64."""
    left = solve_triangular(batch.Lx, batch.sxy, upper=False)
    return solve_triangular(batch.Ly, left.mT, upper=False).mT


def _projections(batch: Batch, turn: Turned) -> tuple[Tensor, Tensor]:
    """`A = Lx⁻ᵀ U` and `B = Ly⁻ᵀ V` in the precision of the turn."""
    pairs = (batch.Lx, turn.U), (batch.Ly, turn.V)
    A, B = (solve_triangular(L.to(turn.V.dtype).mT, directions, upper=True) for L, directions in pairs)
    return A, B


class UnitRows(torch.autograd.Function):
    """Unit-length rows (n, d) of both projected views, all d directions kept, from features and their statistics."""

    @staticmethod
    def forward(ctx, h1: Tensor, h2: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        turn = turned(whitened_cross(batch), batch.c1.dtype)
        A, B = _projections(batch, turn)
        X, Y = batch.c1 @ A, batch.c2 @ B
        lengths = [torch.linalg.vector_norm(V, dim=1, keepdim=True).clamp_min_(1e-12) for V in (X, Y)]
        x, y = X / lengths[0], Y / lengths[1]
        ctx.save_for_backward(X, Y, x, y, *lengths, A, B)
        ctx.turn, ctx.weight, ctx.dtypes = turn, batch.weight, (h1.dtype, h2.dtype)
        return x.to(h1.dtype), y.to(h2.dtype)

    @staticmethod
    def backward(ctx, grad_x: Tensor, grad_y: Tensor):
        refuse_second_derivative()
        X, Y, x, y, length1, length2, A, B = ctx.saved_tensors
        with full_precision(X):
            grad_X, grad_Y = _through_length(x, length1, grad_x), _through_length(y, length2, grad_y)
            M, N = X.mT @ grad_X, Y.mT @ grad_Y  # (d, d): the gradients in the basis of the directions
            Z = ctx.turn.solve(M - N)
            ZH = ctx.turn.weigh(Z)
            share = ctx.weight / max(len(X) - 1, 1)
            grad_X.addmm_(X, _symmetric(ZH - M), alpha=share).addmm_(Y, Z, alpha=share)
            grad_Y.addmm_(Y, _symmetric(-ZH.mT - N), alpha=share).addmm_(X, Z, alpha=-share)
            grads = grad_X @ A.mT, grad_Y @ B.mT
        through = [grad.sub_(ctx.weight * grad.mean(0)).to(t) for grad, t in zip(grads, ctx.dtypes, strict=True)]
        return *through, None


class TraceNorm(torch.autograd.Function):
    """The mean correlation of a batch, from features and their statistics."""

    @staticmethod
    def forward(ctx, h1: Tensor, h2: Tensor, batch: Batch) -> Tensor:
        dtype, T = batch.c1.dtype, whitened_cross(batch)
        turn = turned(T, dtype) if T.shape[0] == T.shape[1] else by_svd(T).to(dtype)
        A, B = _projections(batch, turn)
        ctx.save_for_backward(batch.c1, batch.c2, A, B)
        ctx.turn, ctx.dtypes = turn, (h1.dtype, h2.dtype)
        return (turn.trace() / min(T.shape)).to(torch.promote_types(h1.dtype, h2.dtype))

    @staticmethod
    def backward(ctx, grad: Tensor):
        refuse_second_derivative()
        c1, c2, A, B = ctx.saved_tensors
        with full_precision(c1):
            scaled = grad / (A.shape[1] * (len(c1) - 1))
            sxx, syy = (ctx.turn.weigh(P).mul_(-scaled) @ P.mT for P in (A, B))
            sxy = (A * scaled) @ B.mT
            grad1, grad2 = (c1 @ sxx).addmm_(c2, sxy.mT), (c2 @ syy).addmm_(c1, sxy)
        return grad1.to(ctx.dtypes[0]), grad2.to(ctx.dtypes[1]), None


def _through_length(unit: Tensor, length: Tensor, grad: Tensor) -> Tensor:
    """Gradient (n, d) before the rows were scaled to unit length (book, eq. unit-adjoint)."""
    grad = grad.to(unit.dtype)
    return torch.addcmul(grad, unit, (unit * grad).sum(1, keepdim=True), value=-1).div_(length)


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.mT).mul_(0.5)


def refuse_second_derivative() -> None:
    """Raises `InputError` in a backward pass that is itself to be differentiated."""
    if torch.is_grad_enabled():  # as it is in a backward pass with create_graph=True, and only there
        raise InputError("CCA layer and trace norm have no second derivative here: leave create_graph=True out.")
