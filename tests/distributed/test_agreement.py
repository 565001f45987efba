"""Trainings of three epochs on real pairs: the test scores of two processes are those of one."""

import pytest

from book.make import agreement
from book.make.agreement import Case

pytestmark = pytest.mark.faults  # a minute
# In 57 steps of ccal_neighborhoods the last digit of the first weights changes as much as a second process does.
METHODS = [method for method in agreement.ALL_METHODS["emoji"] if method != "ccal_neighborhoods"]
CASES = [Case("emoji", method) for method in METHODS]
CASES += [Case("emoji", "ccal_neighborhoods", "float64"), Case("audio_score", "ccal_cont", "float64")]


@pytest.fixture(scope="module")
def both():
    return dict(zip(CASES, agreement.together(CASES), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.dataset}-{case.method}-{case.precision}")
def test_after_three_epochs_two_processes_have_the_test_scores_of_one(both, case):
    within = agreement.WITHIN if case.precision == "float32" else 1e-10
    assert agreement.scores(case) == pytest.approx(both[case]["scores"], rel=0, abs=within)
