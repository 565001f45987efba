"""The page of every run has each record once, and sums what they took."""

import subprocess

import pytest
from made_up import record

from book.make import site
from book.make.markdown import escape
from book.make.results import all_runs
from book.make.results.runs import grouped
from book.make.sources import anchor
from xmlib import paths
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


def test_the_day_of_a_run_is_that_of_its_commit_where_that_is_known(made, monkeypatch):
    newest = ["git", "log", "--max-count=1", "--format=%H %cs"]
    commit, day = subprocess.run(newest, cwd=paths.ROOT, capture_output=True, text=True).stdout.split()
    short, edited = commit[:12], f"{commit[:12]}+"
    assert all_runs.committed({short, edited, "", "0" * 12, "--all"}) == {short: day, edited: day}
    assert all_runs.committed({""}) == {}
    for one, its in zip(made, (short, edited, "", ""), strict=True):
        one["commit"] = its
    rows = all_runs.cost(made[:3])
    assert [row["days"] for row in rows] == [[day], []]
    monkeypatch.setenv("PATH", "")
    assert all_runs.committed({commit}) == {}
    text = all_runs.fragments(made)["cost.md"]
    assert "| CCA layer, ranking loss | – |" in text


# ---- what stands in one row ---------------------------------------------------------------------------------------


def mixed(runs) -> set[str]:
    """In what else than the seed the runs of a row differ.

    Code that was shown to give the same numbers counts as the same. Processors may differ: they round otherwise, which
    an annealed training amplifies as it does another seed. Machines of another kind may not.
    """
    kept = {
        "settings": [one["settings"] for one in runs],
        "pairs": [one["data"]["digest"] for one in runs],
        "packages": [one["packages"] for one in runs],
        "ending": [one["stopped"] == "schedule" for one in runs],
        "machine": [(one["machine"]["device"], one["machine"]["threads"]) for one in runs],
        "code": [one["code"] if records.stale(one) else "of today" for one in runs],
    }
    return {name for name, values in kept.items() if any(value != values[0] for value in values)}


@pytest.fixture(scope="module")
def long(committed):
    return [one for one in committed if one["profile"] in ("medium", "full")]


def test_committed_runs_of_a_row_differ_in_their_seed_alone(long):
    rows = grouped(long, all_runs._line)
    assert len(rows) > 50
    assert {name: found for name, runs in rows.items() if (found := mixed(runs))} == {}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("settings", {"settings": {"width": 1.0}}),
        ("pairs", {"data": {"digest": "other"}}),
        ("packages", {"packages": {"torch": "0"}}),
        ("ending", {"stopped": "time"}),
        ("machine", {"machine": {"device": "cuda", "threads": 1}}),
        ("code", {"code": {"cca": "other"}}),
    ],
)
def test_a_run_that_differs_in_more_than_its_seed_is_found(name, change, long):
    runs = [one for one in long if one["profile"] == "medium" and not one["variant"]]
    runs = [one for one in runs if one["method"] == "ccal_cont"]
    assert mixed(runs) == set()
    assert mixed([*runs, runs[0] | change]) == {name}
