"""The page compares heads only where loss, directions and dropout are alike."""

import numpy as np
import pytest
from made_up import record

from book.make import grid
from book.make.results import heads
from book.make.results.evidence_heads import HEADS
from xmlib import evaluate


def run(method, seed=1, quality=1.0, directions=0, dropout=0.0, dataset="emoji"):
    settings = {"both_ways": {0: None, 1: False, 2: True}[directions], "dropout": dropout}
    asked = {"directions": directions, "dropout": dropout}
    return record(method, "full", seed, quality, dataset=dataset, settings=settings, parameters=asked)


def test_what_the_layer_adds_is_the_mean_difference_over_the_seeds_that_both_heads_have():
    runs = [run("ccal_nce", s, 1.4) for s in (1, 2, 3)] + [run("learned_nce", s) for s in (1, 2)]
    (two,) = heads.comparisons(runs)
    assert two[:3] == ("emoji", "InfoNCE", 0.0)
    assert two.layer.seeds == two.learned.seeds == [1, 2]
    for way in evaluate.DIRECTIONS:
        one, other = (np.mean([r["metrics"][way]["mrr"] for r in own]) for own in (runs[:2], runs[3:]))
        assert two.gains[way].value == pytest.approx(one - other, abs=1e-4)


def test_runs_that_differ_in_directions_or_dropout_are_not_compared():
    assert heads.comparisons([run("ccal_cont", directions=1), run("learned_cont", directions=2)]) == []
    assert heads.comparisons([run("ccal_nce", dropout=0.5), run("learned_nce")]) == []


def test_a_usual_run_with_the_settings_of_one_that_was_asked_for_does_not_count_twice():
    asked = [run(m, s, q) for m, q in (("ccal_nce", 1.4), ("learned_nce", 1.0)) for s in (1, 2)]
    usual = record("learned_nce", "full", 1, 3.0, dataset="emoji", settings=asked[2]["settings"])
    for found in ([*asked, usual], [usual, *asked]):
        (two,) = heads.comparisons(found)
        assert list(two.learned) == asked[2:]


def test_every_loss_is_asked_for_on_both_heads():
    asked = grid.rows()["heads"]["directions"]
    kinds = {
        head: sorted((m.split("_")[1], *asked[m]) for m in asked if HEADS[m] == head) for head in ("layer", "learned")
    }
    assert kinds["layer"] == kinds["learned"]


def test_the_table_has_a_row_for_each_direction_and_says_how_many_differences_hold():
    runs = [run(m, s, q, directions=1) for m, q in (("ccal_cont", 3.0), ("learned_cont", 0.4)) for s in (1, 2, 3)]
    text = heads.fragments(runs)["heads.md"]
    assert text.count("| emoji |") == 1
    assert "correction for all 2 differences, the CCA layer is above the learned map in 2 and" in text
    assert "`make heads`" in heads.fragments([])["heads.md"]
