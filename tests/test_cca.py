"""The mathematics of CCA as facts: against autograd, an independent package, and invariances."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from xmlib.cca import CCALayer, DivergedError, cca, projections, singular_subspaces
from xmlib.errors import InputError
from xmlib.objectives import trace_norm

RIDGE = 1e-3


def correlated_views(n=60, d=5, noise=1.0, seed=0):
    g = torch.Generator().manual_seed(seed)
    h1 = torch.randn(n, d, generator=g, dtype=torch.float64)
    mixing = torch.randn(d, d, generator=g, dtype=torch.float64)
    return h1, h1 @ mixing + noise * torch.randn(n, d, generator=g, dtype=torch.float64)


def views_with_correlations(correlations, n=80, seed=0):
    """Two views whose sample covariances are exactly I and whose canonical correlations are exactly those given."""
    d = len(correlations)
    raw = torch.randn(n, 2 * d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    basis = torch.linalg.qr(raw - raw.mean(0)).Q * (n - 1) ** 0.5  # centred, orthonormal in covariance
    corr = torch.tensor(correlations, dtype=torch.float64)
    return basis[:, :d], basis[:, :d] * corr + basis[:, d:] * (1 - corr**2).sqrt()


def layer_scores(h1, h2, k=None, alpha=1.0):
    x, y = CCALayer(h1.shape[1], ridge=RIDGE, k=k, alpha=alpha).train()(h1, h2)
    return x @ y.T


def released_scores(h1, h2, k):
    """The released recipe: symmetric whitening by eigh, eigenvectors of TTᵀ and TᵀT, signs fixed afterwards."""
    c1, c2 = h1 - h1.mean(0), h2 - h2.mean(0)
    n, d = h1.shape
    eye = torch.eye(d, dtype=h1.dtype)
    sxx, syy, sxy = c1.T @ c1 / (n - 1) + RIDGE * eye, c2.T @ c2 / (n - 1) + RIDGE * eye, c1.T @ c2 / (n - 1)

    def inverse_root(s):
        values, vectors = torch.linalg.eigh(s)
        return vectors @ torch.diag(values**-0.5) @ vectors.T

    wx, wy = inverse_root(sxx), inverse_root(syy)
    T = wx @ sxy @ wy
    U = torch.linalg.eigh(T @ T.T)[1].flip(1)[:, :k]
    V = torch.linalg.eigh(T.T @ T)[1].flip(1)[:, :k]
    V = V * torch.sign((U * (T @ V)).sum(0))
    x, y = c1 @ wx @ U, c2 @ wy @ V
    return torch.nn.functional.normalize(x, dim=1) @ torch.nn.functional.normalize(y, dim=1).T


@pytest.mark.parametrize("k", [5, 3, 1])
def test_the_layers_gradient_is_that_of_finite_differences(k):
    h1, h2 = correlated_views(n=12)
    assert gradcheck(lambda a, b: layer_scores(a, b, k), (h1.requires_grad_(), h2.requires_grad_()))


def test_the_gradient_with_running_statistics_is_that_of_finite_differences():
    h1, h2 = correlated_views(n=12, d=3)
    past = correlated_views(n=12, d=3, seed=1)

    def second_batch(a, b):
        layer = CCALayer(3, alpha=0.4).train()
        layer(*past)
        x, y = layer(a, b)
        return x @ y.T

    assert gradcheck(second_batch, (h1.requires_grad_(), h2.requires_grad_()))


@pytest.mark.parametrize("k", [5, 2])
def test_the_layer_equals_autograd_through_the_released_recipe(k):
    weights = torch.randn(60, 60, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    results = []
    for scores_of in (lambda a, b: layer_scores(a, b, k), lambda a, b: released_scores(a, b, k)):
        h1, h2 = (h.requires_grad_() for h in correlated_views())
        scores = scores_of(h1, h2)
        (scores * weights).sum().backward()
        results.append((scores.detach(), h1.grad, h2.grad))
    for ours, released in zip(*results, strict=True):
        torch.testing.assert_close(ours, released, rtol=1e-8, atol=1e-10)


def test_coincident_correlations_leave_the_gradient_finite_and_right():
    h1, h2 = (h.requires_grad_() for h in views_with_correlations([0.8, 0.5, 0.5, 0.5, 0.1]))
    assert gradcheck(lambda a, b: layer_scores(a, b)[:6, :6], (h1, h2), atol=1e-4)


def test_the_released_recipe_fails_at_coincident_correlations():
    h1, h2 = (h.requires_grad_() for h in views_with_correlations([0.8, 0.5, 0.5, 0.5, 0.1]))
    ours, released = layer_scores(h1, h2), released_scores(h1, h2, 5)
    released.sum().backward()
    wrong = (ours - released).abs().max() > 1e-2
    assert wrong or not torch.isfinite(h1.grad).all() or h1.grad.abs().max() > 1e3


def test_vanishing_correlations_leave_the_gradient_finite():
    h1, h2 = (h.requires_grad_() for h in views_with_correlations([0.8, 0.0, 0.0]))
    layer_scores(h1, h2).square().sum().backward()
    assert torch.isfinite(h1.grad).all()
    assert torch.isfinite(h2.grad).all()


def test_a_tie_across_the_border_of_the_kept_subspace_stays_finite():
    T = torch.diag(torch.tensor([0.9, 0.5, 0.5], dtype=torch.float64)).requires_grad_()
    U, V, _ = singular_subspaces(T, 2)
    (U @ V.T).square()[0].sum().backward()
    assert torch.isfinite(T.grad).all()


def test_the_trace_norms_gradient_is_that_of_finite_differences_ties_included():
    for h1, h2 in (correlated_views(n=12), views_with_correlations([0.7, 0.7, 0.2], n=12)):
        assert gradcheck(trace_norm, (h1.requires_grad_(), h2.requires_grad_()))


def test_the_trace_norm_is_minus_the_mean_correlation():
    h1, h2 = correlated_views()
    torch.testing.assert_close(trace_norm(h1, h2), -cca(h1, h2)[2].mean())


def test_correlations_and_projections_equal_an_independent_package():
    from cca_zoo.linear import CCA

    h1, h2 = correlated_views(n=200)
    A, B, corr = cca(h1, h2, ridge=0.0)
    other = CCA(n_components=5).fit([h1.numpy(), h2.numpy()])
    pairs = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(*(v.T for v in other.transform([h1.numpy(), h2.numpy()])), strict=True)
    ]
    np.testing.assert_allclose(corr.numpy(), pairs, atol=1e-8)
    for ours, theirs in zip((A, B), other.weights_, strict=True):
        cosines = [
            abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(ours.T.numpy(), theirs.T, strict=True)
        ]
        np.testing.assert_allclose(cosines, 1, atol=1e-8)


def test_projected_views_are_white_and_diagonally_correlated():
    h1, h2 = correlated_views(n=300)
    A, B, corr = cca(h1, h2, ridge=0.0)
    z1, z2 = (h1 - h1.mean(0)) @ A, (h2 - h2.mean(0)) @ B
    n = len(h1) - 1
    torch.testing.assert_close(z1.T @ z1 / n, torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(z2.T @ z2 / n, torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(z1.T @ z2 / n, torch.diag(corr))


def test_an_invertible_change_of_basis_changes_neither_correlations_nor_scores():
    h1, h2 = correlated_views(n=100)
    basis = torch.randn(5, 5, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    moved = h1 @ basis + 3.0, h2 @ torch.linalg.inv(basis) - 1.0
    torch.testing.assert_close(cca(h1, h2, 0.0)[2], cca(*moved, 0.0)[2])
    layers = [CCALayer(5, ridge=0.0).train() for _ in range(2)]
    x, y = layers[0](h1, h2)
    u, v = layers[1](*moved)
    torch.testing.assert_close(x @ y.T, u @ v.T)


def test_a_worked_example_in_two_dimensions():
    h1, h2 = views_with_correlations([0.9, 0.3])
    torch.testing.assert_close(cca(h1, h2, ridge=0.0)[2], torch.tensor([0.9, 0.3], dtype=torch.float64))
    shrunk = cca(h1, h2, ridge=1.0)[2]  # both covariances become 2·I, so correlations halve
    torch.testing.assert_close(shrunk, torch.tensor([0.45, 0.15], dtype=torch.float64))


def test_evaluation_uses_the_refitted_projection_for_each_view_alone():
    h1, h2 = correlated_views(n=200)
    layer = CCALayer(5, ridge=RIDGE).eval()
    layer.refit(h1, h2)
    A, _, _ = cca(h1, h2, ridge=RIDGE)
    expected = torch.nn.functional.normalize((h1[:7] - h1.mean(0)) @ A, dim=1)
    torch.testing.assert_close(layer.embed1(h1[:7]), expected)
    torch.testing.assert_close(layer(h1[:7], h2[:7])[1], layer.embed2(h2[:7]))


def test_running_statistics_start_unbiased():
    h1, h2 = correlated_views(n=100)
    first = CCALayer(5, alpha=0.1).train()
    first(h1, h2)
    alone = CCALayer(5, alpha=1.0).train()
    alone(h1, h2)
    torch.testing.assert_close(first.corr, alone.corr)
    torch.testing.assert_close(first.mean1, alone.mean1)


def test_running_statistics_average_batches_with_the_weights_of_an_unbiased_mean():
    batches = [correlated_views(seed=s) for s in (1, 2)]
    layer = CCALayer(5, alpha=0.25).train()
    for batch in batches:
        layer(*batch)
    weights = np.array([0.75 * 0.25, 0.25])
    expected = sum(w * b[0].mean(0) for w, b in zip(weights / weights.sum(), batches, strict=True))
    torch.testing.assert_close(layer.mean1, expected)


@pytest.mark.parametrize("n", [4, 5])
def test_too_few_pairs_are_refused_with_the_remedy(n):
    h1, h2 = correlated_views(n=n)
    for call in (lambda: cca(h1, h2), lambda: CCALayer(5).train()(h1, h2), lambda: trace_norm(h1, h2)):
        with pytest.raises(InputError, match=f"n = {n} pairs for d = 5 dimensions.*at least 6"):
            call()


def uneven_widths(n=60):
    """Views of 5 and 3 columns."""
    h1, h2 = correlated_views(n=n)
    return h1, h2[:, :3]


def test_views_of_unequal_widths_have_as_many_pairs_of_directions_as_the_narrower_has_columns():
    h1, h2 = uneven_widths(300)
    A, B, corr = cca(h1, h2, ridge=0.0)
    z1, z2 = (h1 - h1.mean(0)) @ A, (h2 - h2.mean(0)) @ B
    torch.testing.assert_close(z1.T @ z1 / 299, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(z2.T @ z2 / 299, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(z1.T @ z2 / 299, torch.diag(corr))
    torch.testing.assert_close(trace_norm(h1, h2, 0.0), -corr.mean())


@pytest.mark.parametrize("k", [None, 2])
@pytest.mark.parametrize("turned", [False, True], ids=["wide first", "narrow first"])
def test_the_gradient_for_unequal_widths_is_that_of_finite_differences(k, turned):
    h1, h2 = uneven_widths(12)[:: -1 if turned else 1]

    def scores(a, b):
        x, y = CCALayer((a.shape[1], b.shape[1]), k=k).train()(a, b)
        return x @ y.T

    assert gradcheck(scores, (h1.requires_grad_(), h2.requires_grad_()))


def test_a_column_that_correlates_with_nothing_widens_a_view_without_a_change():
    h1, h2 = views_with_correlations([0.8, 0.5, 0.0])
    narrow = CCALayer((2, 3), ridge=0.0).train()(h1[:, :2], h2)
    wide = CCALayer(3, ridge=0.0, k=2).train()(h1, h2)
    torch.testing.assert_close(narrow[0] @ narrow[1].T, wide[0] @ wide[1].T)


def test_a_layer_of_unequal_widths_is_refitted_and_evaluated_like_any_other():
    h1, h2 = uneven_widths(200)
    layer = CCALayer((5, 3), ridge=RIDGE).eval()
    layer.refit(h1, h2)
    A, _, corr = cca(h1, h2, ridge=RIDGE)
    torch.testing.assert_close(layer.embed1(h1), torch.nn.functional.normalize((h1 - h1.mean(0)) @ A, dim=1))
    torch.testing.assert_close(layer.corr, corr)


def test_features_of_another_width_than_the_layers_are_refused():
    with pytest.raises(InputError, match=r"made for widths \(5, 5\), but got \(5, 3\)"):
        CCALayer(5).train()(*uneven_widths())


def test_whole_numbers_are_refused():
    h = torch.arange(60).reshape(20, 3)
    layer = CCALayer(3)
    layer.refit(h.double().cos(), h.double().sin())
    for call in (lambda: cca(h, h), lambda: layer(h, h), lambda: trace_norm(h, h), lambda: layer.eval().embed1(h)):
        with pytest.raises(InputError, match=r"View 1 holds features of torch.int64.*\.float\(\)"):
            call()


@pytest.mark.parametrize("move", [nn.Module.half, nn.Module.bfloat16, nn.Module.float, nn.Module.double])
def test_a_model_moved_to_another_precision_evaluates_as_before(move):
    h1, h2 = correlated_views(n=200)
    layer = CCALayer(5).eval()
    layer.refit(h1, h2)
    before = layer.embed1(h1), layer.embed2(h2.float())
    move(nn.Sequential(layer))
    assert torch.equal(layer.embed1(h1), before[0])
    assert torch.equal(layer.embed2(h2.float()), before[1])
    assert layer.embed1(h1.half()).dtype == torch.float16


def test_evaluation_before_any_training_is_refused_with_the_remedy():
    h1, h2 = correlated_views()
    for call in (lambda: CCALayer(5).eval()(h1, h2), lambda: CCALayer(5).embed2(h2)):
        with pytest.raises(InputError, match="no projections yet.*refit"):
            call()


def test_evaluation_without_a_refit_since_the_last_batch_is_warned_of():
    h1, h2 = correlated_views()
    layer = CCALayer(5)
    layer.refit(h1, h2)
    layer.train()(h1, h2)
    with pytest.warns(UserWarning, match="last training batch: call refit"):
        layer.eval().embed1(h1)
    layer.refit(h1, h2)
    layer.embed1(h1)  # a warning would be an error


def test_a_loaded_layer_knows_whether_it_was_refitted_and_embeds_alike():
    h1, h2 = correlated_views()
    trained, refitted = CCALayer(5).train(), CCALayer(5)
    trained(h1, h2)
    refitted.refit(h1, h2)
    found = []
    for layer in (trained, refitted):
        loaded = CCALayer(5).train()
        loaded(*correlated_views(seed=3))
        loaded.load_state_dict(layer.state_dict())
        found.append(loaded.eval())
    torch.testing.assert_close(found[1].state_dict(), refitted.state_dict(), rtol=0, atol=0)
    close = {"rtol": 1e-12, "atol": 1e-14}  # a copy may lie otherwise in memory, which some processors' products notice
    torch.testing.assert_close(found[1].embed1(h1), refitted.embed1(h1), **close)
    with pytest.warns(UserWarning, match="last training batch"):
        torch.testing.assert_close(found[0].embed1(h1), found[1].embed1(h1))


def test_an_older_file_of_a_refitted_layer_is_loaded_under_the_names_of_now():
    h1, h2 = correlated_views()
    refitted, loaded = CCALayer(5), CCALayer(5)
    refitted.refit(h1, h2)
    names = {"stored1": "projection1", "stored2": "projection2", "stored_corr": "corr"}
    older = {names.get(name, name): value for name, value in refitted.state_dict().items() if name != "source"}
    loaded.load_state_dict(older)
    torch.testing.assert_close(loaded.state_dict(), refitted.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(loaded.eval().embed1(h1), refitted.embed1(h1), rtol=1e-12, atol=1e-14)
    assert torch.equal(loaded.corr, refitted.corr)


@pytest.mark.parametrize("k", [5, 2])
def test_a_small_last_batch_trains_on_where_running_statistics_are_kept(k):
    layer = CCALayer(5, alpha=0.3, k=k).train()
    small = [h.requires_grad_() for h in correlated_views(n=3, seed=1)]
    with pytest.raises(InputError, match="n = 3 pairs for d = 5"):  # the first one: there is nothing to lean on
        layer(*small)
    layer(*correlated_views())
    for n in (3, 1):
        x, y = layer(*(h[:n] for h in small))
        (x @ y.T).square().sum().backward()
    assert torch.isfinite(small[0].grad).all()
    assert small[0].grad.abs().max() > 0
    with pytest.raises(InputError, match="n = 3 pairs"):
        CCALayer(5).train()(*small)


def test_training_and_evaluation_on_one_batch_give_the_same_scores():
    h1, h2 = correlated_views(n=100)
    layer = CCALayer(5).train()
    x, y = layer(h1, h2)
    layer.eval().refit(h1, h2)
    torch.testing.assert_close(x @ y.T, layer.embed1(h1) @ layer.embed2(h2).T)


def test_views_of_unequal_length_are_refused():
    h1, h2 = correlated_views()
    with pytest.raises(
        InputError, match="as many rows in one view as in the other and at least one, but got 60 and 59"
    ):
        cca(h1, h2[1:])


def test_values_that_are_not_finite_are_refused():
    h1, h2 = correlated_views()
    h1[3, 2] = torch.nan
    with pytest.raises(DivergedError, match="NaN"):
        cca(h1, h2)


def test_kept_directions_beyond_the_width_are_refused():
    with pytest.raises(InputError, match="k = 6"):
        CCALayer(5, k=6)
    with pytest.raises(InputError, match="alpha"):
        CCALayer(5, alpha=0.0)


def test_noise_alone_correlates_perfectly_when_pairs_are_few():
    g = torch.Generator().manual_seed(0)
    h1, h2 = torch.randn(11, 10, generator=g).double(), torch.randn(11, 10, generator=g).double()
    assert cca(h1, h2, ridge=1e-12)[2].min() > 0.999


def test_projections_keep_only_k_columns():
    h1, h2 = correlated_views()
    eye = torch.eye(5, dtype=torch.float64)
    A, B, corr = projections(eye, eye, torch.diag(torch.tensor([0.9, 0.7, 0.5, 0.3, 0.1])).double(), k=2)
    torch.testing.assert_close(A.T @ B, torch.eye(2, dtype=torch.float64))
    assert corr.tolist() == pytest.approx([0.9, 0.7, 0.5, 0.3, 0.1])
