"""Canonical correlation analysis: the classical solution, and as a layer to train through.

Notation as in the book: `sxx, syy, sxy` are covariances, `T` the whitened cross-covariance, and `T = U diag(corr) Vᵀ`.
All stored and reported numbers are computed in float64. Training with all directions kept uses `xmlib.polar`.
"""

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from xmlib import polar
from xmlib.errors import DivergedError, InputError, check_number, check_rows

NOTHING = 1e-10  # a spread that much smaller than √ridge leaves rows that cannot be scaled to unit length


def cca(h1: Tensor, h2: Tensor, ridge: float = 1e-3) -> tuple[Tensor, Tensor, Tensor]:
    """Projections `A` (d1, k), `B` (d2, k), columns in falling order of correlation, and `corr` (k,); k = min(d1, d2).

    `h1` (n, d1), `h2` (n, d2): row i of one belongs to row i of the other; centred here. `ridge` is added to the
    diagonals of both covariances. Projected views are `(h1 - h1.mean(0)) @ A` and `(h2 - h2.mean(0)) @ B`.
    Raises `InputError` for n ≤ d1 or d2, where correlations of 1 come from noise alone, for unequal lengths, a ridge
    below 0 and a view so small that nothing is left of it beside the ridge; `DivergedError` for values that are not
    finite.
    """
    check_number("ridge", ridge, 1e-3)
    check_views(h1, h2, ridge)
    x, y = h1.double(), h2.double()
    A, B, corr = projections(*covariances(x - x.mean(0), y - y.mean(0), ridge))
    return A.to(h1.dtype), B.to(h2.dtype), corr.to(h1.dtype)


def check_views(h1: Tensor, h2: Tensor, ridge: float) -> None:
    """Raises `InputError` unless both views have n rows, more than columns, and vary beside the ridge.

    `DivergedError` unless all values are finite.
    """
    check_sizes(h1, h2)
    polar.working_dtype(h1, h2)
    if not (torch.isfinite(h1).all() and torch.isfinite(h2).all()):
        raise DivergedError(polar.NOT_FINITE)
    for view, h in enumerate((h1, h2), start=1):
        spread = float(h.double().std(0).max())
        if spread < NOTHING * ridge**0.5:
            raise InputError(
                f"View {view} varies by {spread:.0e} at most, which is nothing beside ridge = {ridge:g}: multiply the "
                "view by a constant, so that its columns vary by about 1."
            )


def check_sizes(h1: Tensor, h2: Tensor, few: bool = False) -> None:
    """Raises `InputError` unless both views have n rows, more than columns (`few`: at least one)."""
    check_rows("CCA", h1, h2, widths=False)
    n, d = len(h1), max(h1.shape[1], h2.shape[1])
    if n <= d and not few:
        raise InputError(
            f"CCA needs more pairs than dimensions, but got n = {n} pairs for d = {d} dimensions: "
            f"use a batch of at least {d + 1} (better several times d) or a smaller d."
        )


def covariances(c1: Tensor, c2: Tensor, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """`sxx + ridge·I`, `syy + ridge·I` and `sxy` of centred views `c1` (n, d1), `c2` (n, d2), divided by n − 1."""
    n = len(c1)
    sxx, syy, sxy = (a.T @ b / max(n - 1, 1) for a, b in ((c1, c1), (c2, c2), (c1, c2)))
    return sxx + ridge * torch.eye(len(sxx)).to(sxx), syy + ridge * torch.eye(len(syy)).to(syy), sxy


def whitened(sxx: Tensor, syy: Tensor, sxy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cholesky factors `Lx`, `Ly` of the two covariances and `T = Lx⁻¹ sxy Ly⁻ᵀ`.

    Any whitening gives the same projections; Cholesky is the cheapest and has a well-behaved derivative.
    """
    Lx, Ly = torch.linalg.cholesky(sxx), torch.linalg.cholesky(syy)
    left = torch.linalg.solve_triangular(Lx, sxy, upper=False)
    return Lx, Ly, torch.linalg.solve_triangular(Ly, left.T, upper=False).T


def projections(sxx: Tensor, syy: Tensor, sxy: Tensor, k: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """`A = Lx⁻ᵀ U` (d1, k), `B = Ly⁻ᵀ V` (d2, k) and all correlations, differentiable as `singular_subspaces` says."""
    Lx, Ly, T = whitened(sxx, syy, sxy)
    U, V, corr = singular_subspaces(T, k or min(T.shape))
    A = torch.linalg.solve_triangular(Lx.T, U, upper=True)
    B = torch.linalg.solve_triangular(Ly.T, V, upper=True)
    return A, B, corr


def singular_subspaces(T: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The first k left and right singular vectors of `T` (d1, d2), and all singular values (without gradient).

    The gradient is right for every function that does not change when both sets of vectors are rotated alike, so for
    every loss of cosine scores. It divides by σᵢ+σⱼ inside the kept subspace and by σᵢ²−σⱼ² only across its border:
    coincident correlations are harmless unless σₖ = σₖ₊₁ (book, the polar factor). Correlations beyond the smaller
    width are 0. Second derivatives are refused.
    """
    U, V, corr = _SingularSubspaces.apply(T, k)
    return U, V, corr


class _SingularSubspaces(torch.autograd.Function):
    @staticmethod
    def forward(ctx, T: Tensor, k: int):
        U, corr, Vh = torch.linalg.svd(T)
        r = len(corr)
        signs = torch.sign(U.gather(0, U.abs().argmax(0, keepdim=True)))[:, :r]  # same input, same signs everywhere
        U[:, :r] *= signs
        Vh[:r] *= signs.T
        ctx.save_for_backward(U, Vh.T, corr)
        ctx.k = k
        ctx.mark_non_differentiable(corr)
        return U[:, :k].clone(), Vh.T[:, :k].clone(), corr

    @staticmethod
    def backward(ctx, grad_U: Tensor, grad_V: Tensor, _grad_corr):
        polar.refuse_second_derivative()
        U, V, corr = ctx.saved_tensors
        k, d = ctx.k, max(len(U), len(V))
        corr = functional.pad(corr, (0, d - len(corr)))  # what only the wider view has is correlated with nothing
        M, N = (functional.pad(W.T @ g, (0, 0, 0, d - len(W))) for W, g in ((U, grad_U), (V, grad_V)))
        grad_D = U.new_zeros(d, d)  # gradient with respect to D = Uᵀ dT V, from M and N (d, k) in singular coordinates
        inside = (M - N)[:k]
        grad_D[:k, :k] = (inside - inside.T) / 2 * _safe_inverse(corr[:k, None] + corr[:k], corr[0])
        kept, rest = corr[:k], corr[k:, None]
        across = _safe_inverse(kept**2 - rest**2, corr[0] ** 2)  # (d - k, k)
        grad_D[k:, :k] = (M[k:] * kept + N[k:] * rest) * across
        grad_D[:k, k:] = ((M[k:] * rest + N[k:] * kept) * across).T
        return U @ grad_D[: len(U), : len(V)] @ V.T, None


def _safe_inverse(denominator: Tensor, scale: Tensor) -> Tensor:
    """1 / denominator, and 0 where it vanishes: that pair of directions is undetermined, so it gets no gradient."""
    vanishing = denominator.abs() <= 1e-12 * scale.clamp_min(1e-300)
    return torch.where(vanishing, 0.0, 1.0 / torch.where(vanishing, 1.0, denominator))


class CCALayer(nn.Module):
    """Projects two views onto their k most correlated directions and scales every row to unit length.

    It behaves like batch norm. In training mode the statistics come from the batch, and the gradient flows through them
    and through the decomposition. In evaluation mode the stored means and projections are used, best set by `refit`.
    In training both views may be rotated alike: scores are those of the canonical directions, single coordinates need
    not be. There is no second derivative.

    `d`: width of both views, or a pair (d1, d2); `k`: directions kept (default all, the smaller width); `ridge`: added
    to both covariances. `alpha`: weight of the newest batch in the running statistics; 1 (all released configurations)
    means the batch alone. Running averages are corrected for their start at zero, as in Adam, which the released code
    does not do. `projection1`, `projection2` and `corr` of the last batch are computed when they are read. Everything
    stored stays in float64, even after `.half()` or `.float()`: the layer needs a device with float64 (MPS has none).
    """

    def __init__(self, d: int | tuple[int, int], ridge: float = 1e-3, alpha: float = 1.0, k: int | None = None):
        super().__init__()
        d1, d2 = self.widths = tuple(d) if isinstance(d, tuple | list) and len(d) == 2 else (d, d)
        for width in self.widths:
            check_number("d", width, 32, least=1)
        most = min(self.widths)
        self.d, self.k, self.ridge, self.alpha = max(self.widths), most if k is None else k, ridge, alpha
        check_number("k", self.k, most, least=1, most=most)
        check_number("ridge", ridge, 1e-3)
        check_number("alpha", alpha, 1.0, most=1, above=True)
        shapes = {"mean1": (d1,), "mean2": (d2,), "sxx": (d1, d1), "syy": (d2, d2), "sxy": (d1, d2)}
        stored = {"mean1": (d1,), "mean2": (d2,), "stored1": (d1, self.k), "stored2": (d2, self.k)}
        running = {"running_" + name: shape for name, shape in shapes.items()}
        for name, shape in (running | stored | {"stored_corr": (most,)}).items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("source", torch.zeros((), dtype=torch.int64))  # of the stored projections: `_SOURCES`
        self._unsolved: tuple[Tensor, ...] | None = None  # covariances of the last batch, newer than what is stored

    def forward(self, h1: Tensor, h2: Tensor) -> tuple[Tensor, Tensor]:
        """Unit-length embeddings (n, k) of encoder outputs `h1` (n, d1), `h2` (n, d2).

        In training n must exceed both widths; with `alpha` below 1, only in the first batch. Raises `InputError` if it
        does not, and `DivergedError` for values that are not finite (on a GPU NaN comes out instead). In evaluation
        raises `InputError` before any batch and any `refit`, and warns if there was no `refit` since the last batch.
        """
        if not self.training:
            return self.embed1(h1), self.embed2(h2)
        check_sizes(h1, h2, few=self.alpha < 1 and int(self.batches) > 0)
        if (h1.shape[1], h2.shape[1]) != self.widths:
            raise InputError(f"The layer is made for widths {self.widths}, but got {(h1.shape[1], h2.shape[1])}.")
        past = self._past()
        if self.widths == (self.k, self.k):
            with torch.no_grad(), polar.full_precision(h1):
                batch = polar.batch_statistics(h1, h2, self.ridge, past)
                self._remember(batch.mean1, batch.mean2, batch.sxx, batch.syy, batch.sxy)
            with polar.full_precision(h1):
                return polar.UnitRows.apply(h1, h2, batch)
        return self._through_subspaces(h1, h2, past)

    def _through_subspaces(self, h1: Tensor, h2: Tensor, past: polar.Past | None) -> tuple[Tensor, Tensor]:
        """The training step with fewer directions than dimensions: autograd through all but the SVD, in float64."""
        if not (torch.isfinite(h1).all() and torch.isfinite(h2).all()):
            raise DivergedError(polar.NOT_FINITE)
        view1, view2 = h1.double(), h2.double()
        mean1, mean2 = polar.mixed(view1.mean(0), past, 0), polar.mixed(view2.mean(0), past, 1)
        batch = covariances(view1 - mean1, view2 - mean2, self.ridge)
        sxx, syy, sxy = (polar.mixed(s, past, which) for which, s in enumerate(batch, start=2))
        A, B, _ = projections(sxx, syy, sxy, self.k)
        self._remember(*(t.detach() for t in (mean1, mean2, sxx, syy, sxy)))
        return _project(h1, mean1, A), _project(h2, mean2, B)

    def embed1(self, h1: Tensor) -> Tensor:
        """Unit-length embeddings (n, k) of the first view alone, with the stored mean and projection."""
        self._check_source()
        return _project(h1, self.mean1, self.projection1)

    def embed2(self, h2: Tensor) -> Tensor:
        """Unit-length embeddings (n, k) of the second view alone."""
        self._check_source()
        return _project(h2, self.mean2, self.projection2)

    @torch.no_grad()
    def refit(self, h1: Tensor, h2: Tensor) -> None:
        """Set the stored means and projections by classical CCA of encoder outputs (n, d1), (n, d2), n > d1 and d2.

        The running statistics of training are left alone; the released code overwrites its running means here.
        """
        check_views(h1, h2, self.ridge)
        h1, h2 = h1.double(), h2.double()
        self.mean1, self.mean2 = h1.mean(0), h2.mean(0)
        self._solve(*covariances(h1 - self.mean1, h2 - self.mean2, self.ridge))
        self.source.fill_(_SOURCES.index("refit"))

    @property
    def projection1(self) -> Tensor:
        """The first view's projection (d1, k), of the last `refit` or the last training batch."""
        return self._stored("stored1")

    @property
    def projection2(self) -> Tensor:
        """The second view's projection (d2, k)."""
        return self._stored("stored2")

    @property
    def corr(self) -> Tensor:
        """All correlations of that refit or batch, in falling order."""
        return self._stored("stored_corr")

    def _weights(self) -> tuple[float, float]:
        """The weights of the past and of the next batch in the running statistics."""
        weight = self.alpha / (1 - (1 - self.alpha) ** (int(self.batches) + 1))
        return 1 - weight, weight

    def _past(self) -> polar.Past | None:
        keep, weight = self._weights()
        if (keep, weight) == (0, 1):
            return None
        return polar.Past([self._buffers["running_" + name] for name in _RUNNING], keep, weight)

    def _remember(self, *statistics: Tensor) -> None:
        """Keep means and covariances of this step; they are decomposed when projections are read."""
        self._buffers.update(zip(("running_" + name for name in _RUNNING), statistics, strict=True))
        self.mean1, self.mean2 = statistics[0].clone(), statistics[1].clone()
        self._unsolved = statistics[2:]
        self.batches += 1
        self.source.fill_(_SOURCES.index("batch"))

    def _stored(self, name: str) -> Tensor:
        if self._unsolved:
            self._solve(*self._unsolved)
        return self._buffers[name]

    @torch.no_grad()
    def _solve(self, sxx: Tensor, syy: Tensor, sxy: Tensor) -> None:
        try:
            self.stored1, self.stored2, self.stored_corr = projections(sxx, syy, sxy, self.k)
        except torch.linalg.LinAlgError:  # a GPU lets NaN pass, which is met only here
            self.stored1, self.stored2, self.stored_corr = (self._buffers[name] * torch.nan for name in _STORED)
        self._unsolved = None

    def _check_source(self) -> None:
        source = _SOURCES[int(self.source)]
        if source == "nothing":
            raise InputError(
                "The CCA layer has no projections yet: train it, and call refit(h1, h2) with the encoder outputs of "
                "the training pairs."
            )
        if source == "batch":
            warnings.warn(
                "The CCA layer evaluates with projections of its last training batch: call refit(h1, h2) with the "
                "encoder outputs of the training pairs first.",
                stacklevel=3,
            )

    def state_dict(self, *args, **kwargs):
        """That of every module, after projections that are still missing have been computed."""
        self._stored("stored1")
        return super().state_dict(*args, **kwargs)

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        """As in every module; older files, whose projections are those of a `refit`, have other names."""
        self._unsolved = None
        for now, before in zip(_STORED, ("projection1", "projection2", "corr"), strict=True):
            if prefix + before in state_dict:
                state_dict[prefix + now] = state_dict.pop(prefix + before)
                state_dict.setdefault(prefix + "source", torch.tensor(_SOURCES.index("refit")))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _apply(self, fn, recurse=True):
        """Move to another device with every dtype as it is: half-precision projections would be no use."""
        self._stored("stored1")
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, buffer in before.items():  # the two counters stay where reading them costs nothing
            moved = self._buffers[name]
            self._buffers[name] = buffer.to(moved.device) if buffer.is_floating_point() else buffer
        return self


def _project(h: Tensor, mean: Tensor, projection: Tensor) -> Tensor:
    polar.working_dtype(h, h)
    return functional.normalize((h.double() - mean) @ projection, dim=1).to(h.dtype)


_RUNNING = ("mean1", "mean2", "sxx", "syy", "sxy")
_STORED = ("stored1", "stored2", "stored_corr")
_SOURCES = ("nothing", "batch", "refit")  # where the stored projections come from
