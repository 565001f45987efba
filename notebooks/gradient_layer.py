# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The gradient of the CCA layer, checked by numbers
#
# A loss of scores depends on the projections, not only on the correlations. Two chapters take its gradient through them:
# one by differentiating the equations that define the projections, one by the polar factor. Do the two agree with each
# other, with automatic differentiation and with the library's layer?
#
# Each check is an assertion, as in the [first notebook](gradient_cca.ipynb). Here the correlations are well apart. In the
# [third notebook](gradient_precision.ipynb) they coincide.

# %% tags=["parameters"]
seed: int = 1  # of all random numbers
n: int = 40  # pairs in the example, more than 2 d
d: int = 6  # dimensions in the example, at least 4
ridge: float = 1e-3  # added to the diagonals of both covariances

# %% tags=["hide-input"]
import torch

from book.derivations import adjoints, released, routes
from book.derivations.checks import Checks, begin, direction_of_covariances, inner, slope
from xmlib import cca, polar
from xmlib.runs.parameters import checked

globals().update(checked("gradient_layer", globals()))  # or one sentence on what is wrong
begin(seed)
checks = Checks()
within = checks.within

# %% [markdown]
# ## Through the projections
#
# First the differentials. The projections are computed at two nearby points, and their change is compared with
# $\mathrm dA = AK$, $\mathrm dB = BJ$, whose symmetric parts are {eq}`implicit-symmetric` and antisymmetric parts
# {eq}`implicit-solution`.

# %%
h1, h2 = routes.related_views(n, d, seed)
(c1, c2), S, (A, B, corr) = routes.canonical(h1, h2, ridge)
dS = direction_of_covariances(d)
dA, dB, dcorr = (slope(lambda *s, i=i: cca.projections(*s)[i], S, dS, 1e-6) for i in range(3))
K, J = torch.linalg.solve(A, dA), torch.linalg.solve(B, dB)
Px, Py, R = A.T @ dS[0] @ A, B.T @ dS[1] @ B, A.T @ dS[2] @ B
Z = (Px * corr + corr[:, None] * Py) / 2 - R
F = 1 / (corr[:, None] ** 2 - corr**2).fill_diagonal_(torch.inf)

within("implicit-symmetric, K", K + K.T, -Px, 1e-6)
within("implicit-symmetric, J", J + J.T, -Py, 1e-6)
within("implicit-solution, kappa", (K - K.T) / 2, F * (Z * corr + corr[:, None] * Z.T), 1e-6)
within("implicit-solution, eta", (J - J.T) / 2, F * (corr[:, None] * Z + Z.T * corr), 1e-6)
within("implicit-sigma", dcorr, (R - (Px * corr + corr[:, None] * Py) / 2).diagonal(), 1e-6)

# %% [markdown]
# The common rotation of both sets of directions divides by a difference, their relative rotation by a sum
# {eq}`sum-and-difference`.

# %%
kappa, eta = (K - K.T) / 2, (J - J.T) / 2
off = ~torch.eye(d, dtype=torch.bool)
gap, sums = (corr[:, None] - corr)[off], (corr[:, None] + corr)[off]
within("sum-and-difference, sum", (kappa + eta)[off], (Z + Z.T)[off] / gap, 1e-6)
within("sum-and-difference, difference", (kappa - eta)[off], -(Z - Z.T)[off] / sums, 1e-6)

# %% [markdown]
# Then the adjoint {eq}`implicit-covariances`, for a loss of $A$, $B$ and $\sigma$ that is not one of scores: gradient
# times direction must be the slope of the loss.

# %%
grad_A, grad_B, grad_corr = torch.randn(d, d), torch.randn(d, d), torch.randn(d)
found = inner(adjoints.implicit(A, B, corr, grad_A, grad_B, grad_corr), dS)
within("implicit-covariances", found, inner((grad_A, grad_B, grad_corr), (dA, dB, dcorr)), 1e-6)

gradients, dH = direction_of_covariances(d), torch.randn(2, n, d).unbind()
found = inner(adjoints.to_centred(c1, c2, gradients), dH)
expected = inner(
    gradients, tuple(slope(lambda a, b, i=i: cca.covariances(a, b, ridge)[i], (c1, c2), dH) for i in range(3))
)
within("covariance-adjoint", found, expected, 1e-6)

# %% [markdown]
# For a loss of the scores, three routes give the same gradient: autograd through the released recipe, the implicit
# formulas, and the layer itself. Finite differences agree.

# %%
weights = torch.randn(n, n)
through_layer = routes.layer(h1, h2, weights, ridge)
for route, compute in routes.ROUTES.items():
    loss, grad1, grad2 = compute(h1, h2, weights, ridge)
    within(f"one gradient: {route}, loss", loss, through_layer[0], 1e-10)
    within(f"one gradient: {route}", torch.cat([grad1, grad2]), torch.cat(through_layer[1:]), 1e-10)


def score_loss(a, b, k=None):
    """The loss of the checks: random weights on all scores of a training batch."""
    x, y = cca.CCALayer(d, ridge, k=k).train()(a, b)
    return (x @ y.T * weights).sum()


by_differences = slope(score_loss, (h1, h2), dH)
within("the layer, finite differences", inner(through_layer[1:], dH), by_differences, 1e-6)

# %% [markdown]
# Scores do not change when both sets of directions are rotated alike, so $M + N$ is symmetric {eq}`gauge-symmetry`.

# %%
a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
x, y = (torch.nn.functional.normalize(v, dim=1) for v in (c1 @ a, c2 @ b))
grad_A, grad_B = torch.autograd.grad((x @ y.T * weights).sum(), (a, b))
M, N = A.T @ grad_A, B.T @ grad_B
within("gauge-symmetry", M + N, (M + N).T, 1e-12)
assert (M - M.T).norm() > 1e-3 * M.norm()

# %% [markdown]
# ## The polar factor
#
# Whiten both views, take the polar factor $Q$ of $T$ by Newton's iteration {eq}`newton-polar`, and compare scores
# {eq}`polar-scores`. No singular vector is needed, and any whitening will do.


# %%
def polar_factor(T):
    """The orthogonal Q of T = H Q, without an SVD."""
    Q = T
    for _ in range(60):
        Q = (Q + torch.linalg.inv(Q).T) / 2
    return Q


sxx, syy, sxy = S
Lx, Ly, T = cca.whitened(*S)
x, y = cca.CCALayer(d, ridge).train()(h1, h2)
for name, Wx, Wy in (
    ("Cholesky", torch.linalg.inv(Lx), torch.linalg.inv(Ly)),
    ("symmetric", released.inverse_root(sxx), released.inverse_root(syy)),
):
    white1, white2 = c1 @ Wx.T, c2 @ Wy.T
    Q = polar_factor(Wx @ sxy @ Wy.T)
    lengths = white1.norm(dim=1)[:, None] * white2.norm(dim=1)
    within(f"polar-scores, {name} whitening", white1 @ Q @ white2.T / lengths, x @ y.T, 1e-11)

# %% [markdown]
# Its differential {eq}`polar-differential` and adjoint {eq}`polar-adjoint`, against finite differences, and the bound
# {eq}`polar-bound`. The library's `singular_subspaces` has this derivative: with $Q = U V^\top$ its gradient must be the
# adjoint.

# %%
Q, dT, grad_Q = polar_factor(T), torch.randn(d, d), torch.randn(d, d)
U, _, Vh = torch.linalg.svd(T)
D, sums = U.T @ dT @ Vh.T, corr[:, None] + corr
by_book = U @ ((D - D.T) / sums) @ Vh
dQ = slope(polar_factor, (T,), (dT,))
within("polar-differential", by_book, dQ, 1e-6)
G = U.T @ grad_Q @ Vh.T
by_book = U @ ((G - G.T) / sums) @ Vh
within("polar-adjoint", (by_book * dT).sum(), (grad_Q * dQ).sum(), 1e-6)
assert dQ.norm() <= 2 * dT.norm() / (corr[-1] + corr[-2])

T_leaf = T.clone().requires_grad_()
left, right_vectors, _ = cca.singular_subspaces(T_leaf, d)
(found,) = torch.autograd.grad((left @ right_vectors.T * grad_Q).sum(), T_leaf)
within("singular_subspaces, all kept", found, by_book, 1e-11)

# %% [markdown]
# ## The whole backward pass by hand
#
# The steps {eq}`unit-adjoint` to {eq}`mean-adjoint` as matrix products, for all directions and for fewer, against the
# layer and against finite differences.

# %%
for k in (d, d - 2, 2):
    grads = routes.layer(h1, h2, weights, ridge, k)[1:]
    x, y = (torch.nn.functional.normalize(v, dim=1) for v in (c1 @ A[:, :k], c2 @ B[:, :k]))
    by_hand = adjoints.layer(c1, c2, A, B, corr, weights @ y, weights.T @ x)
    within(f"backward by hand, k = {k}", torch.cat(by_hand), torch.cat(grads), 1e-10)
    expected = slope(lambda a, b, k=k: score_loss(a, b, k), (h1, h2), dH)
    within(f"finite differences, k = {k}", inner(grads, dH), expected, 1e-6)

# %% [markdown]
# With running statistics the batch has the weight {eq}`running-weight`, and the rest of the covariances is constant.

# %%
alpha, past = 0.4, routes.related_views(n, d, seed + 1)


def after_two(a, b):
    """Layer and scores of the second of two batches."""
    layer = cca.CCALayer(d, ridge, alpha).train()
    layer(*past)
    x, y = layer(a, b)
    return layer, x @ y.T


layer, _ = after_two(h1, h2)
weight = alpha / (1 - (1 - alpha) ** 2)
r1, r2, A2, B2 = h1 - layer.mean1, h2 - layer.mean2, layer.projection1, layer.projection2
x, y = (torch.nn.functional.normalize(v, dim=1) for v in (r1 @ A2, r2 @ B2))
by_hand = adjoints.layer(r1, r2, A2, B2, layer.corr, weights @ y, weights.T @ x, weight)
right = routes.by_autograd(lambda a, b: after_two(a, b)[1], h1, h2, weights)
within("backward by hand, running statistics", torch.cat(by_hand), torch.cat(right[1:]), 1e-10)

# %% [markdown]
# ### The shorter way
#
# With all directions kept, one Sylvester equation and a few products do the same {eq}`short-backward`, without any
# covariance. All whitening projections will do for which $H = A^\top S_{xy} B$ is symmetric: the canonical ones, the
# same rotated alike, and those with $U = I$ and $V = Q^\top$, which the layer takes on a GPU. There the equation is solved
# by products alone, up to the small shift that the layer adds to $T$.

# %%
products = polar.by_products(T)
choices = {
    "canonical directions": (A, B),
    "turned alike": tuple(P @ torch.linalg.qr(dT).Q for P in (A, B)),
    "U = I": tuple(torch.linalg.solve(L.T, P) for L, P in ((Lx, products.U), (Ly, products.V))),
}
for name, (A1, B1) in choices.items():
    x, y = (torch.nn.functional.normalize(v, dim=1) for v in (c1 @ A1, c2 @ B1))
    short = adjoints.short_backward(c1, c2, A1, B1, A1.T @ sxy @ B1, weights @ y, weights.T @ x)
    within(
        f"short-backward, {name}", torch.cat(short), torch.cat(through_layer[1:]), 1e-7 if name == "U = I" else 1e-10
    )
    within(f"short-backward, {name}, finite differences", inner(short, dH), by_differences, 1e-6)

x, y = (torch.nn.functional.normalize(v, dim=1) for v in (r1 @ A2, r2 @ B2))
short = adjoints.short_backward(r1, r2, A2, B2, torch.diag(layer.corr), weights @ y, weights.T @ x, weight)
within("short-backward, running statistics", torch.cat(short), torch.cat(right[1:]), 1e-10)

by_equation = adjoints.sylvester(products.H, (grad_Q.T - grad_Q) / 2)
within("short-backward, first line by products", products.solve(grad_Q), by_equation, 1e-7)

# %% [markdown]
# ## What was checked
#
# Two ways through the projections, the released recipe, the layer, its steps by hand and the shorter ones all give the
# gradient of finite differences. But the implicit formulas divide by differences of
# correlations, the polar ones by sums. The [third notebook](gradient_precision.ipynb) shows what this changes.
#
# The comparisons, by the label of their equation in the book:

# %% tags=["hide-input"]
checks.table()
