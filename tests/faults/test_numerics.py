"""Objectives, metrics and the CCA layer over shapes, scales and types: finite, within their bounds, or one sentence."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.nn.functional import normalize

from xmlib import evaluate, fit, methods, objectives, profiles
from xmlib.cca import CCALayer
from xmlib.errors import DivergedError, InputError
from xmlib.retriever import training
from xmlib.scoring import hubness

EXAMPLES = settings(max_examples=60, derandomize=True, deadline=None, database=None)
TYPES = some.sampled_from((torch.float32, torch.float64))
EXPONENTS = some.integers(-20, 20)
SIZES = some.tuples(some.integers(2, 40), some.integers(1, 8))
SEEDS = some.integers(0, 2**31)


def drawn(n, d, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)))


def rows(n, d, seed, kind):
    """Unit rows; with equal ones among them where the seed says so."""
    found = drawn(n, d, seed)
    if seed % 3 == 0:
        found[n // 2 :] = found[: n - n // 2].clone()
    return normalize(found, dim=1).to(kind)


def spoilt(n, d, seed):
    """Features with constant, equal or missing directions, as the seed says."""
    found = drawn(n, d, seed)
    if seed % 4 == 1:
        found[:, 0] = 1
    if seed % 4 == 2:
        found[:, -1] = found[:, 0].clone()
    if seed % 4 == 3:
        found = found[:, :1].expand(n, d).clone()
    return found


OF_ROWS = {
    "ranking": (objectives.ranking_loss, 0, math.inf),
    "ranking both ways": (lambda x, y: objectives.ranking_loss(x, y, both_ways=True), 0, math.inf),
    "InfoNCE": (objectives.info_nce, 0, math.inf),
}


@pytest.mark.faults
@pytest.mark.parametrize("name", OF_ROWS)
def test_a_loss_of_unit_rows_is_finite_not_negative_and_has_finite_gradients(name):
    loss, low, high = OF_ROWS[name]

    @EXAMPLES
    @given(SIZES, SEEDS, TYPES)
    def holds(size, seed, kind):
        x, y = (rows(*size, seed + i, kind).requires_grad_() for i in (0, 3))
        found = loss(x, y)
        found.backward()
        assert low - 1e-6 <= found.item() < high
        assert torch.isfinite(x.grad).all()
        assert torch.isfinite(y.grad).all()

    holds()


@pytest.mark.faults
def test_the_trace_norm_lies_between_minus_one_and_nothing_at_every_scale():
    @EXAMPLES
    @given(some.integers(1, 6), EXPONENTS, EXPONENTS, SEEDS, TYPES)
    def holds(d, one, other, seed, kind):
        x, y = (
            (spoilt(4 * d + 4, d, seed + i) * 10.0**e).to(kind).requires_grad_() for i, e in enumerate((one, other))
        )
        try:
            found = objectives.trace_norm(x, y)
        except DivergedError:  # which says that ridge is to be raised; training ends its phase
            return
        found.backward()
        assert -1 - 1e-6 <= found.item() <= 1e-6
        assert torch.isfinite(x.grad).all()

    holds()


@pytest.mark.faults
def test_the_layer_gives_unit_rows_or_zero_and_finite_gradients_at_every_scale():
    @EXAMPLES
    @given(some.integers(1, 6), EXPONENTS, EXPONENTS, SEEDS, TYPES)
    def holds(d, one, other, seed, kind):
        layer = CCALayer(d)
        x, y = (
            (spoilt(4 * d + 4, d, seed + i) * 10.0**e).to(kind).requires_grad_() for i, e in enumerate((one, other))
        )
        try:
            both = layer(x, y)
        except DivergedError:
            return
        for found in both:
            lengths = found.norm(dim=1)
            assert (lengths < 1 + 1e-4).all()
            if min(one, other) > -8:  # below, what is left beside the ridge is not scaled up to 1
                assert ((lengths - 1).abs() < 1e-4).logical_or(lengths < 1e-4).all()
        objectives.ranking_loss(*both).backward()
        assert torch.isfinite(x.grad).all()
        assert torch.isfinite(y.grad).all()

    holds()


@pytest.mark.faults
def test_metrics_lie_within_their_bounds_and_do_not_depend_on_a_rotation_or_an_order():
    @EXAMPLES
    @given(SIZES, SEEDS, TYPES)
    def holds(size, seed, kind):
        n, d = size
        x, y = rows(n, d, seed, kind), rows(n, d, seed + 3, kind)
        found = evaluate.ranks(x, y)
        assert (found >= 1).all()
        assert (found <= n).all()
        assert 1 / n <= evaluate.mrr(x, y) <= 1
        order = np.random.default_rng(seed).permutation(n)
        np.testing.assert_array_equal(evaluate.ranks(x[order], y[order]), found[order])
        turn = torch.linalg.qr(drawn(d, d, seed))[0].to(kind)
        if kind == torch.float64:
            np.testing.assert_array_equal(evaluate.ranks(x @ turn, y @ turn), found)
        corrected = evaluate.standing(x, y, correct=hubness.csls(x, y))
        assert (corrected[0] + corrected[1] <= n).all()

    holds()


@pytest.mark.faults
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["train", "valid"])
def test_a_view_with_a_number_that_is_none_is_refused_by_its_item_before_training(name, value):
    splits = data_of(drawn(80, 5, 0))
    bad = drawn(80, 5, 0).numpy().astype(np.float32)
    bad[7, 2] = value
    setattr(splits, name, training.split_of(bad, drawn(80, 5, 1).numpy().astype(np.float32), np.arange(80)))
    with pytest.raises(InputError, match=f"view1 of the {name} split holds NaN or infinite values, first in item '7'"):
        fit.check_splits(splits, profiles.settings("toy", "table", "ccal_cont", d=3, batch=20))


def data_of(view1):
    other = drawn(len(view1), 5, 1).numpy().astype(np.float32)
    parts = [training.split_of(view1.numpy().astype(np.float32), other, np.arange(len(view1))) for _ in range(2)]
    return training.splits_of(*parts, 1)


@pytest.mark.faults
@pytest.mark.parametrize("method", ["ccal_cont", "ccal_tno", "ccal_nce", "learned_cont", "learned_nce"])
@pytest.mark.parametrize("kind", ["constant column", "equal columns", "one direction", "tiny", "huge"])
def test_training_on_spoilt_views_ends_by_itself_and_keeps_a_best_epoch(method, kind):
    view = {"constant column": spoilt(80, 5, 1), "equal columns": spoilt(80, 5, 2), "one direction": spoilt(80, 5, 3),
            "tiny": drawn(80, 5, 4) * 1e-20, "huge": drawn(80, 5, 4) * 1e10}[kind]  # fmt: skip
    settings = profiles.settings("toy", "table", method, d=3, batch=20, epochs=4)
    splits = data_of(view)
    model = methods.build(method, settings, 1, ((5,), (5,)))
    if kind == "tiny":  # nothing is left of these views beside ridge and batch norm's ε
        with pytest.raises(InputError, match="The numbers in view1 of the train split are .e-20 at most"):
            fit.fit(model, splits, method, settings)
        return
    done = fit.fit(model, splits, method, settings)
    assert done.stopped in ("epochs", "patience", "divergence", "schedule")
    assert 1 <= done.best["epoch"] <= 4
    assert all(torch.isfinite(weights).all() for weights in done.model.state_dict().values())


@pytest.mark.faults
@pytest.mark.parametrize("method", ["ccal_cont", "learned_nce"])
def test_a_training_that_explodes_later_keeps_the_best_model_before_it(method):
    settings = profiles.settings("toy", "table", method, d=3, batch=20, epochs=6)
    splits = data_of(drawn(80, 5, 0))
    model = methods.build(method, settings, 1, ((5,), (5,)))
    task = fit.Training(
        model, splits, fit.Objective(methods.METHODS[method].terms(settings)), settings, 1, torch.device("cpu")
    )
    for epoch in range(3):
        if epoch == 2:
            with torch.no_grad():
                next(model.parameters()).fill_(math.nan)
        task.epoch()
    assert math.isnan(task.history[2]["valid_mrr"])
    assert task.best["epoch"] in (1, 2)
    assert all(torch.isfinite(weights).all() for weights in task.use_best().state_dict().values())


@pytest.mark.faults
@pytest.mark.parametrize("method", ["ccal_cont", "learned_cont", "learned_nce"])
def test_a_training_whose_encoder_collapses_goes_back_to_its_best_epoch(method):
    settings = profiles.settings("toy", "table", method, d=3, batch=20, epochs=6, refinements=0)
    splits = data_of(drawn(80, 5, 0))
    model = methods.build(method, settings, 1, ((5,), (5,)))
    task = fit.Training(
        model, splits, fit.Objective(methods.METHODS[method].terms(settings)), settings, 1, torch.device("cpu")
    )
    task.epoch()
    task.set_rate(0.0)
    with torch.no_grad():
        model.encoder1[-1].weight.zero_()  # now all pairs have the same features
    task.epoch()
    assert math.isnan(task.history[1]["valid_mrr"])
    assert (task.best["epoch"], task.phase) == (1, 1)
    assert task.use_best().encoder1[-1].weight.abs().max() > 0


@pytest.mark.faults
def test_a_training_that_begins_collapsed_says_so():
    settings = profiles.settings("toy", "table", "ccal_cont", d=3, batch=20, epochs=6, lr=0.0)
    model = methods.build("ccal_cont", settings, 1, ((5,), (5,)))
    with torch.no_grad():
        model.encoder1[-1].weight.zero_()
    with pytest.raises(InputError, match="first epoch gave .* features that are the same for all pairs"):
        fit.fit(model, data_of(drawn(80, 5, 0)), "ccal_cont", settings)
