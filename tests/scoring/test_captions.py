"""Scores where several pairs share an item, as a picture has captions: any of these is right, and it is asked once."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from xmlib.evaluate import DIRECTIONS
from xmlib.scoring import captions, details, relevance

FORTH, BACK = DIRECTIONS


def made(sizes=(1, 3, 2, 5, 1, 4), d=3, seed=0):
    """Embeddings of pictures with so many captions each, mixed, and the picture of each pair."""
    draw = np.random.default_rng(seed)
    item = draw.permutation(np.repeat(np.arange(len(sizes)), sizes))
    pictures = normalize(torch.from_numpy(draw.normal(size=(len(sizes), d))))
    return pictures[item], normalize(torch.from_numpy(draw.normal(size=(len(item), d)))), item


def test_two_pictures_with_two_captions_each_by_hand():
    x = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    y = torch.tensor([[0.0, 1], [0.6, 0.8], [0.8, 0.6], [1, 0]])  # the last is what the first picture is nearest to
    found = captions.both_ways(x, y, 1, [0, 0, 1, 1])
    assert found["metrics"][FORTH]["mrr"] == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert found["metrics"][BACK]["mrr"] == pytest.approx(1 / 2)  # every caption is nearer to the other of two pictures
    assert found["ranks"] == {FORTH: [3, 3, 3, 3], BACK: [2, 2, 2, 2]}
    assert [found["metrics"][way]["queries"] for way in DIRECTIONS] == [2, 4]


@pytest.mark.parametrize("view", [1, 2])
def test_metrics_are_those_of_the_protocol_of_captions_whichever_view_has_the_pictures(view):
    x, y, item = made()
    first = np.unique(item, return_index=True)[1]
    protocol = relevance.captions_both_ways(x[first], y, item)
    ways = (FORTH, BACK) if view == 1 else (BACK, FORTH)
    found = captions.both_ways(*((x, y) if view == 1 else (y, x)), view, item)["metrics"]
    for way, own in zip(ways, DIRECTIONS, strict=True):
        assert {name: found[way][name] for name in protocol[own]} == pytest.approx(protocol[own])


def test_where_no_item_is_shared_the_scores_are_those_of_pairs():
    x, y, item = made(sizes=(1,) * 9)
    found, strict = captions.both_ways(x, y, 1, item, item % 2), relevance.both_ways(x, y, item % 2)
    for way in DIRECTIONS:
        names = ("r1", "r10", "median_rank", "mrr", "map", "mean_distance")
        assert [found["metrics"][way][name] for name in names] == pytest.approx(
            [strict["metrics"][way][name] for name in names]
        )
        assert found["ranks"][way] == strict["ranks"][way]


@pytest.mark.parametrize("view", [1, 2])
def test_the_mean_over_pairs_of_reciprocal_ranks_is_the_mrr_over_queries(view):
    x, y, item = made()
    found = captions.both_ways(*((x, y) if view == 1 else (y, x)), view, item)
    for way in DIRECTIONS:
        assert len(found["reciprocal"][way]) == len(item)
        assert np.mean(found["reciprocal"][way]) == pytest.approx(found["metrics"][way]["mrr"])


def test_scores_that_know_nothing_get_what_chance_says():
    chance, mrr = captions.chance(1, made()[2]), {way: [] for way in DIRECTIONS}
    for seed in range(300):
        x, y, item = made(d=30, seed=seed)
        for way, metrics in captions.both_ways(x, y, 1, item)["metrics"].items():
            mrr[way].append(metrics["mrr"])
    for way in DIRECTIONS:
        assert np.mean(mrr[way]) == pytest.approx(chance[way]["mrr"], abs=0.03)


def test_precision_is_not_said_where_several_answers_are_right():
    x, y, item = made()
    metrics = captions.both_ways(x, y, 1, item)["metrics"]
    assert np.isnan(details.hits(metrics[FORTH], 6)[0]["precision"])
    assert details.hits(metrics[BACK], 16)[1]["precision"] == metrics[BACK]["r5"] / 5
