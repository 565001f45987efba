"""The evaluation protocol as facts, against slow literal references."""

from itertools import permutations

import numpy as np
import pytest
import torch
from conftest import LargestTensor

from xmlib import evaluate
from xmlib.errors import InputError


def unit_rows(n, d=4, seed=0):
    raw = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(raw, dim=1)


def test_ranks_equal_a_literal_count():
    x, y = unit_rows(70, seed=1), unit_rows(70, seed=2)
    scores = x @ y.T
    literal = [1 + sum(bool(scores[i, j] > scores[i, i]) for j in range(70)) for i in range(70)]
    assert evaluate.ranks(x, y).tolist() == literal


def test_the_size_of_the_chunks_does_not_matter():
    x, y = unit_rows(50, seed=1), unit_rows(50, seed=2)
    for one, other in zip(evaluate.standing(x, y, chunk=7), evaluate.standing(x, y, chunk=50), strict=True):
        assert (one == other).all()
    assert evaluate.hubness(x, y, chunk=7) == pytest.approx(evaluate.hubness(x, y, chunk=50))


def test_no_array_of_all_pairs_of_scores_is_kept():
    n = 6000
    with LargestTensor() as largest:
        evaluate.standing(unit_rows(n), unit_rows(n, seed=1))
    assert largest.numel <= 512 * n


def test_ties_count_in_expectation_over_their_random_order():
    better, tied = 2, 3  # the right candidate shares places 3, 4, 5
    places = [better + 1 + order.index(0) for order in permutations(range(tied))]
    b, t = np.array([better]), np.array([tied])
    assert evaluate.expected_ranks(b, t)[0] == pytest.approx(np.mean(places))
    assert evaluate.reciprocal_ranks(b, t)[0] == pytest.approx(np.mean([1 / p for p in places]))
    metrics = evaluate.metrics_of(b, t)
    for k in evaluate.CUTOFFS:
        assert metrics[f"r{k}"] == pytest.approx(100 * np.mean([p <= k for p in places]))


def test_a_constant_embedding_scores_exactly_at_chance():
    n = 300
    x = torch.nn.functional.normalize(torch.ones(n, 7), dim=1)
    found, chance = evaluate.retrieval_metrics(x, x), evaluate.chance_metrics(n)
    for name in ("r1", "r5", "r10", "r25", "median_rank", "mean_rank", "mrr"):
        assert found[name] == pytest.approx(chance[name], abs=1e-12), name


def test_chance_is_what_random_embeddings_score_on_average():
    n = 40
    found = [evaluate.retrieval_metrics(unit_rows(n, 50, s), unit_rows(n, 50, s + 1000)) for s in range(200)]
    chance = evaluate.chance_metrics(n)
    for name in ("r10", "mean_rank", "mrr"):
        values = [f[name] for f in found]
        assert abs(np.mean(values) - chance[name]) < 4 * np.std(values) / len(values) ** 0.5


def test_perfect_embeddings_score_perfectly():
    x = unit_rows(30)
    metrics = evaluate.retrieval_metrics(x, x)
    assert (metrics["r1"], metrics["median_rank"], metrics["mrr"]) == (100, 1, 1)
    assert metrics["mean_distance"] == pytest.approx(0, abs=1e-12)


def test_a_correction_changes_the_scores_that_are_ranked_and_counted():
    x, y = unit_rows(30, seed=1), unit_rows(30, seed=2)
    shift = torch.linspace(0, 0.5, 30, dtype=torch.float64)
    literal = x @ y.T - shift
    better = [sum(bool(literal[i, j] > literal[i, i]) for j in range(30)) for i in range(30)]
    assert evaluate.standing(x, y, chunk=7, correct=lambda scores: scores - shift)[0].tolist() == better
    only_first = torch.where(torch.arange(30) < 10, 0.0, 9.0)  # these ten are everyone's ten best
    assert evaluate.hubness(x, y, correct=lambda scores: scores - only_first) == pytest.approx(1 / 2**0.5)


def test_directions_are_named_after_what_a_data_set_pairs():
    assert evaluate.direction_names("audio_score") == evaluate.DIRECTIONS
    assert evaluate.direction_names("emoji") == {"view1_to_view2": "image → text", "view2_to_view1": "text → image"}


def test_a_record_gives_back_the_reciprocal_ranks_ties_included():
    x = torch.cat([unit_rows(20), unit_rows(20)])  # every candidate exists twice
    scores = evaluate.both_ways(x, x.flip(0).flip(0))
    better, tied = evaluate.standing(x, x)
    assert (tied == 2).all()
    again = evaluate.recorded_reciprocal_ranks(scores, "view2_to_view1")
    np.testing.assert_allclose(again, evaluate.reciprocal_ranks(better, tied))
    assert scores["metrics"]["view1_to_view2"]["mrr"] == pytest.approx(again.mean())


def test_the_bootstrap_interval_matches_the_normal_one_where_that_holds():
    values = np.random.default_rng(0).normal(size=4000)
    low, high = evaluate.bootstrap_interval(values)
    expected = 1.96 * values.std() / 4000**0.5
    assert values.mean() - low == pytest.approx(expected, rel=0.1)
    assert high - values.mean() == pytest.approx(expected, rel=0.1)


def test_queries_that_move_together_widen_the_interval():
    groups = np.repeat(np.arange(50), 20)
    values = np.random.default_rng(0).normal(size=50)[groups]
    alone, together = evaluate.bootstrap_interval(values), evaluate.bootstrap_interval(values, groups)
    assert (together[1] - together[0]) > 3 * (alone[1] - alone[0])


def literal_bootstrap(values, groups, resamples, seed):
    """Means of (seeds, n) values with whole seeds and whole groups drawn anew, by explicit loops."""
    rng, means = np.random.default_rng(seed), []
    for _ in range(resamples):
        seeds = rng.integers(len(values), size=len(values))
        drawn = rng.choice(np.unique(groups), size=len(np.unique(groups)))
        queries = np.concatenate([np.flatnonzero(groups == g) for g in drawn])
        means.append(values[np.ix_(seeds, queries)].mean())
    return np.quantile(means, [0.025, 0.975])


def test_the_interval_of_a_table_draws_seeds_and_groups_of_queries():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, size=150)
    values = rng.normal(size=150) + rng.normal(size=40)[groups] + rng.normal(size=(6, 1))
    found = evaluate.bootstrap_interval(values, groups, resamples=4000)
    literal = literal_bootstrap(values, groups, 4000, seed=1)
    np.testing.assert_allclose(found, literal, atol=0.05 * (literal[1] - literal[0]))


def test_the_interval_of_one_seed_is_that_of_its_queries_to_the_last_digit():
    values, groups = np.random.default_rng(0).random(100), np.arange(100) // 3
    assert evaluate.bootstrap_interval(values[None], groups) == evaluate.bootstrap_interval(values, groups)


def test_seeds_that_differ_widen_the_interval_and_equal_ones_leave_it():
    rng = np.random.default_rng(0)
    queries = rng.normal(size=400)
    alone = evaluate.bootstrap_interval(queries)
    assert evaluate.bootstrap_interval(np.tile(queries, (5, 1))) == pytest.approx(alone)
    low, high = evaluate.bootstrap_interval(queries + rng.normal(size=(5, 1)))
    assert high - low > 3 * (alone[1] - alone[0])


def test_the_interval_over_seeds_is_students():
    from scipy.stats import t

    values = np.array([0.41, 0.44, 0.40, 0.47, 0.43])
    expected = t.interval(0.9, 4, loc=values.mean(), scale=values.std(ddof=1) / 5**0.5)
    assert evaluate.seed_interval(values, level=0.9) == pytest.approx(expected)


def test_the_interval_over_seeds_holds_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(size=(2000, 4))
    intervals = np.array([evaluate.seed_interval(row) for row in draws])
    covered = np.mean((intervals[:, 0] < 0) & (intervals[:, 1] > 0))
    assert covered == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 2000) ** 0.5)


def test_one_seed_gives_no_interval_over_seeds():
    with pytest.raises(InputError, match="at least two seeds, but got 1"):
        evaluate.seed_interval([0.4])


def test_a_paired_comparison_sees_what_an_unpaired_one_does_not():
    rng = np.random.default_rng(0)
    base = rng.normal(size=500)
    better = base + 0.05 + 0.01 * rng.normal(size=500)
    low, _ = evaluate.paired_interval(better, base)
    assert low > 0
    assert evaluate.bootstrap_interval(better)[0] < base.mean()


def test_hubness_is_the_skewness_of_how_often_a_candidate_is_found():
    from scipy.stats import skew

    x, y = unit_rows(60, seed=1), unit_rows(60, seed=2)
    top = np.argsort(-(x @ y.T).numpy(), axis=1)[:, :10]
    assert evaluate.hubness(x, y) == pytest.approx(skew(np.bincount(top.ravel(), minlength=60)))


def test_a_hub_raises_hubness():
    x, y = unit_rows(200, 20, seed=1), unit_rows(200, 20, seed=2)
    hub = y.clone()
    hub[:5] = torch.nn.functional.normalize(x.mean(0), dim=0)
    drawn = torch.nn.functional.normalize(x + 3 * x.mean(0), dim=1)
    assert evaluate.hubness(drawn, hub) > evaluate.hubness(x, y) + 1


@pytest.mark.parametrize(("x", "y"), [(unit_rows(3), unit_rows(4)), (unit_rows(0), unit_rows(0))])
def test_unequal_or_empty_sides_are_refused(x, y):
    with pytest.raises(InputError, match="as many queries as candidates"):
        evaluate.ranks(x, y)


def test_embeddings_that_are_not_finite_are_refused():
    x = unit_rows(5)
    x[2, 1] = torch.nan
    with pytest.raises(InputError, match="NaN"):
        evaluate.ranks(x, unit_rows(5))


def test_rows_that_are_not_of_unit_length_are_refused_since_their_products_are_no_cosines():
    x, longer = unit_rows(5), unit_rows(5, seed=1)
    longer[3] *= 1.02
    for call in (evaluate.ranks, evaluate.hubness, evaluate.retrieval_metrics):
        with pytest.raises(InputError, match=r"1 of 5 candidates .* first row 3 of length 1\.02, .*normalize"):
            call(x, longer)
        with pytest.raises(InputError, match="5 of 5 queries are not of unit length, first row 0 of length 0,"):
            call(0 * x, x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rows_scaled_in_half_precision_are_of_unit_length(dtype):
    for rows in (unit_rows(300, 2), unit_rows(300, 700), torch.ones(3, 700), torch.ones(3, 11)):
        half = torch.nn.functional.normalize(3 * rows.to(dtype), dim=1)
        assert len(evaluate.ranks(half, half)) == len(rows)


def test_comparing_methods_on_different_queries_is_refused():
    with pytest.raises(InputError, match="3 and 4"):
        evaluate.paired_interval(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match="5×3 and 2×3"):
        evaluate.paired_interval(np.ones((5, 3)), np.ones((2, 3)))
