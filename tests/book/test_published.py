"""Published numbers, computed again from the ranks in the records by code that shares nothing with the library."""

import json
import re
from pathlib import Path
from statistics import fmean

import pytest

ROOT = Path(__file__).parents[2]
WAYS = {"sheet → audio": "view1_to_view2", "audio → sheet": "view2_to_view1"}
ROWS = {
    "CCA layer, trace norm": "ccal_tno",
    "Learned map, ranking loss": "learned_cont",
    "CCA layer, ranking loss": "ccal_cont",
}


def published() -> dict[str, list[str]]:
    """Method → the cells of its row in the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in rows}


def recorded(method: str) -> list[dict]:
    return [json.loads(p.read_text()) for p in (ROOT / "book/records/medium").glob(f"audio_score-{method}-seed*.json")]


def mean_reciprocal_rank(scores: dict, way: str) -> float:
    """Of every query the mean of 1/rank over the places that it and those tied with it may take."""
    found = []
    for query, expected in enumerate(scores["ranks"][way]):
        tied = scores["ties"][way].get(str(query), 1)
        best = expected - (tied - 1) / 2
        found.append(fmean(1 / (best + i) for i in range(tied)))
    return fmean(found)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", ROWS)
def test_the_readme_has_the_mean_over_seeds_of_the_mean_over_queries_of_one_over_the_rank(row, way):
    runs = recorded(ROWS[row])
    column = published()["Method"].index(f"MRR {way}")
    value = fmean(mean_reciprocal_rank(run, WAYS[way]) for run in runs)
    assert published()[row][column].split()[0] == f"{value:.3f}"
    seeds = published()[row][published()["Method"].index("Seeds")]
    assert int(re.match(r"\d+", seeds)[0]) == len(runs)


@pytest.mark.parametrize("way", WAYS)
def test_the_readme_has_the_score_of_linear_cca_and_of_chance(way):
    run = recorded("ccal_cont")[0]
    column = published()["Method"].index(f"MRR {way}")
    linear = mean_reciprocal_rank(run["baselines"]["linear_cca"], WAYS[way])
    assert published()["Linear CCA"][column].split()[0] == f"{linear:.3f}"
    n = run["data"]["test"]
    assert published()["Chance"][column] == f"{fmean(1 / rank for rank in range(1, n + 1)):.3f}"
