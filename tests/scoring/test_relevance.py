"""Several right candidates, neighbours inside a view and pools as facts, against slow literal references."""

from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from conftest import LargestTensor

from xmlib import evaluate
from xmlib.errors import InputError
from xmlib.scoring import baselines, relevance

FORTH, BACK = evaluate.DIRECTIONS


def unit_rows(n, d=4, seed=0):
    raw = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(raw, dim=1)


def angles(degrees):
    """Unit vectors in the plane."""
    radians = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def constant(n):
    return torch.nn.functional.normalize(torch.ones(n, 5), dim=1)


def literal_precision(order, right):
    """Average precision of a list of candidates, best first."""
    hits, total = 0, 0.0
    for place, candidate in enumerate(order, start=1):
        if candidate in right:
            hits += 1
            total += hits / place
    return total / len(right)


def orders_of_ties(scores):
    """Every order of the candidates that the scores allow, best first; ties in each of their orders."""
    falling = sorted(scores, reverse=True)
    return [order for order in permutations(range(len(scores))) if [scores[c] for c in order] == falling]


# scores of one query that are equal in places, and the candidates that are right
TIED = [
    ([0.9, 0.5, 0.5, 0.5, 0.1, 0.1], {1, 4}),
    ([0.9, 0.5, 0.5, 0.5, 0.1, 0.1], {0, 1, 2, 5}),
    ([0.3, 0.3, 0.3, 0.3, 0.3, 0.3], {2, 3, 4}),
    ([0.3, 0.3, 0.8, 0.8, 0.8, 0.8], {0, 1}),
    ([0.3, 0.3, 0.8, 0.8, 0.8, 0.8], {2, 3, 4, 5}),
]


def embedded(scores, right):
    """A query and candidates with these cosines, and their keys."""
    s = torch.tensor(scores, dtype=torch.float64)
    keys = [int(candidate in right) for candidate in range(len(scores))]
    return torch.tensor([[1.0, 0.0]]).double(), torch.stack([s, (1 - s**2).sqrt()], dim=1), [1], keys


def test_average_precision_equals_a_literal_walk_down_each_list():
    x, y = unit_rows(70, seed=1), unit_rows(50, seed=2)
    rng = np.random.default_rng(0)
    x_keys, y_keys = rng.integers(0, 6, 70), rng.integers(0, 6, 50)
    orders = np.argsort(-(x @ y.T).numpy(), axis=1)
    literal = [literal_precision(o, set(np.flatnonzero(y_keys == k))) for o, k in zip(orders, x_keys, strict=True)]
    np.testing.assert_allclose(relevance.average_precisions(x, y, x_keys, y_keys, chunk=16), literal)


@pytest.mark.parametrize(("scores", "right"), TIED)
def test_average_precision_is_its_mean_over_every_order_of_the_ties(scores, right):
    literal = np.mean([literal_precision(order, right) for order in orders_of_ties(scores)])
    assert relevance.average_precisions(*embedded(scores, right))[0] == pytest.approx(literal, abs=1e-12)


def test_average_precision_of_one_right_candidate_is_the_reciprocal_rank():
    x, y = unit_rows(40, seed=1), torch.cat([unit_rows(20, seed=2)] * 2)  # every candidate exists twice
    expected = evaluate.reciprocal_ranks(*evaluate.standing(x, y))
    np.testing.assert_allclose(relevance.average_precisions(x, y, range(40), range(40)), expected)


def test_a_constant_embedding_has_exactly_the_precision_of_chance():
    labels = np.random.default_rng(0).integers(0, 7, 90)
    found = relevance.mean_average_precision(constant(90), constant(90), labels)[BACK]
    assert found["map"] == pytest.approx(found["map_chance"], abs=1e-12)


def test_the_precision_of_chance_is_what_random_orders_have_on_average():
    labels = np.array([0] * 5 + [1] * 15)
    rng = np.random.default_rng(0)
    values = [literal_precision(rng.permutation(20), {0, 1, 2, 3, 4}) for _ in range(4000)]
    chance = relevance.chance_precisions(labels, labels)[0]
    assert abs(np.mean(values) - chance) < 4 * np.std(values) / 4000**0.5


def test_the_mean_average_precision_is_that_of_each_direction_and_labels_may_be_words():
    x, y = unit_rows(60, seed=1), unit_rows(60, seed=2)
    codes = np.random.default_rng(0).integers(0, 5, 60)
    found = relevance.mean_average_precision(x, y, np.array(["ab", "cd", "ef", "gh", "ij"])[codes])
    assert found[BACK]["map"] == pytest.approx(relevance.average_precisions(y, x, codes, codes).mean())
    low, high = found[FORTH]["map_interval"]
    assert low < found[FORTH]["map"] < high


def test_a_record_has_average_precision_where_there_are_labels_and_all_else_unchanged():
    x, y = unit_rows(60, seed=1), unit_rows(60, seed=2)
    labels, groups = np.arange(60) % 7, np.arange(60) // 2
    plain, more = relevance.both_ways(x, y, groups=groups), relevance.both_ways(x, y, labels, groups)
    assert plain == evaluate.both_ways(x, y, groups)
    for way, found in relevance.mean_average_precision(x, y, labels, groups).items():
        assert more["metrics"][way] == plain["metrics"][way] | found
    chance = baselines.chance(60, labels)["metrics"][FORTH]
    assert chance == evaluate.chance_metrics(60) | {"map": pytest.approx(more["metrics"][FORTH]["map_chance"])}


def test_corrected_scores_are_those_that_precision_is_taken_of():
    x, y = unit_rows(20, seed=1), unit_rows(20, seed=2)
    labels, shift = np.arange(20) % 4, 3 * torch.linspace(0, 1, 20, dtype=torch.float64)
    order = np.argsort(-((x @ y.T) - shift).numpy(), axis=1)
    literal = [literal_precision(order[i], set(np.flatnonzero(labels == labels[i]))) for i in range(20)]
    found = relevance.average_precisions(x, y, labels, labels, correct=lambda scores: scores - shift)
    np.testing.assert_allclose(found, literal)


def test_no_array_of_all_pairs_of_scores_is_kept():
    n = 2000
    with LargestTensor() as largest:
        relevance.average_precisions(unit_rows(n), unit_rows(n, seed=1), np.arange(n) // 50, np.arange(n) // 50)
        relevance.coherence(unit_rows(n), np.arange(1, n + 1)[:, None] % n, np.arange(n) // 50, k=1)
    assert largest.numel <= evaluate.queries_at_once(n) * n < n * n / 3


@pytest.mark.parametrize(("scores", "right"), TIED)
def test_the_first_right_candidate_is_counted_over_every_order_of_the_ties(scores, right):
    places = [1 + min(order.index(c) for c in right) for order in orders_of_ties(scores)]
    stands = relevance.standing_of_any(*embedded(scores, right))
    metrics = relevance.any_right_metrics(*stands)
    assert metrics["mean_rank"] == pytest.approx(np.mean(places), abs=1e-9)
    assert metrics["mrr"] == pytest.approx(np.mean([1 / p for p in places]), abs=1e-9)
    for k in evaluate.CUTOFFS:
        assert metrics[f"r{k}"] == pytest.approx(100 * np.mean([p <= k for p in places]), abs=1e-9)


def test_one_right_candidate_a_query_gives_the_plain_protocol():
    x, y = unit_rows(60, seed=1), torch.cat([unit_rows(30, seed=2)] * 2)
    plain, any_right = evaluate.standing(x, y), relevance.standing_of_any(x, y, range(60), range(60), chunk=17)
    assert [s.tolist() for s in any_right] == [*(s.tolist() for s in plain), [1] * 60]
    assert relevance.any_right_metrics(*any_right) == pytest.approx(evaluate.metrics_of(*plain))


def test_an_image_is_found_by_any_of_its_captions_and_a_caption_finds_its_one_image():
    images, texts = angles([0.0, 90.0]), angles([75.0, 30.0, 100.0])
    found = relevance.captions_both_ways(images, texts, [0, 0, 1])
    assert found[FORTH]["r1"] == 100  # 0° finds 30°, one of its two, and 90° finds 100°
    assert found[BACK]["r1"] == pytest.approx(100 * 2 / 3)  # 75° takes the wrong image


def test_the_metrics_of_captions_equal_a_literal_count():
    images, texts = unit_rows(30, seed=1), unit_rows(90, seed=2)
    owner = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 3))
    scores = (images @ texts.T).numpy()
    forth = [1 + min(sum(row > row[j]) for j in np.flatnonzero(owner == i)) for i, row in enumerate(scores)]
    back = [1 + sum(column > column[owner[j]]) for j, column in enumerate(scores.T)]
    found = relevance.captions_both_ways(images, texts, owner)
    for direction, ranks in ((FORTH, forth), (BACK, back)):
        assert found[direction]["median_rank"] == np.median(ranks)
        assert found[direction]["mrr"] == pytest.approx(np.mean(1 / np.array(ranks)))
        assert found[direction]["r5"] == pytest.approx(100 * np.mean(np.array(ranks) <= 5))


def test_five_folds_are_the_mean_over_five_galleries_of_a_fifth_of_the_images():
    images, texts = unit_rows(20, seed=1), unit_rows(60, seed=2)
    owner = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 3))
    parts = []
    for fold in range(5):
        own = (owner >= 4 * fold) & (owner < 4 * fold + 4)
        parts.append(relevance.captions_both_ways(images[4 * fold : 4 * fold + 4], texts[own], owner[own] - 4 * fold))
    found = relevance.captions_both_ways(images, texts, owner, folds=5)
    for direction in evaluate.DIRECTIONS:
        for metric in ("r1", "median_rank", "mrr"):
            assert found[direction][metric] == pytest.approx(np.mean([p[direction][metric] for p in parts]))


def test_a_constant_embedding_of_captions_scores_exactly_at_chance():
    owner = np.repeat(np.arange(12), [1, 2, 3] * 4)
    found = relevance.captions_both_ways(constant(12), constant(24), owner)
    assert found[FORTH] == pytest.approx(relevance.chance_of_any(np.arange(12), owner))
    assert found[BACK]["mrr"] == pytest.approx(evaluate.chance_metrics(12)["mrr"])


def test_coherence_equals_a_literal_count_of_neighbours():
    x, texts = unit_rows(50, seed=1), unit_rows(50, seed=2)
    labels = np.random.default_rng(0).integers(0, 4, 50)
    near = np.array([[j for j in np.argsort(-row) if j != i] for i, row in enumerate((texts @ texts.T).numpy())])
    own = np.array([[j for j in np.argsort(-row) if j != i][:6] for i, row in enumerate((x @ x.T).numpy())])
    found = relevance.coherence(x, near, labels, k=6, chunk=16)
    assert found["text"] == pytest.approx(np.mean([len(set(own[i]) & set(near[i, :6])) / 6 for i in range(50)]))
    assert found["label"] == pytest.approx(np.mean(labels[own] == labels[:, None]))
    assert found["label_shares"] == pytest.approx(np.mean(labels[own] == labels[:, None], axis=1))


def test_coherence_is_whole_in_the_space_of_the_texts_themselves():
    texts = unit_rows(40, seed=2)
    near = np.array([[j for j in np.argsort(-row) if j != i] for i, row in enumerate((texts @ texts.T).numpy())])
    assert relevance.coherence(texts, near, k=5)["text"] == 1


def test_the_coherence_of_a_constant_embedding_is_exactly_that_of_chance():
    near = (np.arange(30)[:, None] + np.arange(1, 9)) % 30
    found = relevance.coherence(constant(30), near, np.arange(30) % 4, k=8)
    assert found["text"] == pytest.approx(found["text_chance"], abs=1e-12)
    assert found["label"] == pytest.approx(found["label_chance"], abs=1e-12)


def test_equal_neighbours_share_the_last_places_by_lot():
    x = angles([0.0, 10.0, 20.0, -20.0, 90.0])  # from 0°: first 10°, then 20° or -20°
    near = np.array([[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]])
    values = relevance._share(x, lambda rows: relevance._marked(torch.from_numpy(near)[rows], 5), 2, 512)
    assert values[0] == pytest.approx((1 + 0.5) / 2)


@pytest.mark.parametrize("ways", [2, 5, 12, 40])
def test_the_accuracy_in_pools_is_what_sampled_pools_give(ways):
    x, y = unit_rows(40, seed=1), torch.cat([unit_rows(20, seed=2)] * 2)  # every candidate exists twice: ties
    scores, rng = (x @ y.T).numpy(), np.random.default_rng(0)
    exact = relevance.pool_accuracies(*evaluate.standing(x, y), 40, ways)
    for query in (0, 7, 23):
        right, others = scores[query, query], np.delete(scores[query], query)
        drawn = rng.permuted(np.tile(others, (3000, 1)), axis=1)[:, : ways - 1]
        lost, level = (drawn > right + 1e-9).any(1), (abs(drawn - right) < 1e-9).sum(1)
        won = np.where(lost, 0, 1 / (1 + level))
        assert abs(won.mean() - exact[query]) <= 4 * (exact[query] * (1 - exact[query]) / 3000) ** 0.5 + 1e-9


@pytest.mark.parametrize(("better", "tied"), [(0, 1), (2, 1), (1, 3), (0, 7), (6, 1)])
def test_the_accuracy_in_pools_is_the_mean_over_every_pool(better, tied):
    others = [1] * better + [0] * (tied - 1) + [-1] * (7 - better - tied)  # above, beside and below the right one
    pools = list(combinations(others, 3))
    literal = np.mean([0 if 1 in pool else 1 / (1 + pool.count(0)) for pool in pools])
    exact = relevance.pool_accuracies(np.array([better]), np.array([tied]), 7, 4)
    assert exact[0] == pytest.approx(literal, abs=1e-12)


def test_a_pool_of_all_candidates_is_the_first_rank_and_a_constant_embedding_guesses():
    x = unit_rows(50, seed=1)
    y = torch.nn.functional.normalize(unit_rows(50, seed=2) + x, dim=1)
    whole = relevance.pool_accuracy(x, y, ways=50)
    assert whole[FORTH]["accuracy"] == pytest.approx(evaluate.retrieval_metrics(x, y)["r1"])
    guess = relevance.pool_accuracy(constant(300), constant(300), ways=7)[BACK]
    assert guess["accuracy"] == pytest.approx(guess["accuracy_chance"], abs=1e-9)
    assert guess["accuracy_chance"] == 100 / 7


def test_without_near_twins_any_member_of_the_group_is_the_right_answer_itself():
    x, y = unit_rows(30, seed=1), unit_rows(30, seed=2)
    found, strict = relevance.twins(x, y, np.arange(30), np.eye(30)), evaluate.both_ways(x, y)
    assert (found["in_group"], found["same_text"], found["ceiling"]["mrr"]) == (0, 0, 1)
    for way, metrics in found["metrics"].items():
        for name, value in metrics.items():
            assert value == pytest.approx(strict["metrics"][way][name]), name


def test_near_twins_count_as_right_where_any_member_of_the_group_does():
    x, y, groups = unit_rows(40, seed=1), unit_rows(40, seed=2), np.arange(40) // 4
    found = relevance.twins(x, y, groups, np.eye(40))
    orders = np.argsort(-(y @ x.T).numpy(), axis=1)  # texts ask, pictures answer
    literal = [1 / (1 + np.flatnonzero(groups[order] == groups[i])[0]) for i, order in enumerate(orders)]
    assert found["metrics"][BACK]["mrr"] == pytest.approx(np.mean(literal))
    assert found["in_group"] == 40
    again = relevance.reciprocal_ranks_of_any(*map(np.array, found["standing"][BACK]))
    assert again == pytest.approx(literal)


def test_a_function_of_the_text_that_knows_every_picture_reaches_the_ceiling_and_no_more():
    texts = np.array([[1, 0], [1, 0], [0, 1], [0, 2], [1, 0]])
    pictures = unit_rows(5, 8)
    known = torch.stack([pictures[[0, 1, 4]].mean(0) if i in (0, 1, 4) else pictures[i] for i in range(5)])
    embedded = torch.nn.functional.normalize(known, dim=1)  # the same for the same text
    found = relevance.twins(pictures, embedded, np.arange(5), texts)
    assert found["same_text"] == 3
    assert found["ceiling"]["mrr"] == pytest.approx((3 * (1 + 1 / 2 + 1 / 3) / 3 + 2) / 5)
    assert found["ceiling"]["r1"] == pytest.approx(100 * (3 * 1 / 3 + 2) / 5)
    for way in (FORTH, BACK):
        assert found["metrics"][way]["mrr"] == pytest.approx(found["ceiling"]["mrr"])


BAD_INPUT = {
    "choose ways from 2 to 5": lambda x: relevance.pool_accuracy(x, x, ways=6),
    "A pool of 1 cannot": lambda x: relevance.pool_accuracy(x, x, ways=1),
    r"each of the 5 queries, but got \(4,\)": lambda x: relevance.mean_average_precision(x, x, range(4)),
    "2 queries have no right candidate, first that of key 7": lambda x: relevance.standing_of_any(
        x, x, [7, 8, 0, 1, 2], range(5)
    ),
    "5 images cannot be cut into 2": lambda x: relevance.captions_both_ways(x, x, range(5), folds=2),
    "must lie in 0 to 4, but holds 1 to 5": lambda x: relevance.captions_both_ways(x, x, range(1, 6)),
    "1 queries have no right candidate": lambda x: relevance.captions_both_ways(x, x, [0, 0, 1, 2, 3]),
    "choose k from 1 to 4": lambda x: relevance.coherence(x, labels=range(5), k=5),
    "at least 2 items for each of 5": lambda x: relevance.coherence(x, np.ones((5, 1), int), k=2),
    "none its own": lambda x: relevance.coherence(x, np.zeros((5, 2), int), k=2),
    "padding such as -1": lambda x: relevance.coherence(x, -np.ones((5, 2), int), k=2),
    "NaN": lambda x: relevance.mean_average_precision(x * torch.nan, x, range(5)),
}


@pytest.mark.parametrize("message", BAD_INPUT)
def test_what_cannot_be_scored_is_refused_by_name(message):
    with pytest.raises(InputError, match=message):
        BAD_INPUT[message](unit_rows(5))
