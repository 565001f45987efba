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
# # Where the gradient keeps its digits
#
# All routes to the gradient of the CCA layer agree [where correlations are well apart](gradient_layer.ipynb). How accurate
# are they where correlations coincide, and in many dimensions?
#
# Each check is an assertion, as in the [first notebook](gradient_cca.ipynb). A route must fail where the book says
# that it fails, and be right where the book says that it is right.

# %% tags=["parameters"]
seed: int = 1  # of all random numbers
ridge: float = 1e-3  # added to the diagonals of both covariances where dimensions are compared
sizes: list = [8, 16, 32, 64, 128]  # dimensions at which the errors of the routes are compared
size_draws: int = 3  # pairs of views for each of these dimensions
svg_folder: str = ""  # folder of the repository that also gets the figures as SVG; empty: none

# %% tags=["hide-input"]
import itertools

import matplotlib.pyplot as plt
import pandas as pd
import torch

from book.derivations import gradient_figures, routes
from book.derivations.checks import Checks, begin, inner, slope
from book.show import drawings
from xmlib import cca, objectives
from xmlib.runs.parameters import checked

drawings.use_style()
globals().update(checked("gradient_precision", globals()))  # or one sentence on what is wrong
begin(seed)
checks = Checks()
within = checks.within

# %% [markdown]
# ## All correlations equal
#
# The example consists of small whole numbers {eq}`tie-example`. All correlations are equal, and the gradient of the trace
# norm is still right.

# %%
t1, t2 = routes.symmetric_example()
a, b = t1.clone().requires_grad_(), t2.clone().requires_grad_()
at_tie = torch.autograd.grad(objectives.trace_norm(a, b, 0.0), (a, b))
direction = torch.randn(2, *t1.shape).unbind()
expected = slope(lambda a, b: objectives.trace_norm(a, b, 0.0), (t1, t2), direction)
within("trace norm at a tie", inner(at_tie, direction), expected, 1e-6)
cca.cca(t1, t2, ridge=0.0)[2]

# %% [markdown]
# ## Where the released recipe breaks
#
# The same example, through the projections: all four correlations are equal, and the loss is minus the mean score of
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
# Errors grow long before an exact tie. Two of four correlations approach each other; all three routes work in double
# precision.


# %% tags=["hide-input"]
def approaching(exponent):
    """Two views, the second and third of whose four correlations are 10 to the minus `exponent` apart."""
    return routes.views_with_correlations([0.8, 0.5 + 10.0**-exponent, 0.5, 0.3], 80, seed)


cost = -torch.eye(80) / 80
rows = []
for exponent in range(1, 16):
    views = approaching(exponent)
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

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-notebook-approach", "caption": "Two correlations approach: relative error of the loss and of the gradient, double precision."}, "image": {"alt": "Errors of three routes against a shrinking gap: two grow, the polar route stays at rounding error."}}
figure = gradient_figures.approach(near)
drawings.save(figure, svg_folder, "gradient-approach")
plt.show()

# %% [markdown]
# ## The border of the kept directions
#
# With $k < d$ the gradient still divides by $\sigma_k^2 - \sigma_{k+1}^2$ {eq}`border-z-bar`. Two of four correlations
# approach each other, with the border between them and with all directions kept.

# %% tags=["hide-input"]
rows = []
for exponent in range(1, 10):
    for kept, label in ((2, "k = 2, border between the two"), (4, "k = 4, all kept")):
        grads = routes.layer(*approaching(exponent), cost, 0.0, kept)[1:]
        rows.append({"gap": 10.0**-exponent, "kept": label, "size": float(torch.cat(grads).norm())})
at_border = pd.DataFrame(rows)
size = at_border.pivot_table(index="gap", columns="kept", values="size")
inside_block, across = size["k = 4, all kept"], size["k = 2, border between the two"]
assert inside_block.max() < 2 * inside_block.min()
assert 50 < across[1e-8] / across[1e-6] < 200  # as one over the gap

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-notebook-border", "caption": "Norm of the gradient as two correlations approach. Across the border of the kept directions it grows like one over their gap; inside, nothing happens."}, "image": {"alt": "A flat line, and one that rises as the gap shrinks."}}
ax = gradient_figures.border(at_border)
drawings.save(ax.figure, svg_folder, "gradient-border")
plt.show()

# %% [markdown]
# ## Error against dimension
#
# With more dimensions, correlations are closer together. Each number is the median over a few draws of two views, with two
# pairs per dimension and a loss of random weights. Errors are differences from a computation in NumPy's long double that
# needs no singular vectors.

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
drawings.save(figure, svg_folder, "gradient-precision")
plt.show()

# %% [markdown]
# ## What was checked
#
# At a tie the released recipe gets loss and gradient wrong, the implicit formulas the gradient. The polar factor gets both
# right, near a tie and in many dimensions. Its only weak place is the border of the kept directions, so training keeps all.
#
# The comparisons to rounding error; the other assertions are beside their examples.

# %% tags=["hide-input"]
checks.table()
