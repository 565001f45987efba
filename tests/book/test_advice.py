"""The trials behind the page of hyper-parameters, and what the page makes of them."""

import numpy as np
import pytest

from book.make import trials
from book.make.results import advice
from book.make.trials import Trial
from xmlib import paths
from xmlib.evaluate import DIRECTIONS

PAGE = (paths.ROOT / "book" / "hyperparameters.md").read_text()


@pytest.fixture(scope="module")
def kept():
    return trials.load()


def verdicts(kept, piece: str, dataset: str) -> dict[str, str]:
    """Setting → verdict."""
    return {row["setting"]: row["verdict"] for row in advice.table(kept, piece) if row["dataset"] == dataset}


def test_every_trial_that_is_planned_is_kept_once_and_no_other(kept):
    planned = [trial.key(seed) for trial, seed in trials.planned()]
    assert len(set(planned)) == len(planned)
    assert set(planned) == set(kept)


def test_a_trial_that_is_made_again_scores_the_same(kept):
    trial = Trial("digits", "linear_nce", n=100)
    again, before = trials.make(trial, 1), kept[trial.key(1)]
    assert again["settings"] == before["settings"]
    for way in DIRECTIONS:
        assert again["valid"][way] == pytest.approx(before["valid"][way], abs=0.02)  # elsewhere digits drift apart


def test_fewer_pairs_are_whole_groups_of_the_training_pairs():
    splits = trials.pairs("digits")
    groups = np.arange(len(splits.train)) // 7
    splits.train.groups, old = groups, splits.train.groups
    few = trials.fewer(splits, 100, seed=1)
    splits.train.groups = old
    assert 90 < len(few.train) <= 100
    for group in set(few.train.groups):
        assert (few.train.groups == group).sum() == (groups == group).sum()
    rows = [int(name) for name in few.train.ids]
    np.testing.assert_array_equal(few.train.view1[:], splits.train.view1[rows])
    assert len(few.valid) == len(splits.valid)


def test_a_trial_is_kept_beside_those_that_are_there(tmp_path, monkeypatch, kept):
    monkeypatch.setattr(trials, "FILE", tmp_path / "advice.json")
    monkeypatch.setattr("xmlib.paths.RUNS", tmp_path / "runs")
    first, second = list(trials.planned())[:2]
    for trial, seed in (second, first):
        trials.save(trial.key(seed), kept[trial.key(seed)])
    assert list(trials.load()) == [trial.key(seed) for trial, seed in (first, second)]
    assert len(trials.FILE.read_text().splitlines()) == 4


def test_a_difference_is_that_of_the_mean_reciprocal_ranks(kept):
    one, other = Trial("digits", changes={"d": 4}), Trial("digits")
    means = []
    for trial in (one, other):
        rows = [kept[trial.key(seed)] for seed in trials.SEEDS]
        means.append(np.mean([[1 / rank for rank in row["ranks"][way]] for row in rows for way in DIRECTIONS]))
    found = advice.compared(kept, one, other, trials.SEEDS)
    assert found["gain"][0] == pytest.approx(means[0] - means[1], abs=2e-3)  # ties count in expectation
    assert advice.verdict(found["gain"][1]) == found["verdict"]


def test_a_verdict_needs_an_interval_without_0():
    ends = [(0.01, 0.02), (-0.02, -0.01), (-0.01, 0.02), (0.0, 0.01)]
    assert [advice.verdict(end) for end in ends] == ["better", "worse", "open", "open"]


def test_a_label_says_the_values_that_the_trial_had(kept):
    asked = trials.PIECES["head"]["emoji"]
    told = [advice.label(kept[trial.key(1)], asked) for trial in asked]
    assert told[0] == "`ccal_cont`, one way, dropout = 0"
    assert told[-1] == "`learned_cont`, both ways, dropout = 0.5"
    assert len(set(told)) == len(told)


def test_the_page_shows_every_piece():
    assert [piece for piece in trials.PIECES if f"_generated/advice_{piece}.md" not in PAGE] == []


def test_the_validation_pairs_have_as_many_groups_as_ranks(kept):
    assert trials.groups(kept, "digits") == list(range(trials.VALID))
    for row in kept.values():
        assert {len(ranks) for ranks in row["ranks"].values()} == {len(trials.groups(kept, row["dataset"]))}


def test_the_page_says_of_emoji_what_the_trials_say(kept):
    width, batch = verdicts(kept, "width", "emoji"), verdicts(kept, "batch", "emoji")
    assert width == {"d = 64": "", "d = 16": "worse", "d = 32": "open", "d = 128": "worse"}
    assert batch == {"batch = 300": "", "batch = 65": "worse", "batch = 100": "worse", "batch = 600": "open"}
    assert set(verdicts(kept, "ridge", "emoji").values()) == {"", "open"}
    assert list(verdicts(kept, "rate", "emoji").values()) == ["", "open", "worse", "worse"]
    assert list(verdicts(kept, "schedule", "emoji").values()) == ["", "open", "better"]
    assert list(verdicts(kept, "decay", "emoji").values()) == ["", "worse", "worse"]
    assert list(verdicts(kept, "margin", "emoji").values()) == ["", "worse", "better"]
    assert list(verdicts(kept, "weight", "emoji").values()) == ["", "open", "open"]
    assert list(verdicts(kept, "head", "emoji").values()) == ["", "open", "worse", "worse", *["open"] * 4]
    assert list(verdicts(kept, "info_nce_learned", "emoji").values()) == ["", "better"]
    assert list(verdicts(kept, "refit", "emoji").values()) == ["", "worse", "worse", "open", "open"]


def test_the_page_says_of_digits_what_the_trials_say(kept):
    assert set(verdicts(kept, "width", "digits").values()) == {"", "open"}
    assert list(verdicts(kept, "batch", "digits").values()) == ["", "worse", "open"]
    for piece in ("ridge", "rate", "decay", "margin", "weight"):
        assert set(verdicts(kept, piece, "digits").values()) == {"", "open"}, piece
    head = verdicts(kept, "head", "digits")
    assert head["`learned_cont`, both ways, dropout = 0"] == "better"
    assert head["`learned_cont`, both ways, dropout = 0.5"] == "worse"
    assert list(verdicts(kept, "refit", "digits").values()) == ["", *["worse"] * 4]


def test_an_average_over_batches_is_nowhere_told_to_be_worse(kept):
    rows = [row for piece in ("alpha", "alpha_small") for row in advice.table(kept, piece) if row["gain"]]
    assert min(row["gain"][0] for row in rows) > 0
    assert {row["verdict"] for row in rows if row["dataset"] == "emoji"} == {"open", "better"}


def test_with_few_pairs_no_method_is_above_linear_cca(kept):
    rows = [row for row in advice.by_pairs(kept) if row["gain"]]
    assert {row["verdict"] for row in rows if row["pairs"] < 250} == {"worse", "open"}
    assert {row["verdict"] for row in rows if row["method"] == "linear_nce"} == {"open"}
    above = {(row["dataset"], row["method"]) for row in rows if row["verdict"] == "better"}
    assert above == {("digits", "ccal_cont"), ("digits", "ccal_tno")}
    assert [row["verdict"] for row in rows if row["dataset"] == "emoji"][-4:] == ["worse", "open", "worse", "open"]
