"""Hits, precision and distances, as the released evaluation prints them."""

import pytest
import torch

from xmlib import evaluate
from xmlib.scoring import details


def test_hits_and_precision_of_the_released_readme_follow_from_its_recall():
    printed = {"r1": 31.05, "r5": 58.25, "r10": 69.7, "r25": 81.7}
    found = details.hits(printed, 2000)
    assert [round(row["hits"]) for row in found] == [621, 1165, 1394, 1634]
    assert [round(row["precision"], 3) for row in found] == [31.05, 11.65, 6.97, 3.268]


def test_a_constant_embedding_hits_as_often_as_chance():
    x = torch.ones(40, 1)
    assert [row["hits"] for row in details.hits(evaluate.retrieval_metrics(x, x), 40)] == pytest.approx([1, 5, 10, 25])


def test_distances_of_pairs_at_known_angles():
    y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    x = torch.tensor([[1.0, 0.0]] * 3)
    assert details.distances(x, y) == {"min_distance": 0, "median_distance": 1, "max_distance": 2}
    assert details.distances(x[:2], y[:2])["median_distance"] == 0.5
