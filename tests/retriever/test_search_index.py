"""The index: the same answers as a slow loop, by products and by a graph, after items came and went."""

import numpy as np
import pytest
import torch

from xmlib.errors import InputError
from xmlib.retriever import SearchIndex, search_index
from xmlib.scoring import hubness

K = 10


def unit(n, d=8, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


ITEMS, QUERIES, BANK = unit(600), unit(40, seed=1), unit(300, seed=2)


def slow(vectors, queries, k=K, penalty=0.0):
    scores = queries @ vectors.T - penalty
    return np.array([sorted(range(len(vectors)), key=lambda i: -row[i])[:k] for row in scores])


def recall(index, vectors, queries, ids, penalty=0.0):
    found, true = index.search(queries, K)[0], np.array(ids)[slow(vectors, queries, penalty=penalty)]
    return np.mean([len(set(a) & set(b)) / K for a, b in zip(found, true, strict=True)])


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_the_best_items_come_first_with_their_cosines(kind):
    index = SearchIndex(ITEMS, [f"item {i}" for i in range(len(ITEMS))], kind)
    ids, scores = index.search(QUERIES, K)
    assert (index.graph is not None) == (kind == "hnsw")
    rows = slow(ITEMS, QUERIES)
    assert ids.tolist() == [[f"item {i}" for i in row] for row in rows]
    np.testing.assert_allclose(scores, np.take_along_axis(QUERIES @ ITEMS.T, rows, 1), atol=1e-6)


def test_the_kind_is_chosen_by_the_number_of_items(monkeypatch):
    monkeypatch.setattr(search_index, "EXACT_UP_TO", 599)
    assert SearchIndex(ITEMS[:599], range(599)).graph is None
    assert SearchIndex(ITEMS, range(600)).graph is not None


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
@pytest.mark.parametrize("changed", [20, 200])  # a graph is kept, or made anew
def test_added_items_are_found_and_removed_ones_are_not(kind, changed):
    index = SearchIndex(ITEMS, range(600), kind)
    new = unit(changed, seed=3)
    index.add(new, range(600, 600 + changed))
    index.remove(range(0, 2 * changed, 2))
    kept = [i for i in range(600 + changed) if i % 2 or i >= 2 * changed]
    everything = np.concatenate([ITEMS, new])
    assert recall(index, everything[kept], QUERIES, kept) == 1
    assert len(index) == 600


def test_a_graph_is_kept_while_little_has_changed():
    index = SearchIndex(ITEMS, range(600), "hnsw")
    before = index.graph
    index.add(unit(20, seed=3), range(600, 620))
    assert index.graph is before
    index.remove(range(100))
    assert index.graph is not before


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_scores_are_lowered_as_csls_lowers_them(kind):
    correct = hubness.csls(torch.from_numpy(BANK), torch.from_numpy(ITEMS))
    penalty = -correct(torch.zeros(1, len(ITEMS), dtype=torch.float64)).numpy()
    assert penalty.std() > 0.01
    index = SearchIndex(ITEMS[:550], range(550), kind, bank=BANK)
    index.add(ITEMS[550:], range(550, 600))
    assert recall(index, ITEMS, QUERIES, range(600), penalty) == 1
    assert index.search(QUERIES, 1)[1].max() < (QUERIES @ ITEMS.T).max()


def test_the_correction_makes_hubs_rarer():
    random = np.random.default_rng(0)
    common = random.normal(size=20)  # what all queries share, and some items more than others

    def rows(n, share):
        made = random.normal(size=(n, 20)) + share * common
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    items, queries, bank = rows(400, random.uniform(0, 1, size=(400, 1))), rows(300, 1), rows(300, 1)
    most = [
        np.bincount(SearchIndex(items, range(400), bank=given).search(queries, K)[0].flatten()).max()
        for given in (None, bank)
    ]
    assert most[1] < 0.7 * most[0]


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
@pytest.mark.parametrize("bank", [None, BANK])
def test_a_loaded_index_gives_the_same_answers_and_can_be_added_to(tmp_path, kind, bank):
    index = SearchIndex(ITEMS, [f"ä{i}" for i in range(600)], kind, bank)
    index.remove(["ä3"])
    again = SearchIndex.load(index.save(tmp_path / "index"))
    for one in (index, again):
        one.add(unit(5, seed=4), ["a", "b", "c", "d", "e"])
    for expected, found in zip(index.search(QUERIES, K), again.search(QUERIES, K), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_all_items_can_be_asked_for_and_an_emptied_index_be_filled_again():
    index = SearchIndex(ITEMS, range(600), "hnsw")
    assert sorted(index.search(QUERIES[:1], 600)[0][0]) == list(range(600))
    index.remove(range(600))
    index.add(ITEMS[:3], ["x", "y", "z"])
    assert index.search(ITEMS[1:2], 1)[0].tolist() == [["y"]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda index: index.search(QUERIES, 601), "k = 601 items were asked for of 600"),
        (lambda index: index.search(QUERIES, 0), "k = 0"),
        (lambda index: index.search(unit(3, 9)), "8 dimensions, but the queries have 9"),
        (lambda index: index.search(QUERIES * 2), "not of unit length"),
        (lambda index: index.search(QUERIES * np.nan), "NaN"),
        (lambda index: index.search(QUERIES[0]), "shape"),
        (lambda index: index.search([["a"]]), "no embeddings"),
        (lambda index: index.add(ITEMS[:2], [700, 700]), "700 is given twice"),
        (lambda index: index.add(ITEMS[:1], [5]), "5 is given twice"),
        (lambda index: index.add(ITEMS[:2], [700]), "1 ids"),
        (lambda index: index.add(ITEMS[:1], [0.5]), "neither a text nor a whole number"),
        (lambda index: index.remove([601]), "no item 601"),
        (lambda index: SearchIndex(ITEMS, range(600), "tree"), "'tree'"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(call, said):
    index = SearchIndex(ITEMS, range(600))
    with pytest.raises(InputError, match=said):
        call(index)
    assert len(index) == len(index.vectors) == 600
