"""The released recipes for CCA and the trace norm, kept for comparison only: nothing trains with them.

Four symmetric eigendecompositions, all differentiated by autograd, and signs fixed afterwards. The book shows where
this gives a wrong loss and gradients that are not numbers (book, the gradient of CCA). Numbers keep their dtype here.
"""

import torch
from torch import Tensor
from torch.nn import functional

from xmlib.cca import covariances


def inverse_root(s: Tensor) -> Tensor:
    """`s^(-1/2)` (d, d) from the eigenvalues and eigenvectors of symmetric `s` (book, eq. symmetric-whitening)."""
    values, vectors = torch.linalg.eigh(s)
    return vectors @ torch.diag(values**-0.5) @ vectors.T


def projections(sxx: Tensor, syy: Tensor, sxy: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`A`, `B` (d, k): eigenvectors of TTᵀ and of TᵀT found apart, each of V's turned to match U's by its sign."""
    wx, wy = inverse_root(sxx), inverse_root(syy)
    T = wx @ sxy @ wy
    U = torch.linalg.eigh(T @ T.T)[1].flip(1)[:, :k]  # eigh sorts upwards
    V = torch.linalg.eigh(T.T @ T)[1].flip(1)[:, :k]
    return wx @ U, wy @ (V * torch.sign((U * (T @ V)).sum(0)))


def scores(h1: Tensor, h2: Tensor, ridge: float = 1e-3, k: int | None = None) -> Tensor:
    """Cosine scores (n, n) of encoder outputs (n, d) in a training batch, as the released layer gives them."""
    c1, c2 = h1 - h1.mean(0), h2 - h2.mean(0)
    A, B = projections(*covariances(c1, c2, ridge), k or h1.shape[1])
    return functional.normalize(c1 @ A, dim=1) @ functional.normalize(c2 @ B, dim=1).T


def trace_norm(h1: Tensor, h2: Tensor, ridge: float = 1e-3, inside: float = 1e-3) -> Tensor:
    """−mean √clip(eig(TTᵀ + inside·I), 1e-7, 1) of encoder outputs (n, d) (book, eq. trace-norm-released)."""
    sxx, syy, sxy = covariances(h1 - h1.mean(0), h2 - h2.mean(0), ridge)
    T = inverse_root(sxx) @ sxy @ inverse_root(syy)
    return -torch.linalg.eigvalsh(T @ T.T + inside * torch.eye(len(T)).to(T)).clamp(1e-7, 1).sqrt().mean()
