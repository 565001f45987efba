"""The retriever among scikit-learn's tools: its own checks, pipelines, searches and clones."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from xmlib import evaluate
from xmlib.retriever import TwoViewRetriever

DOK = "Can't check dok sparse matrix for nan or inf"  # scikit-learn's own remark on one of the formats that it tries


def views(n=200, seed=0):
    maps, random = np.random.default_rng(99), np.random.default_rng(seed)
    z = random.normal(size=(n, 5))
    return tuple(z @ maps.normal(size=(5, w)) + 0.3 * random.normal(size=(n, w)) for w in (12, 7))


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("xmlib.paths.RUNS", tmp_path / "runs")


@pytest.mark.filterwarnings(f"ignore:{DOK}:UserWarning:sklearn")
@parametrize_with_checks([TwoViewRetriever(epochs=2)])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


def test_the_score_is_the_mean_reciprocal_rank_of_both_directions():
    fitted = TwoViewRetriever(epochs=3).fit(*views())
    new = views(50, seed=1)
    found = fitted.retriever_.evaluate(*new)
    assert fitted.score(*new) == np.mean([found[direction]["mrr"] for direction in evaluate.DIRECTIONS])


def test_both_views_are_embedded_by_what_the_retriever_embeds_with():
    fitted = TwoViewRetriever(method="linear_cca").fit(*views())
    one, two = views(9, seed=1)
    x, y = fitted.transform(one, two)
    np.testing.assert_array_equal(x, fitted.transform(one))
    np.testing.assert_array_equal(y, fitted.retriever_.embed2(two))
    assert fitted.get_feature_names_out().tolist() == [f"twoviewretriever{i}" for i in range(x.shape[1])]


def test_a_grid_search_over_both_views_finds_the_better_setting():
    search = GridSearchCV(TwoViewRetriever(method="linear_cca"), {"d": [1, 5]}, cv=3).fit(*views())
    assert search.best_params_ == {"d": 5}
    assert search.best_score_ > 3 * evaluate.chance_metrics(67)["mrr"]


def test_a_pipeline_prepares_the_first_view():
    steps = make_pipeline(PCA(6, random_state=0), TwoViewRetriever(method="linear_cca"))
    one, two = views(60, seed=1)
    assert steps.fit(*views()).score(one, two) > 5 * evaluate.chance_metrics(60)["mrr"]
    assert steps.transform(one).shape[0] == 60


def test_texts_are_a_view_in_cross_validation():
    numbers = np.random.default_rng(0).integers(0, 4, size=(120, 2))
    colours, things = ("red", "green", "blue", "black"), ("fox", "house", "river", "tree")
    texts = [f"{colours[a]} {things[b]}" for a, b in numbers]
    rows = np.concatenate([np.eye(4)[numbers[:, 0]], np.eye(4)[numbers[:, 1]]], axis=1)
    scores = cross_val_score(TwoViewRetriever(method="linear_cca"), texts, rows, cv=3)
    assert scores.min() > 3 * evaluate.chance_metrics(40)["mrr"]


def test_a_clone_has_the_parameters_and_nothing_that_was_learned():
    fitted = TwoViewRetriever(d=3, epochs=2).fit(*views())
    again = clone(fitted)
    assert again.get_params() == fitted.get_params()
    assert not hasattr(again, "retriever_")
    np.testing.assert_array_equal(again.fit(*views()).transform(views()[0]), fitted.transform(views()[0]))
