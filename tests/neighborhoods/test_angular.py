"""The angular loss and the four terms as facts, against explicit loops; TensorBoard's file."""

import math
import runpy

import pytest
import torch
from torch.autograd import gradcheck

from xmlib import paths
from xmlib.cca import CCALayer
from xmlib.errors import InputError
from xmlib.neighborhoods.angular import TERMS, Groups, angular_npairs, neighborhood_terms, total
from xmlib.neighborhoods.scalars import Scalars

N, D = 6, 4


def unit_rows(n=N, d=D, seed=0):
    raw = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(raw, dim=1)


def literal_exponential(a, p, m, tan2=1.0):
    return math.exp(4 * tan2 * float((a + p) @ m) - 2 * (1 + tan2) * float(a @ p))


def literal_intended(anchors, positives, negatives, allowed, tan2=1.0):
    """The definition by loops: `allowed(i, j)` says whether negative j serves anchor i."""
    costs = []
    for i in range(len(anchors)):
        summed = 0.0
        for j in range(len(negatives)):
            if allowed(i, j):
                summed += literal_exponential(anchors[i], positives[i], negatives[j], tan2)
        costs.append(math.log(1 + summed))
    return sum(costs) / len(costs)


def literal_released(anchors, positives, negatives, tan2=1.0):
    """The released code by loops: every anchor n times, and for each of these every negative n times."""
    n, costs = len(anchors), []
    for i in range(n):
        for _ in range(n):
            summed = 0.0
            for j in range(len(negatives)):
                for _ in range(n):
                    summed += literal_exponential(anchors[i], positives[i], negatives[j], tan2)
            costs.append(math.log(1 + summed))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("tan2", [1.0, 0.4])
def test_the_released_value_is_that_of_repeated_anchors_and_negatives(tan2):
    a, p, m = (unit_rows(seed=s) for s in (1, 2, 3))
    value = angular_npairs(a, p, m, tan2=tan2, released=True)
    assert float(value) == pytest.approx(literal_released(a, p, m, tan2), abs=1e-10)


@pytest.mark.parametrize("tan2", [1.0, 0.4])
def test_the_intended_value_is_the_definitions_with_any_number_of_negatives(tan2):
    a, p, m = unit_rows(seed=1), unit_rows(seed=2), unit_rows(9, seed=3)
    mask = torch.rand(N, 9, generator=torch.Generator().manual_seed(0)) < 0.5
    value = angular_npairs(a, p, m, mask, tan2)
    assert float(value) == pytest.approx(literal_intended(a, p, m, lambda i, j: mask[i, j], tan2), abs=1e-10)
    assert float(angular_npairs(a, p, m, tan2=tan2)) > float(value)


def test_without_negatives_the_other_positives_serve():
    a, p = unit_rows(seed=1), unit_rows(seed=2)
    mask = torch.ones(N, N, dtype=torch.bool)
    mask[0, 1] = False
    others = literal_intended(a, p, p, lambda i, j: i != j)
    assert float(angular_npairs(a, p)) == pytest.approx(others, abs=1e-10)
    fewer = literal_intended(a, p, p, lambda i, j: i != j and (i, j) != (0, 1))
    assert float(angular_npairs(a, p, mask=mask)) == pytest.approx(fewer, abs=1e-10)


def test_what_the_benchmark_compares_with_is_the_loop_over_repetitions():
    literal = runpy.run_path(str(paths.ROOT / "benchmarks" / "angular.py"))["literal"]
    a, p, m = (unit_rows(seed=s) for s in (1, 2, 3))
    assert float(literal(a, p, m)) == pytest.approx(literal_released(a, p, m), abs=1e-10)


@pytest.mark.parametrize("released", [False, True])
def test_the_gradient_is_that_of_finite_differences(released):
    a, p, m = (unit_rows(seed=s).requires_grad_() for s in (1, 2, 3))
    mask = torch.ones(N, N, dtype=torch.bool).tril(-1)  # the first anchor has no negative at all
    assert gradcheck(lambda *rows: angular_npairs(*rows, released=released), (a, p, m))
    assert gradcheck(lambda *rows: angular_npairs(*rows, mask=mask, released=released), (a, p, m))


def test_an_anchor_without_negatives_costs_nothing():
    a, p = unit_rows(seed=1), unit_rows(seed=2)
    assert float(angular_npairs(a, p, p, mask=torch.zeros(N, N, dtype=torch.bool))) == 0


def test_large_logits_neither_overflow_nor_vanish():
    a = torch.eye(2, dtype=torch.float32)
    value = angular_npairs(a, a, tan2=100.0)  # the other positive's logit is 0 − 202
    assert float(value) == 0
    value = angular_npairs(a, a, a, tan2=100.0)  # its own is 800 − 202, beyond what exp can hold in float32
    assert float(value) == pytest.approx(598)


def test_taking_the_positive_for_a_negative_adds_n_times_e_to_the_fourth():
    """At a = p: own logit 4·2 − 4 = 4; at any length-1 positive it is 4 (a + p)·p − 4 a·p = 4."""
    a, p = unit_rows(seed=1), unit_rows(seed=2)
    others = [sum(literal_exponential(a[i], p[i], p[j]) for j in range(N) if j != i) for i in range(N)]
    with_own = sum(math.log(1 + N * (rest + math.e**4)) for rest in others) / N
    assert float(angular_npairs(a, p, p, released=True)) == pytest.approx(with_own, abs=1e-10)
    assert float(angular_npairs(a, p, a, released=True)) == pytest.approx(
        sum(
            math.log(1 + N * (math.e**4 + sum(literal_exponential(a[i], p[i], a[j]) for j in range(N) if j != i)))
            for i in range(N)
        )
        / N,
        abs=1e-10,
    )  # and so does taking the anchor: 4 (a + p)·a − 4 a·p = 4


def batch(dtype=torch.float64):
    """Images, texts, their neighbours' and 7 sampled texts, with groups that bar negatives of every kind."""
    rows = [unit_rows(n, seed=s).to(dtype) for s, n in enumerate((N, N, N, N, 7), 1)]
    groups = Groups(
        pairs=torch.tensor([0, 1, 2, 3, 3, 4]),  # two pairs of one group
        neighbours=torch.tensor([1, 7, 8, 9, 10, 2]),  # the first and the last are in the batch
        sampled=torch.tensor([0, 11, 7, 3, 12, 13, 1]),  # own texts, neighbours' texts, and others
    )
    return rows, groups


def test_the_intended_terms_are_those_of_the_table():
    (x, y, neighbour_x, neighbour_y, sampled), groups = batch()
    pairs, near, drawn = groups.pairs.tolist(), groups.neighbours.tolist(), groups.sampled.tolist()
    expected = {
        "i2t": literal_intended(x, y, sampled, lambda i, j: drawn[j] != pairs[i]),
        "sym": literal_intended(y, x, x, lambda i, j: pairs[j] != pairs[i]),
        "img": literal_intended(x, neighbour_x, x, lambda i, j: pairs[j] not in (pairs[i], near[i])),
        "text": literal_intended(y, neighbour_y, sampled, lambda i, j: drawn[j] not in (pairs[i], near[i])),
    }
    terms = neighborhood_terms(x, y, neighbour_x, neighbour_y, sampled, groups)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected, abs=1e-10)


def test_pairs_that_are_groups_of_their_own_bar_only_themselves():
    (x, y, neighbour_x, neighbour_y, _), _ = batch()
    own = Groups(torch.arange(N), torch.arange(100, 100 + N), torch.arange(N))
    terms = neighborhood_terms(x, y, neighbour_x, neighbour_y, y, own)
    expected = {
        "i2t": literal_intended(x, y, y, lambda i, j: i != j),
        "sym": literal_intended(y, x, x, lambda i, j: i != j),
        "img": literal_intended(x, neighbour_x, x, lambda i, j: i != j),
        "text": literal_intended(y, neighbour_y, y, lambda i, j: i != j),
    }
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected, abs=1e-10)


def test_the_released_terms_take_every_negative_as_it_comes():
    (x, y, neighbour_x, neighbour_y, _), _ = batch()
    sampled = torch.cat([y[:2], unit_rows(N - 2, seed=9)])  # two positives among them
    expected = {
        "i2t": literal_released(x, y, sampled),
        "sym": literal_released(y, x, x),
        "img": literal_released(x, neighbour_x, x),
        "text": literal_released(y, neighbour_y, sampled),
    }
    terms = neighborhood_terms(x, y, neighbour_x, neighbour_y, sampled, released=True)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected, abs=1e-10)


def test_the_intended_terms_refuse_to_guess_the_groups():
    (x, y, neighbour_x, neighbour_y, sampled), _ = batch()
    with pytest.raises(InputError, match="give Groups"):
        neighborhood_terms(x, y, neighbour_x, neighbour_y, sampled)


def test_the_total_weighs_all_but_the_first_term():
    terms = dict(zip(TERMS, torch.tensor([1.0, 10.0, 100.0, 1000.0]), strict=True))
    assert float(total(terms)) == pytest.approx(1 + 10 + 30 + 200)  # the weights of the released readme
    assert float(total(terms, sym=0, img=0, text=0)) == 1
    assert float(total(terms, sym=0.5, img=2, text=3)) == pytest.approx(1 + 5 + 200 + 3000)


@pytest.mark.parametrize("released", [False, True])
def test_the_terms_train_through_the_cca_layer(released):
    """Neighbours are pairs too: the layer takes batch and neighbours as one batch of 2n pairs."""
    groups = Groups(torch.arange(N), torch.arange(N) + N, torch.arange(N))

    def value(h1, h2):
        x, y = CCALayer(D).train()(h1, h2)
        return total(neighborhood_terms(x[:N], y[:N], x[N:], y[N:], y[:N], groups, released=released))

    h1, h2 = (torch.randn(2 * N, D, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(value, (h1, h2))


def test_the_event_file_of_a_run_holds_the_four_terms(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (x, y, neighbour_x, neighbour_y, sampled), groups = batch()
    terms = neighborhood_terms(x, y, neighbour_x, neighbour_y, sampled, groups)
    with Scalars(tmp_path / "run") as scalars:
        for epoch in (1, 2):
            scalars.write(epoch, terms)
    events = event_accumulator.EventAccumulator(str(tmp_path / "run")).Reload()
    assert set(events.Tags()["scalars"]) == {f"terms/{name}" for name in TERMS}
    points = [(point.step, point.value) for point in events.Scalars("terms/img")]
    assert points == [(1, pytest.approx(float(terms["img"]))), (2, pytest.approx(float(terms["img"])))]


def test_a_continued_run_hides_what_the_first_try_wrote_after_the_checkpoint(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with Scalars(tmp_path) as scalars:
        for epoch in (1, 2, 3):
            scalars.write(epoch, {"i2t": 1.0})
    with Scalars(tmp_path, first_step=2) as scalars:
        scalars.write(2, {"i2t": 5.0})
    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(point.step, point.value) for point in events.Scalars("terms/i2t")] == [(1, 1.0), (2, 5.0)]
