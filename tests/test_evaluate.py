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


@pytest.mark.parametrize("chunk", [1, 7, 50, 64, None])
def test_the_size_of_the_chunks_changes_no_rank_no_tie_and_no_hubness(chunk):
    x, y = unit_rows(150, 48, seed=1).float(), unit_rows(75, 48, seed=2).float().repeat(2, 1)  # candidates come twice
    scores = x.double() @ y.double().T
    excess = scores - scores.diagonal().unsqueeze(1)
    better, tied, skewness = evaluate.standing_and_hubness(x, y, chunk)
    assert better.tolist() == (excess > evaluate.TIE).sum(1).tolist()
    assert tied.tolist() == (excess.abs() <= evaluate.TIE).sum(1).tolist() == [2] * 150
    assert [a.tolist() for a in evaluate.standing(x, y, chunk)] == [better.tolist(), tied.tolist()]
    assert evaluate.hubness(x, y, chunk=chunk) == skewness == evaluate.hubness(x, y, chunk=31)


def test_a_chunk_is_as_many_queries_as_its_memory_holds_and_never_just_a_few():
    n = 10_000
    memory = 8 * n * evaluate.queries_at_once(n)
    assert evaluate.CHUNK_BYTES - 8 * n < memory <= evaluate.CHUNK_BYTES
    assert evaluate.queries_at_once(10**6) == evaluate.FEWEST_QUERIES


def test_ranks_of_embeddings_that_are_still_trained_can_be_taken():
    x, y = unit_rows(30, seed=1), unit_rows(30, seed=2)
    assert evaluate.ranks(x.clone().requires_grad_(), y).tolist() == evaluate.ranks(x, y).tolist()


def test_no_array_of_all_pairs_of_scores_is_kept():
    n = 6000
    with LargestTensor() as largest:
        evaluate.standing(unit_rows(n), unit_rows(n, seed=1))
    assert largest.numel <= evaluate.queries_at_once(n) * n < n * n / 4


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
    assert evaluate.standing_and_hubness(x, y, correct=lambda scores: scores - only_first)[2] == pytest.approx(0.5**0.5)


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
    with pytest.raises(InputError, match="as many rows in one view as in the other"):
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
