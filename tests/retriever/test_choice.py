"""Facts about the choice among methods, and about showing what was found."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from book.show import own_pairs
from xmlib import evaluate, paths
from xmlib.data.own import pairs
from xmlib.data.own.ready import ready
from xmlib.data.pictures.preparation import Images
from xmlib.errors import InputError
from xmlib.retriever import Retriever, choice
from xmlib.scoring import captions, health
from xmlib.show import gallery

N = 300


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RUNS", tmp_path_factory.mktemp("runs"))
        draw = np.random.default_rng(0)
        hidden = draw.normal(size=(N, 6))
        one, other = (hidden @ draw.normal(size=(6, d)) + 0.5 * draw.normal(size=(N, d)) for d in (20, 12))
        yield ready(pairs.read(one, other, quiet=True))


@pytest.fixture(scope="module")
def done(data):
    return choice.trials(data, 1, ("linear_nce", "ccal_cont"), say=lambda line: None, epochs=5)


def test_the_best_on_validation_is_chosen_and_all_stand_in_the_table(data, done):
    assert [trial.method for trial in done] == ["linear_cca", "linear_nce", "ccal_cont"]
    assert choice.best(done).valid_mrr == max(trial.valid_mrr for trial in done)
    table = choice.table(done, data)
    assert list(table.index)[-1] == "Chance"
    assert table["validation MRR"].iloc[0] == choice.best(done).valid_mrr
    assert table.loc["Chance", "MRR, view1 → view2"] < table["MRR, view1 → view2"].iloc[0] / 5


def test_test_scores_are_those_of_the_model_on_raw_items(data, done):
    rows = data.rows["test"]
    for trial in done:
        found = trial.retriever.evaluate(data.pairs.view1.items[rows], data.pairs.view2.items[rows])
        for way, metrics in trial.test["metrics"].items():
            assert found[way]["mrr"] == pytest.approx(metrics["mrr"], abs=1e-6)


def test_the_clock_stops_training_after_an_epoch_and_leaves_out_what_has_no_time(data):
    said = []
    found = choice.trials(data, 0, ("ccal_cont", "learned_cont"), say=said.append)
    assert [trial.method for trial in found] == ["linear_cca", "ccal_cont"]
    assert (found[1].stopped, len(found[1].retriever.about["history"])) == ("halted", 1)
    assert "Learned map, ranking loss: left out" in said[-1]
    assert "stopped by the clock" in said[1]


def test_a_d_above_the_features_is_refused_before_anything_is_trained(data):
    with pytest.raises(InputError, match="d = 13 is more than the 12 features of a view"):
        choice.trials(data, 1, d=13)


def test_the_recommendation_says_how_sure_it_is(data, done):
    words = choice.recommendation(done, data.splits.test.groups)
    best = choice.best(done)
    assert words.startswith(f"**Take {best.title}** (`{best.method}`)")
    assert f"{best.reciprocal_ranks().mean():.3f} [" in words
    assert "one seed" in words


def test_a_difference_within_the_interval_is_said_to_be_none(data, done):
    twice = [done[0], replace(done[0], method="ccal_tno")]
    assert "The test cannot tell it from: CCA layer, trace norm" in choice.recommendation(
        twice, data.splits.test.groups
    )


def test_the_kept_model_finds_the_ids_of_the_pairs(data, done, tmp_path):
    choice.keep(choice.best(done), data, tmp_path / "model")
    ids, scores = Retriever.load(tmp_path / "model").search(data.pairs.view1.items[3], 10)
    assert set(ids) <= set(data.pairs.ids)
    assert (np.diff(scores) <= 0).all()


def test_the_summary_is_json(data, done):
    checkup = health.report(data)
    found = own_pairs.summary({"seed": 1}, data.pairs, checkup, done, "words")
    assert json.loads(json.dumps(found))["trials"][0]["metrics"] == done[0].test["metrics"]


def test_corrections_for_hubs_stand_beside_plain_scores(data, done):
    table = own_pairs.hubs(choice.best(done), data)
    plain = choice.best(done).test["metrics"]["view1_to_view2"]
    assert table.loc[("view1 → view2", "none"), "MRR"] == plain["mrr"]
    assert {"csls", "query_bank"} <= set(table.index.get_level_values(1))


@pytest.fixture
def shown(tmp_path):
    """Twelve pairs of sounds and pictures."""
    for i in range(12):
        Image.new("RGB", (30, 20), (20 * i, 0, 0)).save(tmp_path / f"{i}<b>.png")
        soundfile.write(tmp_path / f"{i}<b>.wav", 0.3 * np.sin(np.arange(4000) * (i + 1) / 50), 8000)
    return pairs.read(tmp_path, quiet=True)


def test_pictures_and_players_are_inside_the_page_and_names_are_escaped(shown):
    page = own_pairs.examples(shown, [0, 1])
    assert len(re.findall(r'src="data:image/png;base64,', page)) == 2
    assert len(re.findall(r'<audio controls [^>]*src="data:audio/mpeg;base64,', page)) == 2
    assert "<b>" not in page
    assert "0&lt;b&gt;.wav" in page
    assert set(re.findall(r'src="(\w+)', page)) == {"data"}


def test_the_right_answer_has_the_frame(shown):
    page = own_pairs.found(shown, [0], [[2, 0, 1]], [2.0])
    cells = page.split("<td")[1:]
    assert [("#009E73" in cell) for cell in cells] == [False, False, True, False]
    assert "rank 2" in cells[0]


def test_texts_and_numbers_are_shown_as_they_are():
    found = pairs.read([f"<i>fox</i> {i}" for i in range(12)], np.arange(60.0).reshape(12, 5), quiet=True)
    assert gallery.item(found.view1, 3) == "&lt;i&gt;fox&lt;/i&gt; 3"
    assert gallery.item(found.view2, 3).count("<polyline") == 1


@pytest.fixture(scope="module")
def captioned(tmp_path_factory):
    """Pairs of 60 pictures with two captions each, and linear CCA of them."""
    home, draw = tmp_path_factory.mktemp("captioned"), np.random.default_rng(0)
    for i in range(60):
        Image.fromarray(draw.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(home / f"p{i}.png")
    lines = [f"p{row % 60}.png,{' '.join(draw.choice(list('bcdefghklm'), 4))} {row}" for row in draw.permutation(120)]
    (home / "pairs.csv").write_text("\n".join(["image,text", *lines]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RUNS", tmp_path_factory.mktemp("runs"))
        data = ready(pairs.read(table=home / "pairs.csv", quiet=True), preparations=(Images(16), None))
        return data, choice.trials(data, 1, ("linear_cca",), say=lambda line: None)[0]


def test_trials_of_captions_are_scored_with_any_caption_as_right(captioned):
    data, trial = captioned
    view, item = data.shared("test")
    assert trial.test == captions.both_ways(trial.x, trial.y, view, item, groups=data.splits.test.groups)
    assert trial.reciprocal_ranks().mean() == pytest.approx(
        np.mean([metrics["mrr"] for metrics in trial.test["metrics"].values()])
    )
    chance = choice.table([trial], data).loc["Chance"]
    assert chance["R@1, view1 → view2"] == pytest.approx(100 * 2 / len(item))
    assert chance["R@1, view2 → view1"] == pytest.approx(100 / len(set(item)))


def test_answers_have_a_picture_once_and_all_its_captions_are_framed(captioned):
    data, trial = captioned
    rows, number = data.rows["test"], data.files[1]
    found = own_pairs.answers(trial, data, "view2_to_view1", range(len(rows)), 8)
    assert all(len(set(number[rows[row]])) == 8 for row in found)
    forth = own_pairs.answers(trial, data, "view1_to_view2", [0], len(rows))
    html = own_pairs.found(data.pairs, rows[[0]], rows[forth], [1], same=number)
    assert html.count(own_pairs.RIGHT) == 2


def test_hubs_of_captions_are_looked_for_with_every_pair_by_itself(captioned):
    data, trial = captioned
    table = own_pairs.hubs(trial, data)
    plain = evaluate.both_ways(trial.x, trial.y)["metrics"]["view1_to_view2"]["mrr"]
    assert table["MRR"].iloc[0] == pytest.approx(plain)
