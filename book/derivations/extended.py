"""The layer's loss and gradient in NumPy's long double (80 bits on most processors), to measure double precision by.

No singular vector is found: whitening by Cholesky, the polar factor by Newton's iteration, its derivative from a
Sylvester equation (book, eq. sylvester-adjoint). LAPACK knows no long double, so float64 solutions are refined.
"""

import numpy as np
from numpy import ndarray

REFINEMENTS = 3  # each adds the digits of a float64 solution again


def score_loss(h1: ndarray, h2: ndarray, weights: ndarray, ridge: float) -> tuple[ndarray, ndarray, ndarray]:
    """Σ weights ∘ scores and its gradients (n, d) with respect to `h1`, `h2`; all d kept, `weights` (n, n)."""
    c1, c2 = (h.astype(np.longdouble) - h.astype(np.longdouble).mean(0) for h in (h1, h2))
    n, d = c1.shape
    eye = ridge * np.eye(d, dtype=np.longdouble)
    Wx, Wy = (_inverse(_cholesky(c.T @ c / (n - 1) + eye)) for c in (c1, c2))
    T = Wx @ (c1.T @ c2) @ Wy.T / (n - 1)
    Q = _polar_factor(T)
    H = _symmetric(T @ Q.T)
    A, B = Wx.T, Wy.T @ Q.T  # not the canonical directions, but the same scores; Aᵀ sxy B = H
    (x, lx), (y, ly) = _unit(c1 @ A), _unit(c2 @ B)
    grad_X, grad_Y = _unit_adjoint(x, lx, weights @ y), _unit_adjoint(y, ly, weights.T @ x)
    M, N = A.T @ c1.T @ grad_X, B.T @ c2.T @ grad_Y
    grad_Z = _sylvester(H, -(M - N - (M - N).T) / 2)
    sxx = A @ _symmetric(-M + grad_Z @ H) @ A.T / 2
    syy = B @ _symmetric(-N + H @ grad_Z) @ B.T / 2
    sxy = -A @ grad_Z @ B.T
    grad1 = grad_X @ A.T + (2 * c1 @ sxx + c2 @ sxy.T) / (n - 1)
    grad2 = grad_Y @ B.T + (2 * c2 @ syy + c1 @ sxy) / (n - 1)
    return (x @ y.T * weights).sum(), grad1 - grad1.mean(0), grad2 - grad2.mean(0)


def _cholesky(s: ndarray) -> ndarray:
    L = np.zeros_like(s)
    for j in range(len(s)):
        column = s[j:, j] - L[j:, :j] @ L[j, :j]
        L[j:, j] = column / np.sqrt(column[0])
    return L


def _inverse(matrix: ndarray) -> ndarray:
    found = np.linalg.inv(matrix.astype(np.float64)).astype(np.longdouble)
    for _ in range(REFINEMENTS):
        found = found @ (2 * np.eye(len(matrix)) - matrix @ found)
    return found


def _polar_factor(T: ndarray) -> ndarray:
    Q = T
    for _ in range(100):
        step = (_inverse(Q).T - Q) / 2
        Q = Q + step
        if np.abs(step).max() < 1e-10:  # convergence is quadratic: the next step is below every digit
            return Q
    raise ArithmeticError("Newton's iteration for the polar factor did not converge in 100 steps.")


def _sylvester(H: ndarray, right: ndarray) -> ndarray:
    """The solution X of H X + X H = right, with H symmetric and positive definite."""
    values, vectors = np.linalg.eigh(H.astype(np.float64))
    found = np.zeros_like(right)
    for _ in range(1 + REFINEMENTS):
        rest = vectors.T @ (right - H @ found - found @ H) @ vectors
        found = found + vectors @ (rest / (values[:, None] + values)) @ vectors.T
    return found


def _unit(raw: ndarray) -> tuple[ndarray, ndarray]:
    length = np.sqrt((raw**2).sum(1, keepdims=True))
    return raw / length, length


def _unit_adjoint(unit: ndarray, length: ndarray, grad: ndarray) -> ndarray:
    return (grad - unit * (unit * grad).sum(1, keepdims=True)) / length


def _symmetric(matrix: ndarray) -> ndarray:
    return (matrix + matrix.T) / 2
