"""The CCA layer's loss and gradient by several routes, and made-up views to compare them on.

All routes take one batch with all d directions kept and the loss Σ weights ∘ scores. They differ only in how the
decomposition is differentiated, and compute in the dtype they are given. The layer itself decomposes in float64.
"""

from collections.abc import Callable

import torch
from scipy.linalg import hadamard
from torch import Tensor
from torch.nn import functional

from book.derivations import adjoints, extended, released
from xmlib import cca

Result = tuple[Tensor, Tensor, Tensor]  # the loss, and its gradients (n, d) with respect to both views
Three = tuple[Tensor, Tensor, Tensor]


def canonical(h1: Tensor, h2: Tensor, ridge: float) -> tuple[tuple[Tensor, Tensor], Three, Three]:
    """CCA of a batch: centred views `c1, c2` (n, d), covariances `sxx, syy, sxy` (d, d), and `A, B, corr`."""
    c1, c2 = h1 - h1.mean(0), h2 - h2.mean(0)
    covariances = cca.covariances(c1, c2, ridge)
    return (c1, c2), covariances, cca.projections(*covariances)


def by_autograd(scores_of: Callable[[Tensor, Tensor], Tensor], h1: Tensor, h2: Tensor, weights: Tensor) -> Result:
    """Loss and gradients of Σ weights ∘ scores by autograd through `scores_of(h1, h2)` (n, n)."""
    a, b = h1.clone().requires_grad_(), h2.clone().requires_grad_()
    loss = (scores_of(a, b) * weights).sum()
    return loss.detach(), *torch.autograd.grad(loss, (a, b))


def layer(h1: Tensor, h2: Tensor, weights: Tensor, ridge: float, k: int | None = None) -> Result:
    """Through `CCALayer` as training runs it: decompositions in float64, whatever comes in."""

    def scores_of(a: Tensor, b: Tensor) -> Tensor:
        x, y = cca.CCALayer(h1.shape[1], ridge, k=k).train()(a, b)
        return x @ y.T

    return by_autograd(scores_of, h1, h2, weights)


def released_recipe(h1: Tensor, h2: Tensor, weights: Tensor, ridge: float) -> Result:
    """Autograd through four eigendecompositions."""
    return by_autograd(lambda a, b: released.scores(a, b, ridge), h1, h2, weights)


def polar(h1: Tensor, h2: Tensor, weights: Tensor, ridge: float) -> Result:
    """Cholesky factors and one SVD, its derivative by σᵢ + σⱼ, in the dtype given: the layer with fewer directions."""

    def scores_of(a: Tensor, b: Tensor) -> Tensor:
        (c1, c2), _, (A, B, _) = canonical(a, b, ridge)
        return functional.normalize(c1 @ A, dim=1) @ functional.normalize(c2 @ B, dim=1).T

    return by_autograd(scores_of, h1, h2, weights)


def implicit(h1: Tensor, h2: Tensor, weights: Tensor, ridge: float) -> Result:
    """Cholesky factors and one SVD, its derivative by σᵢ² − σⱼ², as the book writes it out."""
    (c1, c2), _, (A, B, corr) = canonical(h1, h2, ridge)
    X, Y = c1 @ A, c2 @ B
    x, y = functional.normalize(X, dim=1), functional.normalize(Y, dim=1)
    grad_X, grad_Y = adjoints.unit_rows(X, weights @ y), adjoints.unit_rows(Y, weights.T @ x)
    covariances = adjoints.implicit(A, B, corr, c1.T @ grad_X, c2.T @ grad_Y, torch.zeros_like(corr))
    through1, through2 = adjoints.to_centred(c1, c2, covariances)
    grad1, grad2 = grad_X @ A.T + through1, grad_Y @ B.T + through2
    return (x @ y.T * weights).sum(), grad1 - grad1.mean(0), grad2 - grad2.mean(0)


def long_double(h1: Tensor, h2: Tensor, weights: Tensor, ridge: float) -> Result:
    """From `book.derivations.extended`, rounded to float64: what the routes are measured against."""
    found = extended.score_loss(h1.numpy(), h2.numpy(), weights.numpy(), ridge)
    loss, grad1, grad2 = (torch.as_tensor(v.astype("float64")) for v in found)
    return loss, grad1, grad2


ROUTES = {"released recipe": released_recipe, "implicit, σᵢ² − σⱼ²": implicit, "polar, σᵢ + σⱼ": polar}


def error(found: Result, right: Result) -> float:
    """Size of the difference between two gradients of both views, relative to the second."""
    truth = torch.cat(right[1:])
    return float((torch.cat(found[1:]).double() - truth).norm() / truth.norm())


def related_views(n: int, d: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two views (n, d) in float64: the second is the first one rotated, with a little to a lot of noise by column."""
    g = torch.Generator().manual_seed(seed)
    h1 = torch.randn(n, d, generator=g, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64)).Q
    noise = torch.randn(n, d, generator=g, dtype=torch.float64) * torch.linspace(0.3, 3, d, dtype=torch.float64)
    return h1, h1 @ turn + noise


def views_with_correlations(correlations: list[float], n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two views (n, d) whose canonical correlations, at ridge 0, are those given; n > 2 d. Mixed by random matrices."""
    d = len(correlations)
    g = torch.Generator().manual_seed(seed)
    raw = torch.randn(n, 2 * d, generator=g, dtype=torch.float64)
    basis = torch.linalg.qr(raw - raw.mean(0)).Q * (n - 1) ** 0.5  # centred, covariance I
    corr = torch.tensor(correlations, dtype=torch.float64)
    second = basis[:, :d] * corr + basis[:, d:] * (1 - corr**2).sqrt()
    mixing1, mixing2 = torch.randn(2, d, d, generator=g, dtype=torch.float64)
    return basis[:, :d] @ mixing1, second @ mixing2


def symmetric_example() -> tuple[Tensor, Tensor]:
    """Two views (16, 4) of small whole numbers whose four correlations are all the same (book, the tie by hand)."""
    columns = torch.tensor(hadamard(16), dtype=torch.float64)  # ±1, orthogonal; the first is constant
    return columns[:, 1:5], columns[:, 1:5] @ torch.tensor(hadamard(4), dtype=torch.float64) + columns[:, 5:9]
