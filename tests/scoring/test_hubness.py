"""Corrections for hubness as facts, against slow literal references."""

import numpy as np
import pytest
import torch
from conftest import LargestTensor

from xmlib import evaluate
from xmlib.errors import InputError
from xmlib.scoring import hubness


def unit_rows(n, d=6, seed=0):
    raw = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(raw, dim=1)


def orders(scores):
    return np.argsort(-np.asarray(scores), axis=1).tolist()


@pytest.fixture(scope="module")
def planted():
    """Bank, queries and candidates, tilted towards one direction: queries all alike, some candidates far, some not."""

    def tilted(rows, share):
        share = torch.as_tensor(share).expand(len(rows), 1)
        return torch.cat([(1 - share**2).sqrt() * rows, share], dim=1)

    generator = torch.Generator().manual_seed(2)
    x = unit_rows(300, 20, seed=1)
    y = x + 0.3 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    share = 0.8 * torch.rand(300, 1, generator=generator, dtype=torch.float64)
    bank = unit_rows(600, 20, seed=3)
    return tilted(bank, 0.6), tilted(x, 0.6), tilted(torch.nn.functional.normalize(y, dim=1), share)


def test_csls_ranks_as_its_literal_definition():
    x, y, bank = unit_rows(20, seed=1), unit_rows(15, seed=2), unit_rows(40, seed=3)
    literal = np.zeros((20, 15))
    for i in range(20):
        of_query = np.mean(sorted((float(x[i] @ c) for c in y), reverse=True)[:4])
        for j in range(15):
            of_candidate = np.mean(sorted((float(b @ y[j]) for b in bank), reverse=True)[:4])
            literal[i, j] = 2 * float(x[i] @ y[j]) - of_query - of_candidate
    found = hubness.csls(bank, y, k=4, chunk=6)(x @ y.T)
    assert orders(found) == orders(literal)
    row_constant = 2 * found.numpy() - literal  # the query's own mean, which changes no rank
    np.testing.assert_allclose(row_constant, row_constant[:, :1] * np.ones(15), atol=1e-12)


def test_the_inverted_softmax_is_the_logarithm_of_its_literal_definition():
    x, y, bank = unit_rows(20, seed=1), unit_rows(15, seed=2), unit_rows(40, seed=3)
    scores = (x @ y.T).numpy()
    literal = np.zeros((20, 15))
    for i in range(20):
        for j in range(15):
            literal[i, j] = np.exp(scores[i, j] / 0.1) / sum(np.exp(float(b @ y[j]) / 0.1) for b in bank)
    found = hubness.inverted_softmax(bank, y, temperature=0.1, chunk=6)(x @ y.T)
    np.testing.assert_allclose(found.numpy(), 0.1 * np.log(literal), atol=1e-12)


def test_a_temperature_that_would_underflow_still_ranks():
    x, y = unit_rows(20, seed=1), unit_rows(20, seed=2)
    found = hubness.inverted_softmax(unit_rows(40, seed=3), y, temperature=1e-4)(x @ y.T)
    assert torch.isfinite(found).all()
    assert len(found.unique()) == found.numel()


def test_the_query_bank_corrects_just_the_queries_whose_first_candidate_is_a_hub():
    x, y, bank = unit_rows(60, seed=1), unit_rows(60, seed=2), unit_rows(12, seed=3)
    scores = x @ y.T
    hubs = {int((b @ y.T).argmax()) for b in bank}
    softmax = hubness.inverted_softmax(bank, y)(scores)
    found = hubness.query_bank(bank, y, chunk=5)(scores)
    is_hub = [int(row.argmax()) in hubs for row in scores]
    assert 0 < sum(is_hub) < 60
    for i, hub in enumerate(is_hub):
        torch.testing.assert_close(found[i], softmax[i] if hub else scores[i], rtol=0, atol=1e-12)


def test_the_best_candidate_of_a_popular_crowd_loses_to_the_one_only_this_query_finds():
    bank = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    query = torch.tensor([[0.8, 0.6]], dtype=torch.float64)
    assert (query @ candidates.T).argmax() == 0
    for make in (hubness.csls, hubness.inverted_softmax, hubness.query_bank):
        assert make(bank, candidates)(query @ candidates.T).argmax() == 1, make


@pytest.mark.parametrize("name", hubness.CORRECTIONS)
def test_a_correction_finds_more_and_makes_fewer_hubs_where_hubs_were_planted(planted, name):
    bank, x, y = planted
    found = hubness.corrected(x, y, bank, bank)[name]["view1_to_view2"]
    assert found["hubness"] < evaluate.hubness(x, y)
    assert found["mrr_gain_interval"][0] > 0


@pytest.mark.parametrize("name", hubness.CORRECTIONS)
def test_a_constant_embedding_stays_exactly_at_chance(name):
    x = torch.nn.functional.normalize(torch.ones(90, 7), dim=1)
    found, chance = hubness.corrected(x, x, x[:40], x[:40])[name], evaluate.chance_metrics(90)
    for metric in ("r1", "r10", "median_rank", "mrr"):
        assert found["view2_to_view1"][metric] == pytest.approx(chance[metric], abs=1e-12), metric


@pytest.mark.parametrize("name", hubness.CORRECTIONS)
def test_equal_candidates_stay_tied(name):
    x, y = unit_rows(40, seed=1), torch.cat([unit_rows(20, seed=2)] * 2)
    correct = hubness.CORRECTIONS[name](unit_rows(50, seed=3), y)
    assert (evaluate.standing(x, y, correct=correct)[1] == 2).all()


@pytest.mark.parametrize("make", hubness.CORRECTIONS.values(), ids=hubness.CORRECTIONS)
def test_neither_chunks_nor_the_order_of_the_bank_matter(make):
    x, y, bank = unit_rows(30, seed=1), unit_rows(30, seed=2), unit_rows(50, seed=3)
    whole = evaluate.standing(x, y, correct=make(bank, y))
    parts = evaluate.standing(x, y, chunk=7, correct=make(bank.flip(0), y, chunk=11))
    assert [p.tolist() for p in parts] == [w.tolist() for w in whole]


def test_each_direction_is_corrected_by_the_bank_of_its_own_queries():
    x, y = unit_rows(40, seed=1), unit_rows(40, seed=2)
    bank1, bank2 = unit_rows(30, seed=3), unit_rows(35, seed=4)
    found = hubness.corrected(x, y, bank1, bank2)["csls"]
    back = evaluate.standing(y, x, correct=hubness.csls(bank2, x))
    assert found["view2_to_view1"]["mrr"] == pytest.approx(evaluate.reciprocal_ranks(*back).mean(), abs=1e-12)
    gain = found["view1_to_view2"]["mrr"] - evaluate.mrr(x, y)
    assert found["view1_to_view2"]["mrr_gain"] == pytest.approx(gain, abs=1e-12)


def test_no_array_of_all_pairs_of_scores_is_kept():
    n = 6000
    y = unit_rows(n, seed=1)
    with LargestTensor() as largest:
        evaluate.standing(unit_rows(n), y, correct=hubness.query_bank(unit_rows(n, seed=2), y))
    assert largest.numel <= evaluate.queries_at_once(n) * n < n * n / 4


def test_a_bank_without_queries_and_a_temperature_of_zero_are_refused():
    y = unit_rows(5)
    for make in hubness.CORRECTIONS.values():
        with pytest.raises(InputError, match="no queries"):
            make(y[:0], y)
    with pytest.raises(InputError, match="above 0, but got 0"):
        hubness.inverted_softmax(y, y, temperature=0)
