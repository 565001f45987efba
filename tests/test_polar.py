"""Training through CCA as facts: closed-form gradients on every route, in both precisions, and what is refused."""

import pytest
import torch
from torch.autograd import gradcheck

from book.derivations import routes
from xmlib import polar
from xmlib.cca import CCALayer
from xmlib.errors import DivergedError, InputError
from xmlib.objectives import trace_norm

RIDGE = 1e-3
TURNS = {"SVD": polar.by_svd, "products": polar.by_products, "eigenvectors": polar.by_eigenvectors}


def views(n=60, d=5, seed=0, dtype=torch.float64):
    return [h.to(dtype) for h in routes.related_views(n, d, seed)]


def uneven_views(n, d, spread, seed=0):
    """Related views in float32, far from the origin, whose standard deviations fall by `spread` in mixed directions."""
    g = torch.Generator().manual_seed(seed)
    sizes = torch.logspace(0, -torch.tensor(spread).log10(), d, dtype=torch.float64)
    mixed = []
    for h in routes.related_views(n, d, seed):
        turn = torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64)).Q
        mixed.append((h / h.std(0) * sizes @ turn + 3).float())
    return mixed


def scores(h1, h2):
    x, y = CCALayer(h1.shape[1], RIDGE).train()(h1, h2)
    return x @ y.T


def score_gradient(h1, h2, weights):
    return torch.cat(routes.by_autograd(scores, h1, h2, weights)[1:])


def trace_norm_gradient(h1, h2):
    a, b = (h.clone().requires_grad_() for h in (h1, h2))
    return torch.cat(torch.autograd.grad(trace_norm(a, b, RIDGE), (a, b)))


def error(found, right):
    return float((found.double() - right).norm() / right.norm())


def take(monkeypatch, route):
    monkeypatch.setattr(polar, "turned", lambda T, dtype: TURNS[route](T).to(dtype))


@pytest.mark.parametrize("route", TURNS)
@pytest.mark.parametrize("alike", [False, True], ids=["apart", "ties"])
def test_every_route_has_the_gradient_of_finite_differences(monkeypatch, route, alike):
    take(monkeypatch, route)
    h1, h2 = routes.symmetric_example() if alike else views(n=12, d=4)
    for compute in (lambda a, b: scores(a, b)[:6, :6], lambda a, b: trace_norm(a, b, RIDGE)):
        assert gradcheck(compute, (h1.clone().requires_grad_(), h2.clone().requires_grad_()), atol=1e-4)


@pytest.mark.parametrize("route", ["products", "eigenvectors"])
def test_every_route_turns_the_views_as_an_svd_does(route):
    T = torch.randn(30, 30, generator=torch.Generator().manual_seed(1), dtype=torch.float64) / 12
    found, right = TURNS[route](T), polar.by_svd(T)
    least = 1e-5 if route == "products" else 1e-9  # they shift T by 1e-8, and correlations of 1e-3 feel it
    torch.testing.assert_close(found.U @ found.V.mT, right.U @ right.V.mT, rtol=0, atol=least)
    assert float(found.trace()) == pytest.approx(float(right.trace()), abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "d"), [(100, 32), (160, 128)])
def test_the_layers_gradient_is_that_of_a_computation_with_more_digits(n, d, dtype):
    h1, h2 = views(n, d, dtype=dtype)
    weights = torch.randn(n, n, generator=torch.Generator().manual_seed(2)).to(dtype)
    truth = torch.cat(routes.long_double(h1.double(), h2.double(), weights.double(), RIDGE)[1:])
    assert error(score_gradient(h1, h2, weights), truth) < (1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize(("n", "d", "spread"), [(400, 128, 1), (400, 128, 1000), (1000, 512, 1), (1000, 512, 100)])
def test_single_precision_features_have_a_gradient_of_five_digits_however_uneven_they_are(n, d, spread):
    h1, h2 = uneven_views(n, d, spread)
    weights = torch.randn(n, n, generator=torch.Generator().manual_seed(2))
    right = score_gradient(h1.double(), h2.double(), weights.double())
    assert error(score_gradient(h1, h2, weights), right) < 1e-5
    assert error(trace_norm_gradient(h1, h2), trace_norm_gradient(h1.double(), h2.double())) < 1e-5


def test_far_from_the_origin_single_precision_still_serves():
    h1, h2 = (h + 500 for h in views(200, 16, dtype=torch.float32))
    torch.testing.assert_close(scores(h1, h2).double(), scores(h1.double(), h2.double()), rtol=0, atol=1e-5)


def test_the_trace_norms_gradient_is_the_books_formula_for_views_of_unequal_widths():
    h1, h2 = views(d=6)[0], views(d=6)[1][:, :4]
    for ridge in (0.0, RIDGE):
        assert gradcheck(lambda a, b, r=ridge: trace_norm(a, b, r), (h1.requires_grad_(), h2.requires_grad_()))


def dead_units(dtype=torch.float32):
    h1, h2 = views(200, 12, dtype=dtype)
    h1[:, 3:6] = 0
    return h1, h2


@pytest.mark.parametrize("route", ["SVD", "products", None])
def test_dead_units_of_one_view_leave_the_gradient_of_all_others_right(monkeypatch, route):
    """That of the dead ones depends on which turn of undetermined directions came out, and no unit hears of it."""
    weights = torch.randn(200, 200, generator=torch.Generator().manual_seed(2))
    alive = torch.tensor([not 3 <= unit < 6 for unit in range(12)])
    if route:
        take(monkeypatch, route)
    found = routes.by_autograd(scores, *dead_units(), weights)[1:]
    monkeypatch.undo()
    right = routes.by_autograd(scores, *dead_units(torch.float64), weights.double())[1:]
    assert error(found[0][:, alive], right[0][:, alive]) < 1e-5
    assert error(found[1], right[1]) < 1e-5
    assert torch.isfinite(found[0]).all()
    assert torch.isfinite(trace_norm_gradient(*dead_units())).all()


def test_eigenvectors_are_not_used_where_a_correlation_all_but_vanishes():
    T = torch.diag(torch.tensor([0.9, 0.5, 1e-6], dtype=torch.float64))
    assert polar.by_eigenvectors(T) is None
    assert polar.turned(T, torch.float32).corr.tolist() == pytest.approx([0.9, 0.5, 1e-6])


def test_equal_views_have_a_gradient_of_nothing():
    h1, _ = views()
    assert float(trace_norm_gradient(h1, h1).abs().max()) < 1e-4  # all that is left is the ridge's


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_features_are_worked_on_in_single_precision(dtype):
    h1, h2 = (h.to(dtype) for h in views(100, 8))
    x, y = CCALayer(8).train()(h1.requires_grad_(), h2.requires_grad_())
    u, v = CCALayer(8).train()(h1.detach().float(), h2.detach().float())
    assert x.dtype == y.dtype == dtype
    assert torch.equal(x, u.to(dtype))
    assert torch.equal(y, v.to(dtype))
    (x @ y.T).square().sum().backward()
    assert h1.grad.dtype == dtype
    assert torch.isfinite(h1.grad).all()


def test_autocast_changes_nothing():
    h1, h2 = (h.requires_grad_() for h in views(100, 8, dtype=torch.float32))
    plain = torch.autograd.grad(trace_norm(h1, h2) + CCALayer(8).train()(h1, h2)[0].sum(), (h1, h2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = torch.autograd.grad(trace_norm(h1, h2) + CCALayer(8).train()(h1, h2)[0].sum(), (h1, h2))
    assert all(torch.equal(a, b) for a, b in zip(plain, cast, strict=True))


@pytest.mark.parametrize("loss", ["all directions", "three directions", "trace norm"])
def test_a_second_derivative_is_refused(loss):
    h1, h2 = (h.requires_grad_() for h in views())
    x, y = CCALayer(5, k=3 if loss == "three directions" else None).train()(h1, h2)
    value = trace_norm(h1, h2) if loss == "trace norm" else (x @ y.T).square().sum()
    with pytest.raises(InputError, match="no second derivative"):
        torch.autograd.grad(value, (h1, h2), create_graph=True)


def test_a_covariance_without_an_inverse_is_refused_with_the_remedy():
    h1, h2 = dead_units(torch.float64)
    for call in (lambda: CCALayer(12, ridge=0.0).train()(h1, h2), lambda: trace_norm(h1, h2, 0.0)):
        with pytest.raises(DivergedError, match="not positive definite: raise ridge"):
            call()


def test_nan_is_refused_in_training_too():
    h1, h2 = views()
    h2[7, 1] = torch.nan
    for call in (lambda: CCALayer(5).train()(h1, h2), lambda: trace_norm(h1, h2), lambda: CCALayer(5, k=2)(h1, h2)):
        with pytest.raises(DivergedError, match="NaN"):
            call()


def test_a_training_step_on_another_device_asks_the_host_nothing():
    """On the meta device there are no numbers, so that a branch on one, or reading one, would raise."""
    h1, h2 = (torch.empty(50, 6, device="meta", requires_grad=True) for _ in "12")
    layer = CCALayer(6).to("meta").train()
    x, y = layer(h1, h2)
    (x @ y.T).sum().backward()
    assert h1.grad.shape == (50, 6)
    trace_norm(h1, h2).backward()


def test_no_singular_vector_is_found_before_somebody_asks(monkeypatch):
    h1, h2 = views()
    layer = CCALayer(5).train()
    with monkeypatch.context() as patch:
        patch.setattr("xmlib.cca.projections", lambda *covariances: pytest.fail("A and B are not needed here"))
        layer(h1, h2)[0].sum()
    assert layer.corr[0] > layer.corr[-1] > 0
