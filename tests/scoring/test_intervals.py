"""Intervals as facts: against formulas, slow loops, other packages, and how often they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from book.make.theory import interval_coverage
from xmlib import evaluate
from xmlib.errors import InputError
from xmlib.scoring import intervals


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


def table(rng, seeds=5, groups=40, of_seed=1.0, of_group=1.0, of_rest=1.0):
    """Values (seeds, queries) and groups of one to four queries, with what seeds, groups and chance add."""
    member = np.repeat(np.arange(groups), rng.integers(1, 5, groups))
    values = of_seed * rng.normal(size=(seeds, 1)) + of_group * rng.normal(size=groups)[member]
    return values + of_rest * rng.normal(size=(seeds, len(member))), member


def literal_mean_squares(cells):
    """Mean squares of seeds, groups and rest of a table (seeds, groups), by explicit loops."""
    seeds, groups = cells.shape
    mean, by_seed, by_group = cells.mean(), cells.mean(1), cells.mean(0)
    seed = sum(groups * (by_seed[z] - mean) ** 2 for z in range(seeds)) / (seeds - 1)
    group = sum(seeds * (by_group[g] - mean) ** 2 for g in range(groups)) / (groups - 1)
    rest = sum((cells[z, g] - by_seed[z] - by_group[g] + mean) ** 2 for z in range(seeds) for g in range(groups)) / (
        (seeds - 1) * (groups - 1)
    )
    return seed, group, rest


def test_the_error_over_seeds_and_groups_is_that_of_the_two_way_table():
    values, member = table(np.random.default_rng(0))
    sizes = np.bincount(member)
    cells = np.array(
        [[values.mean() + (row[member == g] - values.mean()).sum() / sizes.mean() for g in range(40)] for row in values]
    )
    seed, group, rest = literal_mean_squares(cells)
    found = intervals.crossed_mean(values, member)
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(((seed + group - rest) / (5 * 40)) ** 0.5)
    spread = seed**2 / 4 + group**2 / 39 + rest**2 / (4 * 39)
    assert found.freedom == pytest.approx((seed + group - rest) ** 2 / spread)


def test_the_cells_of_single_queries_are_their_values():
    values = np.random.default_rng(0).random((3, 20))
    np.testing.assert_allclose(intervals.group_cells(values), values)


def test_seeds_that_agree_leave_the_error_of_the_groups():
    values, member = table(np.random.default_rng(0), seeds=1)
    one, many = intervals.crossed_mean(values, member), intervals.crossed_mean(np.repeat(values, 5, axis=0), member)
    assert many == pytest.approx(one)
    assert one.error == pytest.approx(stats.sem(intervals.group_cells(values, member)[0]))


def test_queries_that_agree_leave_the_error_of_the_seeds():
    values = np.random.default_rng(0).normal(size=(4, 1)) + np.zeros((1, 30))
    found = intervals.crossed_mean(values)
    assert found == pytest.approx((values.mean(), stats.sem(values[:, 0]), 3))
    assert found.interval() == pytest.approx(intervals.seed_interval(values[:, 0]))


def test_a_negative_part_of_the_variance_counts_as_nothing():
    rng = np.random.default_rng(0)
    rest = rng.normal(size=(4, 30))
    rest -= rest.mean(1, keepdims=True)  # seeds that are alike: less than chance would have them differ
    found = intervals.crossed_mean(rest + rng.normal(size=30))
    group = literal_mean_squares(rest)[1]
    assert found.freedom > 25
    assert found.error > 0 < group


def test_nothing_is_known_of_other_groups_where_there_is_one():
    values = np.random.default_rng(0).random((3, 20))
    found = intervals.crossed_mean(values, np.zeros(20))
    assert found.interval() == (-np.inf, np.inf)
    assert found.p == 1


def test_equal_methods_differ_by_exactly_nothing():
    values, member = table(np.random.default_rng(0))
    found = intervals.paired_mean(values, values, member)
    assert (found.interval(), found.p) == ((0, 0), 1)


def test_the_interval_holds_0_just_where_chance_would_do_as_well():
    rng = np.random.default_rng(0)
    for shift in np.linspace(0, 1.5, 7):
        values, member = table(rng, of_seed=0.3)
        found = intervals.crossed_mean(values + shift, member)
        low, high = found.interval()
        assert (low < 0 < high) == (found.p > 0.05)
        assert found.interval(1 - found.p)[0] == pytest.approx(0, abs=1e-9)


def test_the_intervals_over_seeds_and_groups_hold_the_truth_as_often_as_they_say():
    for row in interval_coverage.coverage():
        assert 0.92 < row["both"] < 0.98, row


def test_intervals_over_seeds_alone_miss_the_truth_of_other_queries():
    assert interval_coverage.coverage()[0]["seeds"] < 0.7


def test_the_interval_of_one_seed_is_the_bootstrap_over_its_queries_and_of_several_that_of_both():
    values, member = table(np.random.default_rng(0))
    assert intervals.mean_interval(values[:1], member) == evaluate.bootstrap_interval(values[0], member)
    assert intervals.mean_interval(values[0], member) == evaluate.bootstrap_interval(values[0], member)
    assert intervals.mean_interval(values, member) == intervals.crossed_mean(values, member).interval()


def test_holms_correction_of_a_case_worked_by_hand():
    assert intervals.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert intervals.holm([0.9, 0.6]) == pytest.approx([1, 1])


def test_holms_correction_seldom_finds_anything_where_there_is_nothing():
    families = np.random.default_rng(0).random((4000, 8))
    found = np.mean([(intervals.holm(p) < 0.05).any() for p in families])
    assert found == pytest.approx(0.05, abs=0.012)


def test_the_interval_over_seeds_is_students():
    values = np.array([0.41, 0.44, 0.40, 0.47, 0.43])
    expected = stats.t.interval(0.9, 4, loc=values.mean(), scale=values.std(ddof=1) / 5**0.5)
    assert intervals.seed_interval(values, level=0.9) == pytest.approx(expected)


def test_the_interval_over_seeds_holds_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(size=(2000, 4))
    ends = np.array([intervals.seed_interval(row) for row in draws])
    covered = np.mean((ends[:, 0] < 0) & (ends[:, 1] > 0))
    assert covered == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 2000) ** 0.5)


def test_one_seed_gives_no_interval_over_seeds():
    with pytest.raises(InputError, match="at least two seeds, but got 1"):
        intervals.seed_interval([0.4])


def test_a_paired_comparison_sees_what_an_unpaired_one_does_not():
    rng = np.random.default_rng(0)
    base = rng.normal(size=500)
    better = base + 0.05 + 0.01 * rng.normal(size=500)
    low, _ = intervals.paired_interval(better, base)
    assert low > 0
    assert evaluate.bootstrap_interval(better)[0] < base.mean()


def test_comparing_methods_on_different_queries_is_refused():
    with pytest.raises(InputError, match="3 and 4"):
        intervals.paired_interval(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match="5×3 and 2×3"):
        intervals.paired_interval(np.ones((5, 3)), np.ones((2, 3)))
