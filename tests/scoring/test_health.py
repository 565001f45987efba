"""Facts about the health report: each thing planted is found, and nothing is found in sound pairs."""

import numpy as np
import pytest

from xmlib import paths
from xmlib.data.own import pairs
from xmlib.data.own.ready import ready
from xmlib.scoring import health

N = 400


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)


def views(noise=0.5):
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(N, 6))
    return [hidden @ draw.normal(size=(6, d)) + noise * draw.normal(size=(N, d)) for d in (20, 10)]


def found(one, other, splits=None):
    read = pairs.read(one, other, quiet=True)
    read.splits = splits or read.splits
    return health.report(ready(read))


def bad(report):
    return [finding.sentence for finding in report.findings if finding.bad]


def test_sound_pairs_have_nothing_bad_and_their_shuffled_ones_score_at_chance():
    report = found(*views())
    assert bad(report) == []
    assert "400 pairs: 280 for training, 40 for validation, 80 for the test." in report.markdown()
    assert "which is chance" in report.markdown()
    assert report.linear["metrics"]["view1_to_view2"]["mrr"] > 5 * report.shuffled["metrics"]["view1_to_view2"]["mrr"]


def test_constant_and_copied_features_are_named():
    one, other = views()
    one[:, 3:6], one[:, 9], other[:, 2] = 7, -2 * one[:, 6] + 1, one[:, 0]
    said = " ".join(bad(found(one, other)))
    assert "view1: 3 of 20 features are constant (number 4, 5, 6)" in said
    assert "view1: 1 features are copies of others (number 10)" in said
    assert "feature 1 of view1 is feature 3 of view2), so the query contains its answer" in said


def test_duplicates_across_a_given_split_are_counted_and_near_ones_too():
    one, other = views()
    splits = ["train"] * 300 + ["valid"] * 50 + ["test"] * 50
    one[360:370] = one[:10]
    one[370:375] = one[10:15] + 0.01
    said = " ".join(bad(found(one, other, splits)))
    assert "view1: 10 of 50 test items are in training too, and 10.0% are 10 times nearer" in said


def test_items_drawn_by_group_leave_no_duplicate_across_the_split():
    one, other = views()
    one[200:] = one[:200]
    report = found(one, other)
    assert not [sentence for sentence in bad(report) if "in training too" in sentence]
    assert "view1: 200 of 400 items are distinct" in report.markdown()


def test_equal_answers_bound_the_score():
    one, _ = views()
    labels = np.arange(N) % 2
    assert "at most 0." in " ".join(bad(found(one, labels + 0.0)))
    assert health._ceiling(["a", "a", "b"]) == pytest.approx((1.5 + 1) / 3)


def test_unrelated_views_are_said_to_be_so():
    one, _ = views()
    other = np.random.default_rng(1).normal(size=(N, 10))
    assert "check that the rows of both views belong together" in " ".join(bad(found(one, other)))


def test_the_chance_correlation_is_that_of_unrelated_gaussian_views():
    draw = np.random.default_rng(0)
    n, p, q = 2000, 300, 100
    one, other = (np.linalg.qr(x - x.mean(0))[0] for x in (draw.normal(size=(n, p)), draw.normal(size=(n, q))))
    seen = np.linalg.svd(one.T @ other, compute_uv=False)[0]
    assert health.chance_correlation(n, p, q) == pytest.approx(seen, abs=0.01)


def test_the_pairs_wanted_are_the_fewest_that_bring_chance_down():
    wanted = health.pairs_wanted(128, 10)
    assert health.chance_correlation(wanted, 128, 10) < health.NOISE <= health.chance_correlation(wanted - 1, 128, 10)


def test_too_many_features_for_the_pairs_are_said_to_be_so():
    one, other = views()
    wide = np.concatenate([one, np.random.default_rng(2).normal(size=(N, 300))], axis=1)
    assert "would seem to correlate by 1.00 in 280 pairs" in " ".join(bad(found(wide, other)))
