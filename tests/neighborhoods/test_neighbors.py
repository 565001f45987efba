"""Neighbours as facts: against sorting all distances, across processes, and with repeated items."""

import io
import subprocess
import sys

import numpy as np
import pytest

from xmlib.errors import InputError
from xmlib.neighborhoods import neighbors
from xmlib.neighborhoods.neighbors import Neighbors, draw, nearest, recall


def cloud(n=300, size=12, seed=0):
    """Vectors in clumps, as embeddings are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, size))
    return (centres[rng.integers(20, size=n)] + 0.3 * rng.normal(size=(n, size))).astype(np.float32)


def sorted_neighbours(vectors, k):
    wide = vectors.astype(np.float64)
    distances = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(2))
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, 1)


@pytest.mark.parametrize("index", ["exact", "hnsw"])
def test_both_indexes_find_what_sorting_all_distances_finds(index):
    vectors = cloud()
    found = nearest(vectors, k=15, index=index)
    order, distances = sorted_neighbours(vectors, 15)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5)
    assert (found.index, found.recall, found.recall_k) == (index, 1.0, 1.0)


@pytest.mark.parametrize("index", ["exact", "hnsw"])
def test_no_item_is_its_own_neighbour_and_copies_are_at_distance_0_exactly(index):
    vectors = 100 + cloud()  # far from the origin, where |a|² + |b|² − 2ab would leave a rest
    vectors[200:220] = vectors[5]
    found = nearest(vectors, k=30, index=index)
    assert not (found.indices == np.arange(len(vectors))[:, None]).any()
    copies = [5, *range(200, 220)]
    for row in copies:
        assert found.indices[row, :20].tolist() == [other for other in copies if other != row]
        assert (found.distances[row, :20] == 0).all()
        assert found.distances[row, 20] > 0


def test_k_is_200_or_all_others():
    assert nearest(cloud(250)).indices.shape == (250, 200)
    assert nearest(cloud(40)).indices.shape == (40, 39)
    assert nearest(cloud(40), index="hnsw").indices.shape == (40, 39)


def test_a_poor_graph_shows_in_the_recall(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(2000, 40)).astype(np.float32)
    monkeypatch.setattr(neighbors, "GRAPH", {"M": 2, "efConstruction": 3, "indexThreadQty": 1})
    monkeypatch.setattr(neighbors, "SEARCH", 10)
    found = nearest(vectors, k=10, index="hnsw")
    hits = [len(set(a) & set(b)) / 10 for a, b in zip(found.indices, nearest(vectors, 10).indices, strict=True)]
    assert found.recall < 0.9
    assert recall(vectors, found.distances, 10, sample=2000) == pytest.approx(np.mean(hits))


def test_a_copy_of_the_last_neighbour_counts_as_found():
    vectors = np.array([[0.0], [1.0], [1.0], [5.0]], dtype=np.float32)
    assert recall(vectors, np.array([[1.0], [0.0], [0.0], [4.0]]), k=1) == 1
    assert recall(vectors, np.array([[5.0], [0.0], [0.0], [4.0]]), k=1) == 0.75


def test_another_process_builds_the_same_graph(tmp_path):
    vectors = np.random.default_rng(1).normal(size=(1500, 30)).astype(np.float32)  # hard: not everything is found
    np.save(tmp_path / "vectors.npy", vectors)
    code = (
        "import sys, numpy as np; from xmlib.neighborhoods.neighbors import nearest; "
        "nearest(np.load(sys.argv[1]), k=20, index='hnsw').save(sys.argv[2])"
    )
    paths = str(tmp_path / "vectors.npy"), str(tmp_path / "there.npz")
    run = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert run.stdout == ""  # what nmslib has to say at import goes to stderr
    here, there = nearest(vectors, k=20, index="hnsw"), Neighbors.load(paths[1])
    np.testing.assert_array_equal(here.indices, there.indices)
    np.testing.assert_array_equal(here.distances, there.distances)


def test_neighbours_come_back_from_their_file_as_they_were(tmp_path):
    found = nearest(cloud(60), k=7, index="hnsw")
    again = Neighbors.load(found.save(tmp_path / "deep" / "neighbours.npz"))
    np.testing.assert_array_equal(again.indices, found.indices)
    np.testing.assert_array_equal(again.distances, found.distances)
    assert (again.recall, again.recall_k, again.index) == (found.recall, found.recall_k, "hnsw")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["neighbours.npz"]


def one_array():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of a file", b"not a file of arrays", one_array()])
def test_a_broken_file_is_named_in_one_sentence(tmp_path, content):
    path = tmp_path / "neighbours.npz"
    with pytest.raises(InputError, match="no neighbours in"):
        Neighbors.load(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"neighbours\.npz' holds no neighbours"):
        Neighbors.load(path)


def test_a_draw_takes_one_of_the_ten_nearest_at_a_distance_above_0():
    vectors = cloud()
    vectors[:4] = vectors[0]
    found = nearest(vectors, k=40)
    drawn = np.stack([draw(found, seed=1, epoch=epoch) for epoch in range(300)])  # (epochs, n)
    for row in range(len(vectors)):
        allowed = [i for i, far in zip(found.indices[row], found.distances[row], strict=True) if far > 0][:10]
        assert set(drawn[:, row]) == set(allowed)


def test_a_draw_depends_on_seed_and_epoch_and_nothing_else():
    found = nearest(cloud())
    np.testing.assert_array_equal(draw(found, 1, 2), draw(found, 1, 2))
    assert (draw(found, 1, 2) != draw(found, 1, 3)).mean() > 0.5
    assert (draw(found, 1, 2) != draw(found, 2, 2)).mean() > 0.5


def test_a_draw_can_pass_over_the_items_own_group():
    vectors = cloud()
    groups = np.arange(300) // 3
    found = nearest(vectors)
    drawn = np.stack([draw(found, 1, epoch, groups=groups) for epoch in range(50)])
    assert (groups[drawn] != groups).all()
    assert (groups[np.stack([draw(found, 1, epoch) for epoch in range(50)])] == groups).any()


def test_items_whose_neighbours_are_all_copies_are_counted():
    vectors = cloud(30)
    vectors[10:20] = vectors[10]
    with pytest.raises(InputError, match="10 items have all their 5 neighbours at distance 0, first number 10"):
        draw(nearest(vectors, k=5), seed=1, epoch=0)


@pytest.mark.parametrize(
    ("vectors", "options", "message"),
    [
        (cloud(5), {"k": 200}, "k = 200 neighbours were asked for, but each of the 5 items has 4 others"),
        (cloud(5), {"k": 0}, "choose k between 1 and 4"),
        (cloud(1), {}, "two items at least, but there are 1"),
        (cloud(5) * np.nan, {}, "NaN or infinite"),
        (cloud(5), {"index": "ball tree"}, "no index 'ball tree'"),
    ],
)
def test_bad_input_gets_one_clear_sentence(vectors, options, message):
    with pytest.raises(InputError, match=message):
        nearest(vectors, **options)
