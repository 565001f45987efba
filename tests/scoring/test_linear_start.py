"""Linear maps that start at linear CCA: the start is linear CCA, and what a run is compared with is the best one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xmlib import data, evaluate, fit, methods, profiles
from xmlib.cca import cca
from xmlib.data import Split, Splits, View
from xmlib.errors import InputError
from xmlib.runs import experiments
from xmlib.scoring import baselines

SETTINGS = profiles.settings("toy", "emoji", "linear_nce", epochs=1, batch=60)


def made_up_split(n, seed):
    """Two noisy linear pictures of one cause, 20 and 15 wide."""
    maps, rng = np.random.default_rng(0), np.random.default_rng(seed)
    cause = rng.normal(size=(n, 6))
    views = [cause @ maps.normal(size=(6, w)) + 0.7 * rng.normal(size=(n, w)) for w in (20, 15)]
    view1, view2 = (View(n, v.shape[1:], v.astype(np.float32).__getitem__) for v in views)
    return Split(view1, view2, [f"item{i}" for i in range(n)], np.arange(n))


@pytest.fixture(scope="module")
def splits():
    return Splits("made_up", "toy", 0, {}, "linear start", *(made_up_split(n, n) for n in (300, 60, 80)))


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("xmlib.paths.RUNS", tmp_path)


def shapes(splits):
    return splits.train.view1.shape, splits.train.view2.shape


def test_the_start_scores_exactly_as_linear_cca_does(splits):
    chosen = baselines.linear_cca(splits)
    model = methods.build("linear_nce", replace(SETTINGS, d=chosen["directions"], batch=60), 1, shapes(splits))
    baselines.start(model, splits)
    x, y = fit.embed(model, splits.test)
    scores = evaluate.both_ways(x, y)
    for way, metrics in chosen["metrics"].items():
        assert scores["metrics"][way]["mrr"] == pytest.approx(metrics["mrr"], abs=1e-9)


def narrow_split(n, seed):
    """128 and 10 columns with ten causes in common, which show in the many weak components of the first view."""
    maps, rng = np.random.default_rng(0), np.random.default_rng(seed)
    cause = rng.normal(size=(n, 10))
    strength = np.geomspace(1, 0.01, 128)
    wide = (0.3 * cause @ maps.normal(size=(10, 128)) + rng.normal(size=(n, 128))) * strength
    views = wide, cause @ maps.normal(size=(10, 10)) + rng.normal(size=(n, 10))
    view1, view2 = (View(n, v.shape[1:], v.astype(np.float32).__getitem__) for v in views)
    return Split(view1, view2, [f"item{i}" for i in range(n)], np.arange(n))


@pytest.fixture(scope="module", params=["narrow texts", "narrow pictures"])
def narrow(request):
    parts = [narrow_split(n, n) for n in (900, 170, 150)]
    if request.param == "narrow pictures":
        parts = [replace(part, view1=part.view2, view2=part.view1) for part in parts]
    return Splits("made_up", "toy", 0, {}, request.param, *parts)


def plain_cca(splits):
    """MRR on the validation pairs of classical CCA of all columns."""
    rows = [[getattr(s, v)[np.arange(len(s))] for v in ("view1", "view2")] for s in (splits.train, splits.valid)]
    train, valid = ([torch.from_numpy(h).double() for h in views] for views in rows)
    projections = cca(*train, ridge=1e-9)[:2]
    sides = [(v - t.mean(0)) @ P for v, t, P in zip(valid, train, projections, strict=True)]
    return evaluate.mrr(*(torch.nn.functional.normalize(side, dim=1) for side in sides))


def test_a_narrow_view_leaves_the_other_one_all_its_columns(narrow):
    chosen = baselines.linear_cca(narrow)
    assert chosen["components"] > 10
    assert chosen["valid_mrr"] >= plain_cca(narrow) > 0.3


def test_the_start_scores_as_linear_cca_does_where_a_view_is_narrow(narrow):
    chosen = baselines.linear_cca(narrow)
    model = methods.build("linear_nce", replace(SETTINGS, d=10), 1, shapes(narrow))
    baselines.start(model, narrow)
    assert evaluate.mrr(*fit.embed(model, narrow.test)) == pytest.approx(
        chosen["metrics"]["view1_to_view2"]["mrr"], abs=1e-9
    )


def test_training_goes_on_from_there(splits):
    model = experiments.untrained("linear_nce", SETTINGS, 1, splits)
    start = fit.embed(model, splits.valid)[0]
    training = fit.fit(model, splits, "linear_nce", replace(SETTINGS, lr=1e-4))
    moved = (fit.embed(training.model, splits.valid)[0] * start).sum(1)
    assert (moved > 0.98).all()  # a random start would have nothing in common with it
    assert (moved < 1).any()


def test_a_resume_goes_on_from_the_checkpoint_and_not_from_the_start(splits, tmp_path):
    longer = replace(SETTINGS, epochs=3)
    whole = fit.fit(experiments.untrained("linear_nce", longer, 1, splits), splits, "linear_nce", longer)
    checkpoint = tmp_path / "c.pt"
    model = experiments.untrained("linear_nce", SETTINGS, 1, splits)
    part = fit.fit(model, splits, "linear_nce", SETTINGS, 1, "cpu", checkpoint)
    again = experiments.untrained("linear_nce", longer, 1, splits)
    resumed = fit.fit(again, splits, "linear_nce", longer, 1, "cpu", checkpoint)
    assert [row["loss"] for row in resumed.history] == [row["loss"] for row in whole.history]
    kept = len(part.history)
    assert resumed.history[:kept] == part.history  # with their seconds: taken over, not trained again


def test_more_dimensions_than_linear_cca_has_directions_are_refused(splits):
    model = methods.build("linear_nce", replace(SETTINGS, d=16), 1, shapes(splits))
    with pytest.raises(InputError, match="d = 16 is more than the 15 directions that linear CCA has here: lower d"):
        baselines.start(model, splits)


def test_linear_cca_of_other_pairs_is_computed_anew_even_where_the_digest_is_the_same(splits):
    other = replace(splits, test=made_up_split(80, seed=5))
    first, second = baselines.linear_cca(splits), baselines.linear_cca(other)
    assert first["ranks"] != second["ranks"]
    regrouped = replace(splits, test=replace(splits.test, groups=np.arange(80) // 8))
    assert baselines.linear_cca(regrouped)["metrics"] != first["metrics"]


def test_linear_cca_of_the_same_pairs_is_computed_once(splits, monkeypatch):
    first = baselines.linear_cca(splits)
    monkeypatch.setattr(baselines, "_fit_and_score", lambda splits: pytest.fail("computed again"))
    assert baselines.linear_cca(replace(splits, digest="another")) == first


@pytest.mark.parametrize("damage", ["[]", "{}", '{"components": 9', ""])
def test_what_was_kept_of_linear_cca_is_made_again_where_it_is_damaged(splits, tmp_path, capsys, damage):
    first = baselines.linear_cca(splits)
    (kept,) = (tmp_path / "baselines").iterdir()
    kept.write_text(damage)
    assert baselines.linear_cca(splits) == first
    assert "is damaged; linear CCA is computed again" in capsys.readouterr().err


@pytest.mark.parametrize(("better", "expected"), [("plain", 0.5), ("mirrored", 0.7)])
def test_a_run_with_more_pictures_is_compared_with_the_linear_cca_that_validation_prefers(
    monkeypatch, better, expected
):
    valid = {"plain": 0.5, "mirrored": 0.7 if better == "mirrored" else 0.3}
    monkeypatch.setattr(baselines, "linear_cca", lambda pairs: {"valid_mrr": valid[pairs]})
    monkeypatch.setattr(data, "asked", lambda asked: "mirrored" if asked["mirrored"] else "plain")
    found = experiments.linear_cca({"dataset": "emoji", "mirrored": True}, "mirrored")
    assert found["valid_mrr"] == expected


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, ""),
        ({"mirrored": True}, "mirrored"),
        ({"split": "zero_shot", "mirrored": True}, "zero_shot-mirrored"),
        ({"style": "both"}, "style_both"),
        ({"style": "twemoji", "test_style": "openmoji"}, "from_twemoji"),
        ({"train_pairs": 500}, "pairs_500"),
        ({"collections": "tabler", "train_pairs": 700}, "tabler-train_pairs_700"),
        ({"split": "other"}, "split_other"),
    ],
)
def test_variants_of_the_pairs_have_names(changed, name):
    assert experiments.variant(experiments.USUAL | changed) == name


def test_images_of_sound_and_score_are_flattened_for_linear_maps():
    model = methods.build("linear_nce", SETTINGS, 1, ((1, 4, 5), (1, 3, 2)))
    x, y = model(torch.randn(7, 1, 4, 5), torch.randn(7, 1, 3, 2))
    assert x.shape == y.shape == (7, SETTINGS.d)


def test_splits_are_the_comparisons_that_need_no_other_pictures():
    assert list(experiments.variants("emoji", "splits")) == ["zero_shot", "random", "shuffled"]
    assert experiments.variants("iapr", "splits") == experiments.variants("iapr") == {}
    assert set(experiments.variants("emoji", "splits")) < set(experiments.variants("emoji"))
    with pytest.raises(InputError, match="There is no comparison 'twemoji'"):
        experiments.variants("openclipart", "twemoji")


def wide(splits, d=64, **parameters):
    """What `suited` makes of an embedding of 64 dimensions."""
    return experiments.suited(parameters, splits, replace(SETTINGS, d=d))


def test_an_embedding_is_no_wider_than_a_view_varies_and_says_so(narrow):
    with pytest.warns(UserWarning, match=r"d = 64 is more .* view [12] varies in 10 directions: d = 10 is taken\."):
        parameters, settings = wide(narrow)
    assert (parameters["d"], settings.d) == (10, 10)
    assert experiments.suited(parameters, narrow, settings) == (parameters, settings)  # and warns no more


def test_shares_that_sum_to_one_vary_in_one_direction_less_than_there_are(splits):
    shares = np.random.default_rng(0).dirichlet(np.ones(10), 300).astype(np.float32)
    of_topics = replace(splits, train=replace(splits.train, view1=View(300, (10,), shares.__getitem__)))
    with pytest.warns(UserWarning, match="view 1 varies in 9 directions"):
        assert wide(of_topics)[1].d == 9


def test_few_pairs_narrow_an_embedding_too(splits):
    few = replace(splits, train=made_up_split(50, 1))
    with pytest.warns(UserWarning, match="since there are 50 training pairs: d = 12 is taken"):
        assert wide(few, d=14)[1].d == 12


def test_a_width_that_was_asked_for_is_kept_with_a_warning(splits):
    with pytest.warns(UserWarning, match="since view 2 varies in 15 directions: pass d=15 or less"):
        assert experiments.suited({"d": 20}, splits, replace(SETTINGS, d=20))[1].d == 20


def test_an_embedding_that_fits_is_left_as_it_is(splits):
    assert experiments.suited({"d": 0}, splits, SETTINGS) == ({"d": 0}, SETTINGS)


@pytest.mark.parametrize("method", ["ccal_cont", "ccal_tno"])
def test_the_cca_layer_gains_from_an_embedding_that_a_narrow_view_can_fill(narrow, method):
    found = {}
    for d in (40, 10):
        settings = replace(profiles.settings("quick", "table", method, epochs=12), d=d)
        model = fit.fit(methods.build(method, settings, 1, shapes(narrow)), narrow, method, settings).model
        found[d] = evaluate.mrr(*fit.embed(model, narrow.test))
    assert found[10] > 1.2 * found[40]
