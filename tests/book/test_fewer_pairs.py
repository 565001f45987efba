"""What the page says of fewer pairs, and of chorales: the runs that belong there and no others."""

import numpy as np
import pytest
from made_up import record

from book.make.results import chorales, fewer_pairs
from xmlib import evaluate

QUALITY = {"ccal_tno": 1.2, "learned_cont": 1.0, "ccal_cont": 1.4}


def run(method, pairs, seed=1, variant="", both_ways=False, **changes):
    made = record(
        method, "medium", seed, QUALITY[method], variant=variant, settings={"both_ways": both_ways}, **changes
    )
    made["data"]["train"] = pairs
    made["baselines"]["linear_cca"]["valid_mrr"] = 0.2
    return made


def few(seeds=(1, 2)):
    return [run(method, 500, seed, "pairs_500") for method in QUALITY for seed in seeds]


def usual(seeds=(1, 2)):
    variants = {"learned_cont": "one_way"}
    return [run(method, 16000, seed, variants.get(method, "")) for method in QUALITY for seed in seeds]


def mean(found, method, pairs):
    kept = [r for r in found if r["method"] == method and r["data"]["train"] == pairs]
    return np.mean([r["metrics"][way]["mrr"] for r in kept for way in evaluate.DIRECTIONS])


def test_every_point_is_the_mean_of_both_directions_and_the_gain_that_of_the_two_heads():
    found = few() + usual()
    points = fewer_pairs.by_pairs(found)
    assert [point.pairs for point in points] == [500, 16000]
    for point in points:
        for method in QUALITY:
            assert point.mrr[method][0] == pytest.approx(mean(found, method, point.pairs), abs=1e-4)
        expected = mean(found, "ccal_cont", point.pairs) - mean(found, "learned_cont", point.pairs)
        assert point.gain.value == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "other",
    [
        run("learned_cont", 16000, both_ways=True),
        run("learned_cont", 500, variant="pairs_500", both_ways=True),
        run("ccal_cont", 16000, variant="augmented"),
        run("ccal_cont", 500, variant="both_ways", both_ways=True),
        {**run("ccal_cont", 500, variant="pairs_500"), "profile": "full"},
        {**run("ccal_cont", 500, variant="pairs_500"), "dataset": "icons"},
    ],
)
def test_runs_with_another_loss_profile_or_data_set_are_left_out(other):
    found = few()
    (point,) = fewer_pairs.by_pairs([*found, other])
    assert sum(map(len, point.runs.values())) == len(found)


def test_heads_without_a_common_seed_have_no_gain():
    found = [r for r in few() if (r["method"], r["seed"]) not in {("ccal_cont", 1), ("learned_cont", 2)}]
    (point,) = fewer_pairs.by_pairs(found)
    assert point.gain is None
    assert "| 500 | 1 |" in fewer_pairs.fragments(found)["fewer_pairs.md"]


def test_the_page_says_what_makes_the_runs_until_there_are_some():
    assert "`make medium`" in fewer_pairs.fragments(usual())["fewer_pairs.md"]
    assert fewer_pairs.pictures(usual(), draw=None) == {}
    assert "`make medium`" in chorales.fragments(usual())["chorales.md"]


def test_one_seed_is_said_to_be_one():
    assert "With one seed" in fewer_pairs.fragments(few(seeds=(1,)))["fewer_pairs.md"]
    assert "With one seed" not in fewer_pairs.fragments(few())["fewer_pairs.md"]


def test_the_tables_of_chorales_have_each_method_once_and_the_differences_in_both_directions():
    found = [run(method, 5000, variant="chorales") for method in QUALITY] + usual()
    assert [r.method for r in chorales.of_variant(found, "chorales")] == list(QUALITY)
    text = chorales.fragments(found)["chorales.md"]
    assert "5,000 training pairs; 60 test pairs from 12 groups" in text
    gap = mean(found, "ccal_cont", 5000) - mean(found, "learned_cont", 5000)
    line = next(x for x in text.splitlines() if x.startswith("| Learned map, ranking loss − CCA layer, ranking loss"))
    values = [float(cell.split("[")[0].replace("−", "-").replace("+", "")) for cell in line.split("|")[2:4]]
    assert np.mean(values) == pytest.approx(-gap, abs=2e-3)


def test_changed_chorales_have_a_table_of_their_own_that_names_their_epochs():
    found = [run("ccal_cont", 5000, variant=variant) for variant in chorales.VARIANTS]
    found[1]["settings"]["augment"] = 1.0
    first, second = chorales.fragments(found)["chorales.md"].split("Training pairs changed anew")
    assert first.count("| CCA layer, ranking loss |") == second.count("| CCA layer, ranking loss |") == 1
    assert f"({len(found[1]['history'])} epochs)" in second
