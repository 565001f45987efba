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
# # CCA and its trace norm, checked by numbers
#
# Four chapters derive how to train through CCA. Are their formulas right? Three notebooks compare every formula with
# independent numbers: finite differences, automatic differentiation, another precision, another algorithm.
#
# Each check is an assertion. With one wrong sign in a formula or in the backward pass of the layer, the notebook would
# stop.
#
# This is the first of the three: CCA itself, its correlations of pure noise, and the gradient of the sum of all
# correlations. The [second](gradient_layer.ipynb) takes the gradient through the projections, the
# [third](gradient_precision.ipynb) measures how many digits of it are right.

# %% tags=["parameters"]
seed: int = 1  # of all random numbers
n: int = 40  # pairs in the small example, more than 2 d
d: int = 6  # dimensions in the small example
ridge: float = 1e-3  # added to the diagonals of both covariances
noise_d: int = 32  # dimensions of the views of pure noise
noise_draws: int = 10  # pairs of noise views for each number of pairs
inside: float = 1e-3  # what the released trace norm adds under the root
svg_folder: str = ""  # folder of the repository that also gets the figures as SVG; empty: none

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import torch

from book.derivations import adjoints, gradient_figures, released, routes
from book.derivations.checks import Checks, begin, direction_of_covariances, inner, slope
from book.show import drawings
from xmlib import cca, objectives
from xmlib.runs.parameters import checked

drawings.use_style()
globals().update(checked("gradient_cca", globals()))  # or one sentence on what is wrong
begin(seed)
checks = Checks()
within = checks.within

# %% [markdown]
# ## CCA
#
# Two views, one a rotated and noisy copy of the other. Projected, each is white, and the two are correlated along
# matching directions only {eq}`cca-diagonal`.

# %%
h1, h2 = routes.related_views(n, d, seed)
(c1, c2), (sxx, syy, sxy), (A, B, corr) = routes.canonical(h1, h2, ridge)
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
drawings.save(ax.figure, svg_folder, "gradient-noise")
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


S, dS = (sxx, syy, sxy), direction_of_covariances(d)
within("trace-norm-gradient", inner(adjoints.trace_norm(A, B, corr), dS), slope(total, S, dS, 1e-6), 1e-6)

# %% [markdown]
# With respect to the encoder outputs the gradient is one line per view {eq}`trace-norm-features`: the part of the
# partner's variates that a view's own variates do not predict.

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
# The released form adds $r_T$ under the root and clips {eq}`trace-norm-released`. Every correlation counts too much, and
# its gradient is {eq}`released-weight` instead of 1.

# %%
lifted = (corr**2 + inside).clamp(1e-7, 1).sqrt()
within("trace-norm-released", -released.trace_norm(h1, h2, ridge, inside), lifted.mean(), 1e-12)

U, corr_T, Vh = torch.linalg.svd(T)
pull = torch.where(corr_T**2 + inside < 1, corr_T / (corr_T**2 + inside).sqrt(), 0.0)
T_leaf = T.clone().requires_grad_()
released_value = torch.linalg.eigvalsh(T_leaf @ T_leaf.T + inside * eye).clamp(1e-7, 1).sqrt().sum()
within("released-weight", U @ torch.diag(pull) @ Vh, torch.autograd.grad(released_value, T_leaf)[0], 1e-10)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-notebook-trace-norm", "caption": "What one correlation adds to the released objective beyond itself, and the pull on it."}, "image": {"alt": "Left, a curve that falls to almost nothing. Right, a curve that rises quickly to 1 and drops to 0 at the end."}}
grid = torch.linspace(0, 1, 4001).requires_grad_()
value = (grid**2 + inside).clamp(1e-7, 1).sqrt()
(pulls,) = torch.autograd.grad(value.sum(), grid)
rows = pd.DataFrame({"corr": grid.detach(), "value": value.detach(), "slope": pulls})
figure = gradient_figures.released_trace_norm(rows)
drawings.save(figure, svg_folder, "gradient-trace-norm")
plt.show()

# %% [markdown]
# ## What was checked
#
# Every identity holds to rounding error, and every derivative to the accuracy of finite differences. No gradient
# on this page divides by a difference of correlations. The [second notebook](gradient_layer.ipynb) goes on to losses that
# depend on the projections.
#
# The comparisons, by the label of their equation in the book:

# %% tags=["hide-input"]
checks.table()
