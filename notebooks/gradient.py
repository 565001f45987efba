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
# # The gradient of CCA, checked by numbers
#
# Four chapters derive how to train through CCA. Is what they say true? Here every formula meets numbers it was not
# made from: finite differences, automatic differentiation, another precision, another algorithm.
#
# Each check is an assertion. If a formula of the book or the backward pass of the layer had one wrong sign, this page
# would not exist.

# %% tags=["parameters"]
seed: int = 1  # of all random numbers
n: int = 40  # pairs in the small examples, more than 2 d
d: int = 6  # dimensions in the small examples
ridge: float = 1e-3  # added to the diagonals of both covariances
sizes: list = [8, 16, 32, 64, 128]  # dimensions at which the errors of the routes are compared
size_draws: int = 3  # pairs of views for each of these dimensions
noise_d: int = 32  # dimensions of the views of pure noise
noise_draws: int = 10  # pairs of noise views for each number of pairs
svg_folder: str = ""  # folder that also gets the figures as SVG; empty: none

# %% tags=["hide-input"]
import itertools

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Markdown

from xmlib import cca, objectives
from xmlib.derivations import adjoints, gradient_figures, released, routes
from xmlib.show import figures

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
torch.manual_seed(seed)
figures.use_style()
checks = []


def within(what: str, found: torch.Tensor, right: torch.Tensor, tolerance: float) -> None:
    """Assert that two tensors agree, relative to the size of the second; keep the error for the table at the end."""
    found, right = torch.as_tensor(found), torch.as_tensor(right)
    error = float((found - right).norm() / right.norm())
    assert error <= tolerance, f"{what}: the error is {error:.1e}, above {tolerance:.0e}"
    checks.append({"what": what, "relative error": error, "allowed": tolerance})


def slope(f, point: tuple, direction: tuple, step: float = 1e-5) -> torch.Tensor:
    """How fast f changes at `point` along `direction`, by central differences."""
    ahead, behind = (f(*(p + s * v for p, v in zip(point, direction, strict=True))) for s in (step, -step))
    return (ahead - behind) / (2 * step)


def inner(left: tuple, right: tuple) -> torch.Tensor:
    """Sum of the products of all entries: what a gradient makes of a direction."""
    return sum((a * b).sum() for a, b in zip(left, right, strict=True))


# %% [markdown]
# ## CCA
#
# Two views, one a rotated and noisy copy of the other. Projected, each is white, and the two are correlated along
# matching directions only {eq}`cca-diagonal`.

# %%
h1, h2 = routes.related_views(n, d, seed)
c1, c2 = h1 - h1.mean(0), h2 - h2.mean(0)
sxx, syy, sxy = cca.covariances(c1, c2, ridge)
A, B, corr = cca.projections(sxx, syy, sxy)
eye = torch.eye(d)

within("cca-diagonal, view 1", A.T @ sxx @ A, eye, 1e-12)
within("cca-diagonal, view 2", B.T @ syy @ B, eye, 1e-12)
within("cca-diagonal, between", A.T @ sxy @ B, torch.diag(corr), 1e-12)
within("cca-stationary, first line", sxy @ B, sxx @ A * corr, 1e-12)
within("cca-stationary, second line", sxy.T @ A, syy @ B * corr, 1e-12)
corr

# %% [markdown]
# No other white projections do better: of a thousand random ones, none reaches the sum of the first three correlations
# {eq}`cca-matrix`.

# %%
T = cca.whitened(sxx, syy, sxy)[2]
for _ in range(1000):
    P, R = (torch.linalg.qr(torch.randn(d, 3)).Q for _ in range(2))
    assert torch.trace(P.T @ T @ R) < corr[:3].sum()

# %% [markdown]
# Cholesky and symmetric whitening give different $T$, the same correlations and the same scores {eq}`whitening-freedom`.

# %%
weights = torch.randn(n, n)
wx, wy = released.inverse_root(sxx), released.inverse_root(syy)
T_symmetric = wx @ sxy @ wy
assert (T - T_symmetric).norm() > 0.1

within("whitening-freedom, correlations", torch.linalg.svdvals(T_symmetric), corr, 1e-12)
x, y = cca.CCALayer(d, ridge).train()(h1, h2)
within("whitening-freedom, scores", released.scores(h1, h2, ridge), x @ y.T, 1e-10)

# %% [markdown]
# The ridge makes the numbers $\sigma_i$ smaller than the correlations of the projected pairs {eq}`ridge-shrinkage`.

# %%
large = 0.5
A_large, B_large, shrunk = cca.cca(h1, h2, large)
X, Y = c1 @ A_large, c2 @ B_large
of_pairs = (X * Y).sum(0) / (X.norm(dim=0) * Y.norm(dim=0))
loss_of_variance = ((1 - large * (A_large**2).sum(0)) * (1 - large * (B_large**2).sum(0))).sqrt()
within("ridge-shrinkage", shrunk, of_pairs * loss_of_variance, 1e-12)
assert (shrunk < of_pairs).all()

# %% [markdown]
# ### Noise that correlates
#
# Two views that have nothing to do with each other, and no ridge. The squared correlations have the mean
# {eq}`noise-mean`, the largest follows the edge {eq}`noise-edge`, and with few pairs a known number of them is exactly 1
# {eq}`noise-ones`.

# %% tags=["hide-input"]
rows = []
for pairs in (int((noise_d + 2) * 1.3**step) for step in range(14)):
    drawn = [torch.randn(2, pairs, noise_d) for _ in range(noise_draws)]
    found = torch.stack([cca.cca(*views, ridge=1e-13)[2] for views in drawn])
    rows.append({"n": pairs, "largest": float(found[:, 0].mean()), "rms": float((found**2).mean().sqrt())})
    ones = int((found[0] > 1 - 1e-6).sum())
    assert ones == max(0, 2 * noise_d - (pairs - 1)), (pairs, ones)
noise = pd.DataFrame(rows)
within("noise-mean", noise["rms"] ** 2, noise_d / (noise["n"] - 1), 0.05)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-notebook-noise", "caption": "In-sample correlations of pure noise. Lines: the formulas. Points: means over draws. Left of the dotted line some correlations are exactly 1."}, "image": {"alt": "Two falling curves against the number of pairs, with points on them."}}
ax = gradient_figures.noise(noise, noise_d)
gradient_figures.save(ax.figure, svg_folder, "noise")
plt.show()

# %% [markdown]
# ## The trace norm
#
# The gradient of $\sum_i \sigma_i$ with respect to the covariances {eq}`trace-norm-gradient`, along a random direction,
# against finite differences. Directions of $S_{xx}$ and $S_{yy}$ are symmetric, as these matrices are.


# %%
def total(sxx, syy, sxy):
    """The sum of all correlations."""
    return torch.linalg.svdvals(cca.whitened(sxx, syy, sxy)[2]).sum()


def random_direction() -> tuple:
    first, second = torch.randn(2, d, d)
    return first + first.T, second + second.T, torch.randn(d, d)


S, dS = (sxx, syy, sxy), random_direction()
within("trace-norm-gradient", inner(adjoints.trace_norm(A, B, corr), dS), slope(total, S, dS, 1e-6), 1e-6)

# %% [markdown]
# With respect to the encoder outputs the whole gradient is one line {eq}`trace-norm-features`: the part of the partner's
# variates that one's own do not predict.

# %%
X, Y = c1 @ A, c2 @ B
by_book = ((X * corr - Y) @ A.T / (d * (n - 1)), (Y * corr - X) @ B.T / (d * (n - 1)))
a, b = h1.clone().requires_grad_(), h2.clone().requires_grad_()
by_autograd = torch.autograd.grad(objectives.trace_norm(a, b, ridge), (a, b))
for view, (found, right) in enumerate(zip(by_book, by_autograd, strict=True), start=1):
    within(f"trace-norm-features, view {view}", found, right, 1e-12)

dH = torch.randn(2, n, d).unbind()
within(
    "trace-norm-features, finite differences",
    inner(by_book, dH), slope(lambda a, b: objectives.trace_norm(a, b, ridge), (h1, h2), dH), 1e-6,
)  # fmt: skip

# %% [markdown]
# It stays right where all correlations are equal. The example is made of small whole numbers {eq}`tie-example`.

# %%
t1, t2 = routes.symmetric_example()
a, b = t1.clone().requires_grad_(), t2.clone().requires_grad_()
at_tie = torch.autograd.grad(objectives.trace_norm(a, b, 0.0), (a, b))
direction = torch.randn(2, *t1.shape).unbind()
expected = slope(lambda a, b: objectives.trace_norm(a, b, 0.0), (t1, t2), direction)
within("trace norm at a tie", inner(at_tie, direction), expected, 1e-6)
cca.cca(t1, t2, ridge=0.0)[2]

# %% [markdown]
# The released form adds $r_T$ under the root and clips {eq}`trace-norm-released`. Every correlation counts too much, and
# the pull on it is {eq}`released-weight` in place of 1.

# %%
inside = 1e-3
lifted = (corr**2 + inside).clamp(1e-7, 1).sqrt()
within("trace-norm-released", -released.trace_norm(h1, h2, ridge, inside), lifted.mean(), 1e-12)

U, corr_T, Vh = torch.linalg.svd(T)
pull = torch.where(corr_T**2 + inside < 1, corr_T / (corr_T**2 + inside).sqrt(), 0.0)
T_leaf = T.clone().requires_grad_()
released_value = torch.linalg.eigvalsh(T_leaf @ T_leaf.T + inside * eye).clamp(1e-7, 1).sqrt().sum()
within("released-weight", U @ torch.diag(pull) @ Vh, torch.autograd.grad(released_value, T_leaf)[0], 1e-10)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-notebook-trace-norm", "caption": "What one correlation adds to the released objective beyond itself (left), and the pull on it (right)."}, "image": {"alt": "Left, a curve that falls to almost nothing. Right, a curve that rises quickly to 1 and drops to 0 at the end."}}
grid = torch.linspace(0, 1, 4001).requires_grad_()
value = (grid**2 + inside).clamp(1e-7, 1).sqrt()
(pulls,) = torch.autograd.grad(value.sum(), grid)
rows = pd.DataFrame({"corr": grid.detach(), "value": value.detach(), "slope": pulls})
figure = gradient_figures.released_trace_norm(rows)
gradient_figures.save(figure, svg_folder, "trace-norm")
plt.show()

# %% [markdown]
# ## Through the projections
#
# First the differentials. The projections are computed at two nearby points, and their change is compared with
# $\mathrm dA = AK$, $\mathrm dB = BJ$, whose symmetric parts are {eq}`implicit-symmetric` and antisymmetric parts
# {eq}`implicit-solution`.

# %%
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
# Then the adjoint {eq}`implicit-covariances`, for a loss of $A$, $B$ and $\sigma$ that knows nothing of scores: gradient
# times direction must be the slope of the loss.

# %%
grad_A, grad_B, grad_corr = torch.randn(d, d), torch.randn(d, d), torch.randn(d)
found = inner(adjoints.implicit(A, B, corr, grad_A, grad_B, grad_corr), dS)
within("implicit-covariances", found, inner((grad_A, grad_B, grad_corr), (dA, dB, dcorr)), 1e-6)

gradients = random_direction()
found = inner(adjoints.to_centred(c1, c2, gradients), dH)
expected = inner(
    gradients, tuple(slope(lambda a, b, i=i: cca.covariances(a, b, ridge)[i], (c1, c2), dH) for i in range(3))
)
within("covariance-adjoint", found, expected, 1e-6)

# %% [markdown]
# For a loss of the scores three routes now give one gradient: autograd through the released recipe, the implicit formulas,
# and the layer itself.

# %%
through_layer = routes.layer(h1, h2, weights, ridge)
for route, compute in routes.ROUTES.items():
    loss, grad1, grad2 = compute(h1, h2, weights, ridge)
    within(f"one gradient: {route}, loss", loss, through_layer[0], 1e-10)
    within(f"one gradient: {route}", torch.cat([grad1, grad2]), torch.cat(through_layer[1:]), 1e-10)

# %% [markdown]
# And it is that of finite differences.


# %%
def score_loss(a, b, k=None):
    """The loss of the checks: random weights on all scores of a training batch."""
    x, y = cca.CCALayer(d, ridge, k=k).train()(a, b)
    return (x @ y.T * weights).sum()


within("the layer, finite differences", inner(through_layer[1:], dH), slope(score_loss, (h1, h2), dH), 1e-6)

# %% [markdown]
# Scores do not change when both sets of directions are turned together, so $M + N$ is symmetric {eq}`gauge-symmetry`.

# %%
a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
x, y = (torch.nn.functional.normalize(v, dim=1) for v in (c1 @ a, c2 @ b))
grad_A, grad_B = torch.autograd.grad((x @ y.T * weights).sum(), (a, b))
M, N = A.T @ grad_A, B.T @ grad_B
within("gauge-symmetry", M + N, (M + N).T, 1e-12)
assert (M - M.T).norm() > 1e-3 * M.norm()

# %% [markdown]
# ### Where the released recipe breaks
#
# In the example of whole numbers {eq}`tie-example` all four correlations are equal. The loss is minus the mean score of
# matching pairs.

# %% tags=["hide-input"]
matching = -torch.eye(len(t1)) / len(t1)
rows = []
for route, compute in routes.ROUTES.items():
    loss, grad1, grad2 = compute(t1, t2, matching, 0.0)
    slopes = inner((grad1, grad2), direction)
    rows.append({"route": route, "loss": float(loss), "slope": float(slopes)})
right = routes.layer(t1, t2, matching, 0.0)
expected = slope(
    lambda a, b: -(torch.stack(cca.CCALayer(4, 0.0).train()(a, b)).prod(0).sum(1)).mean(), (t1, t2), direction
)
rows.append({"route": "CCALayer", "loss": float(right[0]), "slope": float(inner(right[1:], direction))})
rows.append({"route": "finite differences", "loss": float(right[0]), "slope": float(expected)})
tie = pd.DataFrame(rows).set_index("route")

assert abs(tie.loss["released recipe"] - right[0]) > 0.1
assert pd.isna(tie.slope["released recipe"])
assert not abs(tie.slope["implicit, σᵢ² − σⱼ²"] - expected) < 1e-3  # not a number, or far off
within("polar at a tie, loss", tie.loss["polar, σᵢ + σⱼ"], right[0], 1e-12)
within("polar at a tie, gradient", tie.slope["polar, σᵢ + σⱼ"], expected, 1e-6)
tie

# %% [markdown]
# Near a tie the trouble begins much earlier. Two of four correlations approach each other; all three routes work in double
# precision.

# %% tags=["hide-input"]
rows = []
for exponent in range(1, 16):
    views = routes.views_with_correlations([0.8, 0.5 + 10.0**-exponent, 0.5, 0.3], 80, seed)
    cost = -torch.eye(80) / 80
    truth = routes.long_double(*views, cost, 0.0)
    for route, compute in routes.ROUTES.items():
        found = compute(*views, cost, 0.0)
        missed = abs(float((found[0] - truth[0]) / truth[0]))
        rows.append({"gap": 10.0**-exponent, "route": route, "loss": missed, "gradient": routes.error(found, truth)})
near = pd.DataFrame(rows)
worst = near.groupby("route")["gradient"].max()
assert worst["polar, σᵢ + σⱼ"] < 1e-11
assert near[near["route"] != "released recipe"]["loss"].max() < 1e-12
assert worst["released recipe"] > 1
assert worst["implicit, σᵢ² − σⱼ²"] > 1e-4

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-notebook-approach", "caption": "Two correlations approach: relative error of the loss (left) and of the gradient (right), double precision."}, "image": {"alt": "Errors of three routes against a shrinking gap: two grow, the polar route stays at rounding error."}}
figure = gradient_figures.approach(near)
gradient_figures.save(figure, svg_folder, "approach")
plt.show()

# %% [markdown]
# ### Error against dimension
#
# More dimensions mean correlations closer together. Each number is the median over a few pairs of views with two pairs a
# dimension and a loss of random weights. Errors are those against a computation in NumPy's long double that finds no
# singular vector at all.

# %% tags=["hide-input"]
rows = []
for size, draw in itertools.product(sizes, range(size_draws)):
    views = [h.float() for h in routes.related_views(2 * size, size, seed + draw)]
    cost = torch.randn(2 * size, 2 * size).float()
    truth = routes.long_double(*(v.double() for v in views), cost.double(), ridge)
    for dtype in (torch.float32, torch.float64):
        name = str(dtype).removeprefix("torch.")
        for route, compute in routes.ROUTES.items():
            found = compute(*(v.to(dtype) for v in views), cost.to(dtype), ridge)
            rows.append({"d": size, "route": route, "dtype": name, "error": routes.error(found, truth)})
    missed = routes.error(routes.layer(*views, cost, ridge), truth)
    rows.append({"d": size, "route": "CCALayer (T in float64)", "dtype": "float32", "error": missed})
errors = pd.DataFrame(rows).groupby(["dtype", "route", "d"], sort=False)["error"].median().reset_index()
largest = errors[errors["d"] == max(sizes)].set_index(["dtype", "route"])["error"]
for dtype in ("float32", "float64"):
    assert largest[dtype, "released recipe"] > 10 * largest[dtype, "polar, σᵢ + σⱼ"]
assert errors[errors["dtype"] == "float64"].groupby("route")["error"].max()["polar, σᵢ + σⱼ"] < 1e-12
errors.pivot_table(index=["dtype", "route"], columns="d", values="error", sort=False).style.format("{:.1e}")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-notebook-precision", "caption": "Relative error of the gradient against the dimension, in single and double precision."}, "image": {"alt": "Errors against the dimension in two panels; the released recipe lies far above the others."}}
figure = gradient_figures.precision(errors)
gradient_figures.save(figure, svg_folder, "precision")
plt.show()

# %% [markdown]
# ## The polar factor
#
# Whiten both views, take the polar factor $Q$ of $T$ by Newton's iteration {eq}`newton-polar`, and compare scores
# {eq}`polar-scores`. No singular vector has been found, and any whitening will do.


# %%
def polar_factor(T):
    """The orthogonal Q of T = H Q, without an SVD."""
    Q = T
    for _ in range(60):
        Q = (Q + torch.linalg.inv(Q).T) / 2
    return Q


Lx, Ly, _ = cca.whitened(sxx, syy, sxy)
x, y = cca.CCALayer(d, ridge).train()(h1, h2)
for name, Wx, Wy in (("Cholesky", torch.linalg.inv(Lx), torch.linalg.inv(Ly)), ("symmetric", wx, wy)):
    white1, white2 = c1 @ Wx.T, c2 @ Wy.T
    Q = polar_factor(Wx @ sxy @ Wy.T)
    lengths = white1.norm(dim=1)[:, None] * white2.norm(dim=1)
    within(f"polar-scores, {name} whitening", white1 @ Q @ white2.T / lengths, x @ y.T, 1e-11)

# %% [markdown]
# Its differential {eq}`polar-differential` and adjoint {eq}`polar-adjoint`, against finite differences, and the bound
# {eq}`polar-bound`.

# %%
Q, dT, grad_Q = polar_factor(T), torch.randn(d, d), torch.randn(d, d)
D, sums = U.T @ dT @ Vh.T, corr[:, None] + corr
by_book = U @ ((D - D.T) / sums) @ Vh
dQ = slope(polar_factor, (T,), (dT,))
within("polar-differential", by_book, dQ, 1e-6)
G = U.T @ grad_Q @ Vh.T
within("polar-adjoint", (U @ ((G - G.T) / sums) @ Vh * dT).sum(), (grad_Q * dQ).sum(), 1e-6)
assert dQ.norm() <= 2 * dT.norm() / (corr[-1] + corr[-2])

# %% [markdown]
# The library's `singular_subspaces` runs this derivative. With $Q = U V^\top$ its gradient must be the adjoint.

# %%
T_leaf = T.clone().requires_grad_()
left, right_vectors, _ = cca.singular_subspaces(T_leaf, d)
(found,) = torch.autograd.grad((left @ right_vectors.T * grad_Q).sum(), T_leaf)
within("singular_subspaces, all kept", found, U @ ((G - G.T) / sums) @ Vh, 1e-11)

# %% [markdown]
# ### The whole backward pass by hand
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
# ### The border of the kept directions
#
# With $k < d$ the gradient still divides by $\sigma_k^2 - \sigma_{k+1}^2$ {eq}`border-z-bar`. Two of four correlations
# approach; once the border runs between them, once all are kept.

# %% tags=["hide-input"]
rows = []
for exponent in range(1, 10):
    views = routes.views_with_correlations([0.8, 0.5 + 10.0**-exponent, 0.5, 0.3], 80, seed)
    for kept, label in ((2, "k = 2, border between the two"), (4, "k = 4, all kept")):
        grads = routes.layer(*views, -torch.eye(80) / 80, 0.0, kept)[1:]
        rows.append({"gap": 10.0**-exponent, "kept": label, "size": float(torch.cat(grads).norm())})
at_border = pd.DataFrame(rows)
size = at_border.pivot_table(index="gap", columns="kept", values="size")
inside_block, across = size["k = 4, all kept"], size["k = 2, border between the two"]
assert inside_block.max() < 2 * inside_block.min()
assert 50 < across[1e-8] / across[1e-6] < 200  # as one over the gap

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-notebook-border", "caption": "Norm of the gradient as two correlations approach. Across the border of the kept directions it grows like one over their gap; inside, nothing happens."}, "image": {"alt": "A flat line, and one that rises as the gap shrinks."}}
ax = gradient_figures.border(at_border)
gradient_figures.save(ax.figure, svg_folder, "border")
plt.show()

# %% [markdown]
# ## All checks
#
# What was compared, by the label of its equation in the book.

# %% tags=["hide-input"]
Markdown(f"**{len(checks)}** comparisons, none outside what is allowed.")

# %% tags=["hide-input"]
table = pd.DataFrame(checks).set_index("what")
table.style.format("{:.0e}")
