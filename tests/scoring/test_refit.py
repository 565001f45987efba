"""Re-estimating a head as facts, on small made-up views."""

import copy

import numpy as np
import pytest
import torch

from xmlib import evaluate, fit
from xmlib.cca import CCALayer, cca
from xmlib.data import Split, Splits, View
from xmlib.errors import InputError
from xmlib.model import LinearHead, TwoView
from xmlib.scoring.refit import refit, refit_curve

D = 6


def made_up_split(n, seed):
    """Two noisy linear pictures of one cause, 10 and 8 wide."""
    maps = np.random.default_rng(0)
    rng = np.random.default_rng(seed)
    cause = rng.normal(size=(n, 4))
    views = [cause @ maps.normal(size=(4, w)) + 0.7 * rng.normal(size=(n, w)) for w in (10, 8)]
    view1, view2 = (View(n, v.shape[1:], v.astype(np.float32).__getitem__) for v in views)
    return Split(view1, view2, [f"item{i}" for i in range(n)], np.arange(n))


@pytest.fixture(scope="module")
def splits():
    return Splits("made_up", "toy", 0, {}, "digest", made_up_split(300, 1), made_up_split(60, 2), made_up_split(80, 3))


def trained(head):
    """A model in an odd state: one encoder in training mode, as someone may have left it."""
    torch.manual_seed(1)
    encoders = [torch.nn.Sequential(torch.nn.Linear(w, D), torch.nn.BatchNorm1d(D)) for w in (10, 8)]
    model = TwoView(*encoders, head).eval()
    model.encoder1.train()
    return model


def state(model):
    return copy.deepcopy(model.state_dict()), [m.training for m in model.modules()]


def same_state(one, other):
    return one[1] == other[1] and all(torch.equal(one[0][name], other[0][name]) for name in one[0])


@pytest.mark.parametrize("head", [CCALayer(D), LinearHead(D)], ids=["cca", "learned"])
def test_a_curve_leaves_the_model_exactly_as_it_was(splits, head):
    model = trained(head)
    before = state(model)
    refit_curve(model, splits, (50, 100), draws=2)
    assert same_state(before, state(model))


def test_a_curve_leaves_the_model_as_it_was_where_a_view_is_broken(splits):
    model = trained(CCALayer(D))
    before = state(model)
    broken = Splits("made_up", "toy", 0, {}, "digest", splits.train, splits.valid, made_up_split(80, 3))
    broken.test.view2.cut = lambda rows: np.ones((len(rows), 3), np.float32)
    with pytest.raises(RuntimeError, match="shapes"):
        refit_curve(model, broken, (50,))
    assert same_state(before, state(model))


def test_refit_sets_what_classical_cca_of_the_drawn_pairs_gives(splits):
    model = trained(CCALayer(D))
    rows = refit(model, splits.train, 70, seed=4)
    assert len(set(rows.tolist())) == 70
    h1, h2 = fit.features(model, splits.train, rows=rows)
    A, B, _ = cca(h1.double(), h2.double())
    torch.testing.assert_close(model.head.projection1, A)
    torch.testing.assert_close(model.head.projection2, B)
    torch.testing.assert_close(model.head.mean2, h2.double().mean(0))


def test_a_learned_head_gets_new_means_and_keeps_its_maps(splits):
    model = trained(LinearHead(D))
    maps = copy.deepcopy([model.head.map1.weight, model.head.map2.weight])
    rows = refit(model, splits.train, 3)
    h1, _ = fit.features(model, splits.train, rows=rows)
    torch.testing.assert_close(model.head.mean1, h1.mean(0))
    assert all(torch.equal(a, b) for a, b in zip(maps, (model.head.map1.weight, model.head.map2.weight), strict=True))


def test_a_row_of_the_curve_is_what_refit_and_the_protocol_give(splits):
    model = trained(CCALayer(D))
    rows = refit_curve(model, splits, (40, 90), seed=5)
    refit(model, splits.train, 40, seed=5)
    x, y = fit.embed(model, splits.test)
    wanted = {"n_train": 40, "draw": 0, "split": "test"}
    found = {r["direction"]: r["mrr"] for r in rows if wanted.items() <= r.items()}
    assert found["view1_to_view2"] == pytest.approx(evaluate.mrr(x, y), abs=1e-9)
    assert found["view2_to_view1"] == pytest.approx(evaluate.mrr(y, x), abs=1e-9)


def test_a_curve_has_each_size_draw_split_and_direction_once_and_all_pairs_in_one_draw(splits):
    rows = refit_curve(trained(CCALayer(D)), splits, (300, 40), draws=3)
    keys = [(r["n_train"], r["draw"], r["split"], r["direction"]) for r in rows]
    assert len(set(keys)) == len(keys) == (3 + 1) * 2 * 2
    assert [key[:2] for key in keys[::4]] == [(40, 0), (40, 1), (40, 2), (300, 0)]


def test_more_pairs_serve_cca_better_than_hardly_any(splits):
    rows = refit_curve(trained(CCALayer(D)), splits, (D + 1, 300), draws=5)
    few, all_pairs = (np.mean([r["mrr"] for r in rows if r["n_train"] == n]) for n in (D + 1, 300))
    assert all_pairs > 1.5 * few


def test_two_curves_of_one_seed_are_equal_and_another_seed_draws_others(splits):
    model = trained(CCALayer(D))
    one, same, other = (refit_curve(model, splits, (30,), seed=seed) for seed in (1, 1, 9))
    assert one == same
    assert one != other


@pytest.mark.parametrize("size", [D, 0, 301])
def test_sizes_that_give_no_cca_are_refused_with_the_range_that_would(splits, size):
    model = trained(CCALayer(D))
    for call in (lambda: refit(model, splits.train, size), lambda: refit_curve(model, splits, (50, size))):
        with pytest.raises(InputError, match=f"on {size} training pairs: choose from {D + 1} .* to 300"):
            call()


def test_a_learned_head_needs_one_pair_and_a_curve_at_least_one_size(splits):
    assert refit_curve(trained(LinearHead(D)), splits, (1,))
    with pytest.raises(InputError, match="choose from 1"):
        refit(trained(LinearHead(D)), splits.train, 0)
    with pytest.raises(InputError, match="choose from 1"):
        refit_curve(trained(LinearHead(D)), splits, ())
