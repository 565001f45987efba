"""Canonical correlation analysis: the classical solution, and as a layer to train through.

Notation as in the book: `sxx, syy, sxy` are covariances, `T` the whitened cross-covariance, and `T = U diag(corr) Vᵀ`.
Small matrices are handled in float64: it costs little, and the whitening is as ill-conditioned as the data.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from xmlib.errors import InputError


class DivergedError(ArithmeticError):
    """The numbers handed over are not finite, so no projection exists; training ends its phase when it sees this."""


def cca(h1: Tensor, h2: Tensor, ridge: float = 1e-3) -> tuple[Tensor, Tensor, Tensor]:
    """Projections `A`, `B`, both (d, d) with columns in falling order of correlation, and `corr`, (d,).

    `h1`, `h2`: (n, d), row i of one belongs to row i of the other; centred here. `ridge` is added to the diagonals
    of both covariances. Projected views are `(h1 - h1.mean(0)) @ A` and `(h2 - h2.mean(0)) @ B`.
    Raises `InputError` for n ≤ d, where correlations of 1 come from noise alone, and for unequal lengths;
    `DivergedError` for values that are not finite.
    """
    check_views(h1, h2)
    x, y = h1.double(), h2.double()
    A, B, corr = projections(*covariances(x - x.mean(0), y - y.mean(0), ridge))
    return A.to(h1.dtype), B.to(h2.dtype), corr.to(h1.dtype)


def check_views(h1: Tensor, h2: Tensor) -> None:
    """Raises `InputError` unless both views have n rows, more than columns; `DivergedError` unless all are finite."""
    if len(h1) != len(h2):
        raise InputError(f"The two views have {len(h1)} and {len(h2)} rows; CCA needs them in pairs, row by row.")
    n, d = len(h1), max(h1.shape[1], h2.shape[1])
    if n <= d:
        raise InputError(
            f"CCA needs more pairs than dimensions, but got n = {n} pairs for d = {d} dimensions: "
            f"use a batch of at least {d + 1} (better several times d) or a smaller d."
        )
    if not (torch.isfinite(h1).all() and torch.isfinite(h2).all()):
        raise DivergedError("The views hold NaN or infinite values; CCA of them does not exist.")


def covariances(centred1: Tensor, centred2: Tensor, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """`sxx + ridge·I`, `syy + ridge·I` and `sxy` of centred views (n, d), divided by n − 1."""
    n = len(centred1)
    sxx, syy, sxy = (a.T @ b / (n - 1) for a, b in ((centred1, centred1), (centred2, centred2), (centred1, centred2)))
    return sxx + ridge * torch.eye(len(sxx)).to(sxx), syy + ridge * torch.eye(len(syy)).to(syy), sxy


def whitened(sxx: Tensor, syy: Tensor, sxy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cholesky factors `Lx`, `Ly` of the two covariances and `T = Lx⁻¹ sxy Ly⁻ᵀ`.

    Any whitening gives the same projections; Cholesky is the cheapest and has a well-behaved derivative.
    """
    Lx, Ly = torch.linalg.cholesky(sxx), torch.linalg.cholesky(syy)
    left = torch.linalg.solve_triangular(Lx, sxy, upper=False)
    return Lx, Ly, torch.linalg.solve_triangular(Ly, left.T, upper=False).T


def projections(sxx: Tensor, syy: Tensor, sxy: Tensor, k: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """`A = Lx⁻ᵀ U` (d, k), `B = Ly⁻ᵀ V` (d, k) and all correlations, differentiable as `singular_subspaces` says."""
    Lx, Ly, T = whitened(sxx, syy, sxy)
    U, V, corr = singular_subspaces(T, k or min(T.shape))
    A = torch.linalg.solve_triangular(Lx.T, U, upper=True)
    B = torch.linalg.solve_triangular(Ly.T, V, upper=True)
    return A, B, corr


def singular_subspaces(T: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The first k left and right singular vectors of square `T` (d, d), and all singular values (without gradient).

    The gradient is that of every function which does not change when both sets of vectors are rotated alike:
    all cosine scores, and so every retrieval loss. It divides by σᵢ+σⱼ inside the chosen subspace and by σᵢ²−σⱼ²
    only across its border, so coincident correlations are harmless unless σₖ = σₖ₊₁ (book, the gradient of CCA).
    """
    U, V, corr = _SingularSubspaces.apply(T, k)
    return U, V, corr


class _SingularSubspaces(torch.autograd.Function):
    @staticmethod
    def forward(ctx, T: Tensor, k: int):
        U, corr, Vh = torch.linalg.svd(T)
        signs = torch.sign(U.gather(0, U.abs().argmax(0, keepdim=True)))  # (1, d); same input, same signs everywhere
        U, V = U * signs, Vh.T * signs
        ctx.save_for_backward(U, V, corr)
        ctx.k = k
        ctx.mark_non_differentiable(corr)
        return U[:, :k].clone(), V[:, :k].clone(), corr

    @staticmethod
    def backward(ctx, grad_U: Tensor, grad_V: Tensor, _grad_corr):
        U, V, corr = ctx.saved_tensors
        k = ctx.k
        M, N = U.T @ grad_U, V.T @ grad_V  # (d, k): the gradients in singular coordinates
        grad_D = torch.zeros_like(U)  # gradient with respect to D = Uᵀ dT V
        inside = (M - N)[:k]
        grad_D[:k, :k] = (inside - inside.T) / 2 * _safe_inverse(corr[:k, None] + corr[:k], corr[0])
        kept, rest = corr[:k], corr[k:, None]
        across = _safe_inverse(kept**2 - rest**2, corr[0] ** 2)  # (d - k, k)
        grad_D[k:, :k] = (M[k:] * kept + N[k:] * rest) * across
        grad_D[:k, k:] = ((M[k:] * rest + N[k:] * kept) * across).T
        return U @ grad_D @ V.T, None


def _safe_inverse(denominator: Tensor, scale: Tensor) -> Tensor:
    """1 / denominator, and 0 where it vanishes: that pair of directions is undetermined, so nothing should move it."""
    vanishing = denominator.abs() <= 1e-12 * scale.clamp_min(1e-300)
    return torch.where(vanishing, 0.0, 1.0 / torch.where(vanishing, 1.0, denominator))


class CCALayer(nn.Module):
    """Projects two views onto their k most correlated directions and scales every row to unit length.

    Behaves like batch norm. In training mode the statistics come from the batch and the gradient flows through them
    and through the decomposition; in evaluation mode the stored means and projections are used, best set by `refit`.

    `d`: width of both views; `k`: directions kept (default all d); `ridge`: added to both covariances.
    `alpha`: weight of the newest batch in the running statistics; 1 (all released configurations) is the batch alone.
    Running averages start unbiased, as in Adam; the released code starts them at zero and leaves the bias.
    """

    def __init__(self, d: int, ridge: float = 1e-3, alpha: float = 1.0, k: int | None = None):
        super().__init__()
        self.d, self.k, self.ridge, self.alpha = d, k or d, ridge, alpha
        if not 0 < alpha <= 1:
            raise InputError(f"alpha is the weight of the newest batch, above 0 and at most 1, but got {alpha}.")
        if not 1 <= self.k <= d:
            raise InputError(f"k = {self.k} directions cannot be kept of d = {d}: choose k between 1 and {d}.")
        for name, shape in _RUNNING.items():
            self.register_buffer("running_" + name, torch.zeros([d] * shape, dtype=torch.float64))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        for view in "12":
            self.register_buffer("mean" + view, torch.zeros(d, dtype=torch.float64))
            self.register_buffer("projection" + view, torch.eye(d, dtype=torch.float64)[:, : self.k].clone())
        self.register_buffer("corr", torch.zeros(d, dtype=torch.float64))

    def forward(self, h1: Tensor, h2: Tensor) -> tuple[Tensor, Tensor]:
        """Unit-length embeddings (n, k) of encoder outputs `h1`, `h2` (n, d). In training n must exceed d.

        Raises `InputError` for a training batch with n ≤ d and `DivergedError` for values that are not finite.
        """
        if self.training:
            check_views(h1, h2)
            mean1, mean2, sxx, syy, sxy = self._updated(h1.double(), h2.double())
            A, B, corr = projections(sxx, syy, sxy, self.k)
            self._store(mean1, mean2, A, B, corr)
            return self._project(h1, mean1, A), self._project(h2, mean2, B)
        return self.embed1(h1), self.embed2(h2)

    def embed1(self, h1: Tensor) -> Tensor:
        """Unit-length embeddings (n, k) of the first view alone, with the stored mean and projection."""
        return self._project(h1, self.mean1, self.projection1)

    def embed2(self, h2: Tensor) -> Tensor:
        """Unit-length embeddings (n, k) of the second view alone."""
        return self._project(h2, self.mean2, self.projection2)

    @torch.no_grad()
    def refit(self, h1: Tensor, h2: Tensor) -> None:
        """Set the stored means and projections by classical CCA of encoder outputs (n, d), n > d.

        The running statistics of training are left alone; the released code overwrites its running means here.
        """
        check_views(h1, h2)
        h1, h2 = h1.double(), h2.double()
        mean1, mean2 = h1.mean(0), h2.mean(0)
        sxx, syy, sxy = covariances(h1 - mean1, h2 - mean2, self.ridge)
        self._store(mean1, mean2, *projections(sxx, syy, sxy, self.k))

    def _updated(self, h1: Tensor, h2: Tensor) -> list[Tensor]:
        """Means, sxx, syy, sxy after this batch; centred by the running mean; only the batch has a gradient."""
        self.batches += 1
        unbias = 1 - (1 - self.alpha) ** int(self.batches)
        means = [self._average(name, h.mean(0)) / unbias for name, h in (("mean1", h1), ("mean2", h2))]
        batch = covariances(h1 - means[0], h2 - means[1], self.ridge)
        return means + [self._average(s, b) / unbias for s, b in zip(("sxx", "syy", "sxy"), batch, strict=True)]

    def _average(self, name: str, new: Tensor) -> Tensor:
        average = (1 - self.alpha) * getattr(self, "running_" + name) + self.alpha * new
        setattr(self, "running_" + name, average.detach())
        return average

    def _store(self, mean1: Tensor, mean2: Tensor, A: Tensor, B: Tensor, corr: Tensor) -> None:
        self.mean1, self.mean2, self.projection1, self.projection2 = (t.detach() for t in (mean1, mean2, A, B))
        self.corr = corr.detach()

    def _project(self, h: Tensor, mean: Tensor, projection: Tensor) -> Tensor:
        return functional.normalize((h.double() - mean) @ projection, dim=1).to(h.dtype)


_RUNNING = {"mean1": 1, "mean2": 1, "sxx": 2, "syy": 2, "sxy": 2}  # name → number of axes of length d
