"""The page of every run has each record once, and sums what they took."""

import pytest
from made_up import record

from book.make import site
from book.make.markdown import escape
from book.make.results import all_runs
from book.make.sources import anchor
from xmlib.runs import records


@pytest.fixture
def made():
    return [record("ccal_cont", "medium", seed) for seed in (1, 2)] + [
        record("ccal_tno", "quick"),
        record("ccal_tno", "toy"),
    ]


def test_every_record_but_those_for_tests_is_linked_on_a_line_of_its_method(made):
    lines = all_runs.fragments(made)["all_runs.md"].splitlines()
    for one in made[:3]:
        (line,) = [line for line in lines if f"<records/{records.file_name(one)}>" in line]
        assert f'id="{anchor(records.file_name(one))}"' in line
        assert f"| {escape(one['method'])} | {one['profile']} |" in line
    assert len(lines) == 2 + 2


def test_a_line_has_the_mean_over_its_seeds(made):
    made[0]["metrics"]["view1_to_view2"]["mrr"], made[1]["metrics"]["view1_to_view2"]["mrr"] = 0.25, 0.75
    assert " | 0.500, " in all_runs.fragments(made[:2])["all_runs.md"]


def test_seed_10_comes_after_seed_9():
    line = all_runs.fragments([record("ccal_tno", "quick", seed) for seed in (10, 9)])["all_runs.md"].splitlines()[2]
    assert line.index("seed9.json") < line.index("seed10.json")


def test_a_line_names_the_seeds_that_older_code_has_made(made, monkeypatch):
    monkeypatch.setattr(records, "stale", lambda one: one["seed"] == 2)
    assert "| older: 2 |" in all_runs.fragments(made[:2])["all_runs.md"]


def test_a_further_record_costs_the_page_less_than_300_bytes():
    file = "full/openclipart-directions_1-dropout_0.0-learned_cont-seed10.json"
    link = f'<a class="reference download internal" download="" href="_downloads/{"0" * 32}/{file[5:]}">'
    made = f'<span id="{anchor(file)}"></span>{link}<code class="xref"><span class="pre">10</span></code></a>'
    shown = site.short(f"<td><p>{made} {made}</p></td>")
    assert shown.count(f'id="{anchor(file)}"') == shown.count(f'/{file[5:]}">10</a>') == 2
    assert len(shown) < 2 * 300


def test_time_and_energy_are_those_of_all_runs_of_a_method(made):
    first = next(row for row in all_runs.cost(made[:3]) if row["profile"] == "medium")
    assert (first["runs"], first["seconds"]) == (2, 2 * 5700.0)
    assert first["watt_hours"] == pytest.approx(2 * 5700 / 3600 * all_runs.WATTS)
