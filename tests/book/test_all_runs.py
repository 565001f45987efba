"""The page of every run has each record once, and sums what they took."""

import pytest
from made_up import record

from book.make.results import all_runs
from xmlib.runs import records


@pytest.fixture
def made():
    return [record("ccal_cont", "medium", seed) for seed in (1, 2)] + [
        record("ccal_tno", "quick"),
        record("ccal_tno", "toy"),
    ]


def test_every_record_but_those_for_tests_has_a_line_with_its_file_and_scores(made):
    lines = all_runs.fragments(made)["all_runs.md"].splitlines()
    for one in made[:3]:
        (line,) = [line for line in lines if records.file_name(one) in line]
        assert f"{one['metrics']['view1_to_view2']['mrr']:.3f}" in line
    assert len(lines) == 2 + 3


def test_seed_10_comes_after_seed_9():
    lines = all_runs.fragments([record("ccal_tno", "quick", seed) for seed in (10, 9)])["all_runs.md"].splitlines()
    assert "seed9" in lines[2]
    assert "seed10" in lines[3]


def test_time_and_energy_are_those_of_all_runs_of_a_method(made):
    first = next(row for row in all_runs.cost(made[:3]) if row["profile"] == "medium")
    assert (first["runs"], first["seconds"]) == (2, 2 * 5700.0)
    assert first["watt_hours"] == pytest.approx(2 * 5700 / 3600 * all_runs.WATTS)
