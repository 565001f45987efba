"""The verdicts follow from the numbers by the rules that were written down before the runs."""

import re

import numpy as np
import pytest
import yaml
from made_up import BACK, FORTH, record, scores

from book.make import trials
from book.make.results import (
    choose,
    claims,
    evidence,
    evidence_heads,
    evidence_terms,
    evidence_training,
    findings,
    runs,
    stands,
    tables,
)
from book.make.results.claims import HOLDS, NOT, OPEN, PARTLY, REPRODUCED, REVERSED, UNTESTED
from xmlib import paths
from xmlib.scoring.intervals import Mean

CLAIMS = {claim.name: claim for claim in claims.asked()}
SEEDS = range(1, 6)


def sheet(qualities: dict[str, float], seeds=SEEDS, **changes) -> list[dict]:
    """Medium runs on sheet music that came to the end of their schedule, of methods that are so good."""
    return [
        record(method, "medium", seed, quality, **{"stopped": "schedule"} | changes)
        for method, quality in qualities.items()
        for seed in seeds
    ]


def gap(state: str, value: float = 0.1) -> claims.Gap:
    interval = {HOLDS: (0.05, 0.15), REVERSED: (-0.15, -0.05), OPEN: (-0.05, 0.15)}[state]
    return claims.Gap("a − b", "", 5, Mean(value, 0.1, 9.0), interval)


def test_every_claim_of_the_plan_has_a_verdict():
    assert list(CLAIMS) == ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "B1", "B2", "B3", "B4"] == list(evidence.FINDINGS)


@pytest.mark.parametrize("name", findings.SEEDS)
def test_as_many_seeds_are_wanted_as_the_plan_says(name):
    told = {"A2": "A1", "A3": "A1", "B2": "B1"}.get(name, name)  # "the same runs"
    assert re.search(rf"\b{findings.SEEDS[name]} seeds", CLAIMS[told].experiment)


def test_the_smallest_p_has_the_level_of_all_differences_and_the_next_that_of_one_less():
    means = [Mean(0.30, 0.10, 1e9), Mean(0.28, 0.10, 1e9), Mean(0.01, 0.10, 1e9)]
    found = claims.gaps([("a", "", 5, means[1]), ("b", "", 5, means[0]), ("c", "", 5, means[2])])
    widths = [(one.interval[1] - one.interval[0]) / 0.2 for one in found]
    assert widths == pytest.approx([2.2414, 2.3940, 1.9600], abs=1e-3)  # of 1 − 0.05/2, 1 − 0.05/3 and 0.95
    assert [one.state for one in found] == [HOLDS, HOLDS, OPEN]


def test_what_comes_after_an_open_difference_is_open_too():
    means = [Mean(0.23, 0.10, 1e9), Mean(0.22, 0.10, 1e9), Mean(0.21, 0.10, 1e9)]  # each leaves 0 out alone
    assert {one.state for one in claims.gaps([("a", "", 5, mean) for mean in means])} == {OPEN}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((HOLDS, HOLDS, HOLDS), REPRODUCED),
        ((HOLDS, HOLDS, OPEN), REPRODUCED),
        ((HOLDS, OPEN, HOLDS), PARTLY),
        ((OPEN, OPEN, HOLDS), PARTLY),
        ((OPEN, PARTLY, OPEN), PARTLY),
        ((OPEN, OPEN, OPEN), NOT),
        ((HOLDS, REVERSED, HOLDS), NOT),
    ],
)
def test_the_rule_of_the_order(states, expected):
    assert claims.of_order(*states) == expected


def test_the_rule_of_the_training_pairs():
    assert [claims.of_levels(values) for values in ([0.9, 0.9, 1], [0.89, 0.9, 1], [0.8, 0.89, 1])] == [
        REPRODUCED, PARTLY, NOT,
    ]  # fmt: skip


def test_the_rule_of_the_learning_curves():
    holds, smaller = [gap(HOLDS)] * 2, [gap(OPEN, -0.02)] * 2
    assert claims.of_curves(holds, holds) == REPRODUCED
    assert claims.of_curves(holds, smaller) == PARTLY  # from a lead of 0.1 to one of 0.02
    assert claims.of_curves(holds, [gap(OPEN, -0.2)] * 2) == NOT
    assert claims.of_curves([gap(OPEN, -0.1)] * 2, holds) == NOT  # there was no lead


def test_the_rules_of_what_has_to_hold_for_each():
    assert claims.of_each([HOLDS, HOLDS]) == REPRODUCED
    assert claims.of_each([HOLDS, OPEN]) == PARTLY
    assert claims.of_each([HOLDS, REVERSED]) == claims.of_each([OPEN, OPEN]) == NOT
    assert claims.of_growth(HOLDS, OPEN) == REPRODUCED
    assert claims.of_growth(OPEN, HOLDS) == PARTLY
    assert claims.of_growth(OPEN, OPEN) == NOT
    assert claims.of_sizes([[True, True], [True, True]]) == REPRODUCED
    assert claims.of_sizes([[True, True], [True, False]]) == PARTLY
    assert claims.of_sizes([[False, True], [True, False]]) == NOT


def test_what_holds_in_one_direction_only_is_partly():
    assert claims.together([gap(HOLDS), gap(OPEN)]) == PARTLY
    assert claims.together([gap(HOLDS), gap(HOLDS)]) == HOLDS
    assert claims.together([gap(HOLDS), gap(REVERSED)]) == REVERSED
    assert claims.together([gap(OPEN), gap(OPEN)]) == OPEN


def test_the_claimed_order_is_reproduced_with_five_seeds_and_not_finished_with_four():
    qualities = {"ccal_cont": 9.0, "ccal_tno": 1.5, "learned_cont": 0.3}
    five, four = (evidence.finding("A1", sheet(qualities, range(1, n))) for n in (6, 5))
    assert (five.outcome, five.verdict("A1")) == (REPRODUCED, REPRODUCED)
    assert four.verdict("A1") == UNTESTED


def test_an_order_the_other_way_round_is_not_reproduced():
    found = evidence.finding("A1", sheet({"ccal_cont": 0.3, "ccal_tno": 1.5, "learned_cont": 9.0}))
    assert found.verdict("A1") == NOT


def test_runs_with_the_released_schedule_are_named_and_decide_nothing():
    plan = sheet({"ccal_cont": 9.0, "ccal_tno": 1.5, "learned_cont": 0.3})
    other = sheet({"learned_cont": 0.3, "ccal_tno": 9.0}, (1,), variant="released_schedule", stopped="epochs")
    alone, both = (evidence.finding("A1", found) for found in (plan, plan + other))
    assert [run.method for run, _ in both.aside] == ["ccal_tno", "learned_cont"]
    assert (both.outcome, both.gaps, both.records) == (alone.outcome, alone.gaps, alone.records)
    shown = stands.fragments(plan + other, {})["stands_A1.md"]
    assert f"the order on test is *{runs.title('ccal_tno')}* ({both.aside[0][1]:.3f})" in shown
    assert "released schedule" not in stands.fragments(plan, {})["stands_A1.md"]


def test_runs_that_were_stopped_or_differ_from_the_profile_are_no_evidence():
    qualities = {"ccal_cont": 9.0, "ccal_tno": 1.5, "learned_cont": 0.3}
    stopped = sheet(qualities, stopped="epochs")
    assert (
        evidence_training.sheet_runs(stopped)
        == evidence_training.sheet_runs(sheet(qualities, variant="augmented"))
        == {}
    )
    assert evidence.finding("A1", stopped).outcome == UNTESTED


def test_a_difference_on_the_page_is_the_mean_of_those_of_reciprocal_ranks():
    found = sheet({"ccal_cont": 3.0, "ccal_tno": 1.5})
    shown = evidence.finding("A1", found).gaps
    for one, way in zip(shown, (FORTH, BACK), strict=True):
        means = [
            [np.mean(1 / np.array(r["ranks"][way])) for r in found if r["method"] == m]
            for m in ("ccal_cont", "ccal_tno")
        ]
        assert one.mean.value == pytest.approx(np.mean(means[0]) - np.mean(means[1]))


def test_curves_are_compared_at_equal_steps_and_at_equal_time():
    def run(seconds, curve):
        return {"history": [{"seconds": seconds, "valid_mrr": value} for value in curve]}

    slow, quick = run(10, [0.1, 0.2, 0.3, 0.4]), run(5, [0.5, 0.6, 0.7, 0.8])
    assert evidence_training.after_steps(slow, quick, 0.5) == (0.2, 0.6)
    assert evidence_training.after_steps(slow, quick, 0.3) == (0.2, 0.6)  # the next whole epoch
    assert evidence_training.after_time(slow, quick, 1.0) == (0.2, 0.8)  # after 20 seconds


def test_heads_are_compared_only_where_all_settings_are_alike():
    alike = sheet({"ccal_cont": 2.0, "learned_cont": 1.0}, settings={"dropout": 0.0, "both_ways": True})
    assert list(evidence_heads.heads(alike, "audio_score")) == [("ranking loss, both ways", 4000, 0.0)]
    usual = sheet({"ccal_cont": 2.0, "learned_cont": 1.0}, settings={"dropout": 0.0, "both_ways": None})
    assert evidence_heads.heads(usual, "audio_score") == {}  # one way and both ways
    dropped = sheet({"learned_cont": 1.0}, settings={"dropout": 0.5, "both_ways": True})
    assert evidence_heads.heads([*alike[:5], *dropped], "audio_score") == {}


def test_the_gain_with_few_pairs_is_set_against_that_with_many():
    settings, few = {"dropout": 0.0, "both_ways": False}, []
    for train, quality in ((1000, 9.0), (16000, 1.0)):
        pairs = record()["data"] | {"train": train, "digest": f"{train:064}"}
        few += sheet({"ccal_cont": quality, "learned_cont": 0.6}, range(1, 4), settings=settings, data=pairs)
    found = evidence.finding("A4", few)
    assert (found.verdict("A4"), found.seeds) == (REPRODUCED, 3)
    assert evidence.finding("A4", few[:6]).lacks
    said = "With 1,000 pairs no run has a test MRR above 0.020"
    assert "below linear CCA" not in stands.fragments(few, {})["stands_A4.md"]
    for one in few[:6]:
        for way in (FORTH, BACK):
            one["metrics"][way]["mrr"], one["baselines"]["linear_cca"]["metrics"][way]["mrr"] = 0.02, 0.03
    assert said in stands.fragments(few, {})["stands_A4.md"]
    short = stands.fragments([one for one in few if one["seed"] == 1], {})["stands_A4.md"]
    assert "Of the 3 seeds that the plan asks for, 1 is there, by the rule *reproduced*." in short


def test_heads_keep_their_usual_pairs_when_there_are_runs_on_more():
    settings, found = {"dropout": 0.0, "both_ways": False}, []
    for train in (16000, 40000):
        pairs = record()["data"] | {"train": train, "digest": f"{train:064}"}
        found += sheet({"ccal_cont": 2.0, "learned_cont": 0.6}, range(1, 4), settings=settings, data=pairs)
    told = evidence.finding("A5", found)
    assert {one["data"]["train"] for one in told.records} == {16000}
    assert evidence.finding("A5", found[:6]).gaps == told.gaps


def test_the_mean_of_two_independent_means_has_half_the_error_of_their_sum():
    both = evidence_terms.pooled([Mean(0.1, 0.03, 10.0), Mean(0.3, 0.04, 10.0)])
    assert (both.value, both.error) == pytest.approx((0.2, 0.025))
    assert 10 < both.freedom < 20


def test_chorales_are_a_row_of_their_own_with_their_own_linear_cca():
    chorales = sheet({"ccal_cont": 0.3}, (1,), variant="chorales", parameters={"corpus": "chorales"})
    for one in chorales:
        one["data"]["train"], one["baselines"]["linear_cca"]["valid_mrr"] = 5000, 0.1
        one["baselines"]["linear_cca"] |= scores(1.5, 7)
    first, second = choose.rows([*sheet({"ccal_cont": 9.0}, (1, 2)), *chorales], {})
    assert (first["dataset"], first["use"]) == ("sheet music", runs.title("ccal_cont"))
    assert (second["dataset"], second["pairs"], second["use"]) == ("chorales", 5000, "Linear CCA")
    assert first["inputs"] == second["inputs"]
    assert first["linear"] != second["linear"]


def test_linear_cca_is_advised_unless_the_gain_lies_above_0():
    clear, open_ = (choose.told("emoji", 9, "ccal_cont", 0.3, 0.2, Mean(0.1, error, 99.0)) for error in (0.01, 0.1))
    assert [clear["use"], open_["use"]] == [runs.title("ccal_cont"), "Linear CCA"]


def test_the_page_says_what_the_records_of_this_repository_give(committed):
    shown = stands.fragments(committed, trials.load())
    for one in stands.verdicts(committed):
        line = next(line for line in shown["stands.md"].splitlines() if f"(claim-{one['claim'].name})" in line)
        words = {"**not yet run**", "**not finished**"} if one["verdict"] == UNTESTED else {f"**{one['verdict']}**"}
        assert any(word in line for word in words)
        assert all(
            path.exists() for seeds in one["records"].values() for path in (paths.RECORDS / f for f in seeds.values())
        )


def test_nothing_is_said_of_runs_that_are_not_there():
    shown = stands.fragments([], {})
    assert shown["stands.md"].count("not yet run") == sum(claim.tested for claim in CLAIMS.values())
    assert shown["answer.md"].count("There are no runs yet") == 2
    assert shown["choose.md"].strip().splitlines()[-1] == "There are no runs yet."


def test_a_long_run_in_the_home_page_s_table_leads_to_the_runs_of_its_profile():
    found = runs.group([record("ccal_tno", "medium"), record("ccal_cont", "quick")])
    shown = tables.filled("headline", tables.headline(found, []))
    assert "](metrics-medium)" in shown
    assert "](results/audio_score-ccal_cont.ipynb)" in shown
    assert "(metrics-medium)=" in tables.filled("metrics", tables.metrics(found))


def test_the_citation_has_the_version_and_the_date_of_its_file():
    told = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    shown = tables.filled("cite", stands.citation())
    assert f"version = {{{told['version']}}}" in shown
    assert f"Released on {told['date-released']}" in shown
    assert shown.count("{") == shown.count("}")
