"""The book's backward formulas, one function an equation: what training through CCA computes, written out to be read.

Training does not use this module; the notebooks on gradients and the tests hold these formulas and the layer against
each other. Names as in the book: `grad_A` is the derivative of the loss with respect to `A`, laid out like `A`.
Every function keeps the dtype it is given.
"""

import torch
from torch import Tensor

Gradients = tuple[Tensor, Tensor, Tensor]  # with respect to sxx, syy and sxy


def trace_norm(A: Tensor, B: Tensor, corr: Tensor) -> Gradients:
    """Gradients (d, d) of the sum of all correlations `corr` (d,) (book, eq. trace-norm-gradient)."""
    return -(A * corr) @ A.T / 2, -(B * corr) @ B.T / 2, A @ B.T


def implicit(A: Tensor, B: Tensor, corr: Tensor, grad_A: Tensor, grad_B: Tensor, grad_corr: Tensor) -> Gradients:
    """Gradients of any loss of `A`, `B` (d, d) and `corr` (d,) (book, eq. implicit-z-bar to implicit-covariances).

    Divides by σᵢ² − σⱼ², so it needs correlations that differ.
    """
    M, N = A.T @ grad_A, B.T @ grad_B
    squares = corr**2
    F = squares[:, None] - squares
    F = torch.where(torch.eye(len(corr), dtype=torch.bool), 0.0, 1 / F)  # the diagonal of M − Mᵀ is 0
    grad_Z = F * (M - M.T) * corr + corr[:, None] * (F * (N - N.T))
    grad_Px = -M / 2 + grad_Z * corr / 2 - torch.diag(grad_corr * corr) / 2
    grad_Py = -N / 2 + corr[:, None] * grad_Z / 2 - torch.diag(grad_corr * corr) / 2
    grad_R = -grad_Z + torch.diag(grad_corr)
    return A @ _symmetric(grad_Px) @ A.T, B @ _symmetric(grad_Py) @ B.T, A @ grad_R @ B.T


def polar(A: Tensor, B: Tensor, corr: Tensor, grad_A: Tensor, grad_B: Tensor) -> Gradients:
    """Gradients of a loss of the scores, from `A`, `B` (d, d) and the gradients (d, k) of their first k columns.

    Divides by σᵢ + σⱼ among the k kept directions and by σⱼ² − σᵢ² across their border only (book, eq. polar-z-bar
    and border-z-bar).
    """
    d, k = grad_A.shape
    M, N = torch.zeros_like(A), torch.zeros_like(B)
    M[:, :k], N[:, :k] = A.T @ grad_A, B.T @ grad_B
    kept, rest = corr[:k], corr[k:, None]
    grad_Z = torch.zeros_like(A)
    turn = (M - N)[:k, :k]
    grad_Z[:k, :k] = -(turn - turn.T) / 2 / (kept[:, None] + kept)
    grad_Z[k:, :k] = (M[k:, :k] * kept + rest * N[k:, :k]) / (rest**2 - kept**2)
    grad_Z[:k, k:] = ((M[k:, :k] * rest + kept * N[k:, :k]) / (rest**2 - kept**2)).T
    grad_Px = -M / 2 + grad_Z * corr / 2
    grad_Py = -N / 2 + corr[:, None] * grad_Z / 2
    return A @ _symmetric(grad_Px) @ A.T, B @ _symmetric(grad_Py) @ B.T, -A @ grad_Z @ B.T


def to_centred(c1: Tensor, c2: Tensor, gradients: Gradients, weight: float = 1.0) -> tuple[Tensor, Tensor]:
    """Gradients (n, d) of the centred views from those of the covariances (book, eq. covariance-adjoint).

    `weight`: share of this batch in the running statistics.
    """
    sxx, syy, sxy = gradients  # the first two symmetric
    share = weight / (len(c1) - 1)
    return share * (2 * c1 @ sxx + c2 @ sxy.T), share * (2 * c2 @ syy + c1 @ sxy)


def unit_rows(raw: Tensor, grad: Tensor) -> Tensor:
    """Gradient (n, k) before rows were scaled to unit length, from the one after (book, eq. unit-adjoint)."""
    length = raw.norm(dim=1, keepdim=True)
    unit = raw / length
    return (grad - unit * (unit * grad).sum(1, keepdim=True)) / length


def layer(
    c1: Tensor, c2: Tensor, A: Tensor, B: Tensor, corr: Tensor, grad_x: Tensor, grad_y: Tensor, weight: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Gradients (n, d) of the encoder outputs from those (n, k) of the layer's outputs (book, the layer, backward).

    `c1`, `c2`: the batch less the running means; `A`, `B`, `corr`: all d directions; `weight`: share of the batch.
    """
    k = grad_x.shape[1]
    grad_X, grad_Y = unit_rows(c1 @ A[:, :k], grad_x), unit_rows(c2 @ B[:, :k], grad_y)
    covariances = polar(A, B, corr, c1.T @ grad_X, c2.T @ grad_Y)
    through1, through2 = to_centred(c1, c2, covariances, weight)
    return through_mean(grad_X @ A[:, :k].T + through1, weight), through_mean(grad_Y @ B[:, :k].T + through2, weight)


def short_backward(
    c1: Tensor, c2: Tensor, A: Tensor, B: Tensor, H: Tensor, grad_x: Tensor, grad_y: Tensor, weight: float = 1.0
) -> tuple[Tensor, Tensor]:
    """The same gradients without covariances, all d directions kept (book, eq. short-backward).

    `A`, `B`: any projections that whiten both views and make `H` = Aᵀ sxy B symmetric, the canonical ones or not.
    """
    X, Y, share = c1 @ A, c2 @ B, weight / (len(c1) - 1)
    grad_X, grad_Y = unit_rows(X, grad_x), unit_rows(Y, grad_y)
    M, N = X.T @ grad_X, Y.T @ grad_Y
    Z = sylvester(H, ((M - N).T - (M - N)) / 2)
    grad_c1 = (grad_X + share * (X @ _symmetric(Z @ H - M) + Y @ Z)) @ A.T
    grad_c2 = (grad_Y + share * (Y @ _symmetric(H @ Z - N) - X @ Z)) @ B.T
    return through_mean(grad_c1, weight), through_mean(grad_c2, weight)


def sylvester(H: Tensor, right: Tensor) -> Tensor:
    """The solution Z (d, d) of H Z + Z H = `right`, with symmetric `H`, as d² linear equations."""
    eye = torch.eye(len(H)).to(H)
    return torch.linalg.solve(torch.kron(H, eye) + torch.kron(eye, H), right.flatten()).view_as(right)


def through_mean(grad: Tensor, weight: float = 1.0) -> Tensor:
    """Gradient (n, d) of a view before the mean was taken off, from the one after (book, eq. mean-adjoint)."""
    return grad - weight * grad.mean(0)


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.T) / 2
