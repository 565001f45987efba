"""What the page says each ingredient gives: the rungs that have runs, and each gain above the one below it."""

import numpy as np
import pytest
from made_up import record

from book.make import grid
from book.make.results import ladder
from xmlib import evaluate

QUALITY = {"": 1.4, "one_way": 1.1, "augmented": 1.2, "pairs_40000": 1.7, "best": 2.0}


def run(method, variant="", seed=1, **changes):
    quality = 1.0 if method == "learned_cont" else QUALITY[variant]
    return record(method, "medium", seed, quality, variant=variant, **changes)


def plain(seeds=(1, 2)):
    return [run(method, seed=seed) for method in ("learned_cont", "ccal_cont") for seed in seeds]


def mean(found, step, seeds=(1, 2)):
    kept = [r for r in found if (r["method"], r["variant"]) == step and r["seed"] in seeds]
    return np.mean([r["metrics"][way]["mrr"] for r in kept for way in evaluate.DIRECTIONS])


def test_a_gain_is_the_mrr_above_the_step_below_on_the_seeds_of_both():
    found = [*plain(), run("ccal_cont", "pairs_40000", seed=2)]
    first, layer, more = ladder.ladder(found)
    assert first.gain is None
    expected = mean(found, ladder.LAYER) - mean(found, ladder.START)
    assert layer.gain.value == pytest.approx(expected, abs=1e-4)
    expected = mean(found, ladder.MORE, {2}) - mean(found, ladder.LAYER, {2})
    assert more.gain.value == pytest.approx(expected, abs=1e-4)


def test_the_step_between_the_heads_has_the_loss_alone_changed():
    between = [run("learned_cont", "one_way", seed) for seed in (1, 2)]
    _, loss, layer = ladder.ladder([*plain(), *between])
    assert (loss.below, layer.below) == (ladder.START, ("learned_cont", "one_way"))


def test_a_step_stands_above_the_next_one_that_was_run():
    *_, best = ladder.ladder([*plain(), run("ccal_cont", "best")])
    assert best.below == ladder.LAYER


def test_steps_without_a_common_seed_have_no_gain():
    *_, more = ladder.ladder([*plain(), run("ccal_cont", "augmented", seed=3)])
    assert more.below == ladder.LAYER
    assert more.gain is None
    assert "| 1 | – |" in ladder.fragments([*plain(), run("ccal_cont", "augmented", seed=3)])["ladder.md"]


def test_the_one_that_validation_prefers_is_named_with_its_test_mrr():
    found = [*plain(), run("ccal_cont", "augmented")]
    text = ladder.fragments(found)["ladder.md"]
    assert "Validation prefers *CCA layer, ranking loss one way*" in text
    assert "With one seed" in text
    assert "With one seed" not in ladder.fragments(plain())["ladder.md"]


def test_runs_of_other_profiles_and_data_are_left_out():
    others = [{**run("ccal_cont"), "profile": "quick"}, {**run("ccal_cont"), "dataset": "icons"}]
    assert len(ladder.ladder([run("learned_cont"), *others])) == 1
    assert "`make medium`" in ladder.fragments(others)["ladder.md"]


def test_every_step_is_of_the_grid_and_has_a_name_on_the_page():
    row = grid.rows()["audio_score"]
    for method, variant in ladder.STEPS:
        assert method in (row["variants"][variant].get("methods", row["methods"]) if variant else row["methods"])
    found = [record(method, "medium", variant=variant) for method, variant in ladder.STEPS]
    text = ladder.fragments(found)["ladder.md"]
    assert sum(line.startswith("| ") for line in text.splitlines()) == len(ladder.STEPS) + 2
