"""Training with neighbourhoods as facts: what may see which text, resume, schedule, record; small made-up pairs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from book.show import neighborhood_summaries
from xmlib import data, evaluate, fit, methods, profiles
from xmlib.data import Pictures, Split, Splits, View
from xmlib.errors import InputError
from xmlib.neighborhoods import study
from xmlib.neighborhoods.training import NeighborhoodObjective, reduce_on_plateau
from xmlib.runs import experiments, records

TOPICS = ("river water boat fish", "mountain stone climb snow", "city street house tower", "forest tree leaf bird")
SETTINGS = profiles.settings("toy", "emoji", "neighborhoods", epochs=4, batch=16)


def made_up_split(n, seed):
    """Pictures of a topic's colour with its words; each pair is a group of its own."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(len(TOPICS), size=n)
    texts = [
        " ".join(rng.choice(TOPICS[topic].split(), 3, replace=False)) + f" word{rng.integers(5)}" for topic in topics
    ]
    features = (np.repeat(np.eye(len(TOPICS)), 3, axis=1)[topics] + 0.2 * rng.normal(size=(n, 12))).astype(np.float32)
    images = np.repeat((60 * topics).astype(np.uint8), 16 * 16 * 3).reshape(n, 16, 16, 3)
    weights = np.concatenate([np.eye(len(TOPICS))[topics], rng.random((n, 3))], axis=1).astype(np.float32)
    view1, view2 = View(n, (12,), features.__getitem__), View(n, (7,), weights.__getitem__)
    ids = [f"item{seed}-{i}" for i in range(n)]
    pictures = Pictures(images, np.arange(n))
    return Split(view1, view2, ids, np.arange(n), np.array(TOPICS)[topics], texts, pictures=pictures)


@pytest.fixture(scope="module")
def splits():
    return Splits("made_up", "toy", 0, {}, "digest", made_up_split(120, 1), made_up_split(30, 2), made_up_split(40, 3))


@pytest.fixture(scope="module")
def space(splits):
    return study.text_space(splits, seed=1)


def training(space, settings=SETTINGS, method="neighborhoods", seed=1, encoder="features", text_encoder="words"):
    seen = study.seen(space, encoder, text_encoder)
    model = study.build(method, settings, seed, space, encoder, text_encoder)
    objective = NeighborhoodObjective(seen, settings, seed, torch.device("cpu"), space.near)
    return fit.Training(model, seen, objective, settings, seed, torch.device("cpu"), reduce_on_plateau)


def rows(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def test_test_and_validation_texts_change_nothing_that_training_sees(splits, space):
    other = replace(
        splits, valid=replace(splits.valid, texts=["zebra"] * 30), test=replace(splits.test, texts=["yak"] * 40)
    )
    changed = study.text_space(other, seed=1)
    np.testing.assert_array_equal(changed.near.indices, space.near.indices)
    np.testing.assert_array_equal(changed.word_vectors, space.word_vectors)
    length = min(s.splits.train.view2.shape[0] for s in (changed, space))
    everyone = np.arange(120)
    np.testing.assert_array_equal(
        changed.splits.train.view2[everyone][:, :length], space.splits.train.view2[everyone][:, :length]
    )


def test_neighbours_share_the_topic_far_more_often_than_by_chance(splits, space):
    labels = splits.train.labels
    assert (labels[space.near.indices[:, :5]] == labels[:, None]).mean() > 0.4  # chance 0.25


def test_a_training_text_without_words_stops_or_is_left_out(splits):
    texts = list(splits.train.texts)
    texts[7] = "it is of a"
    broken = replace(splits, train=replace(splits.train, texts=texts))
    with pytest.raises(InputError, match="1 of 120 texts hold no word after cleaning, first item1-7"):
        study.text_space(broken)
    kept = study.text_space(broken, empty="skip")
    assert (kept.left_out, len(kept.splits.train), len(kept.near.indices)) == (1, 119, 119)
    assert kept.splits.train.ids[7] == "item1-8"
    np.testing.assert_array_equal(kept.splits.train.view1[7], splits.train.view1[8])
    np.testing.assert_array_equal(kept.splits.train.pictures[7], splits.train.pictures[8])


def test_pairs_without_texts_are_refused(splits):
    with pytest.raises(InputError, match="has no texts"):
        study.text_space(replace(splits, train=replace(splits.train, texts=None)))


@pytest.mark.parametrize("method", methods.NEIGHBORHOODS)
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_last_digit(space, tmp_path, method):
    whole = fit.run(training(space, method=method))
    part = training(space, replace(SETTINGS, epochs=2), method)
    fit.run(part, tmp_path / "c.pt")
    trained = []
    resumed = fit.run(training(space, method=method), tmp_path / "c.pt", lambda row: trained.append(row["seconds"]))
    assert trained[:2] == [row["seconds"] for row in part.history]  # taken over, not trained again
    assert rows(resumed.history) == rows(whole.history)
    for one, other in zip(whole.model.state_dict().values(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_the_loss_falls_and_test_pairs_are_found_above_chance(splits, space):
    longer = replace(SETTINGS, epochs=30, lr=1e-2)
    finished = fit.run(training(space, longer))
    assert finished.history[-1]["loss"] < 0.8 * finished.history[0]["loss"]
    x, y = fit.embed(finished.model, space.splits.test)
    near = (x @ y.T).argmax(1).numpy()
    assert (splits.test.labels[near] == splits.test.labels).mean() > 0.6  # chance 0.25


def test_the_loss_of_an_epoch_is_the_weighted_sum_of_the_recorded_terms(space):
    settings = replace(SETTINGS, sym=0.5, img=0.25, text=2.0)
    row = training(space, settings).epoch()
    assert row["loss"] == pytest.approx(row["i2t"] + 0.5 * row["sym"] + 0.25 * row["img"] + 2.0 * row["text"], rel=1e-5)


def test_the_released_form_has_the_larger_loss(space):
    intended, released = (training(space, replace(SETTINGS, released=form)).epoch() for form in (False, True))
    assert all(released[name] > intended[name] for name in ("i2t", "sym", "img", "text"))


def test_a_validation_loss_that_stalls_lowers_the_rate_and_then_ends_the_run_with_the_best_weights(space):
    settings = replace(SETTINGS, epochs=50, plateau=1, patience=4, lr=1e-3, lr_factor=0.1)
    run = training(space, settings)
    losses = iter([3.0, 2.0, 2.5, 2.5, 2.5, 2.5, 1.0])
    run.objective._valid_loss = lambda model: next(losses)
    for _ in range(2):
        run.epoch()
    kept = {name: value.clone() for name, value in run.model.state_dict().items()}
    while not run.stopped:
        run.epoch()
    assert run.stopped == "patience"
    assert run.best["epoch"] == 2
    assert [row["lr"] for row in run.history] == pytest.approx([1e-3] * 4 + [1e-4] * 2)
    assert all(torch.equal(kept[name], value) for name, value in run.use_best().state_dict().items())


def test_pixels_train_end_to_end(space):
    run = training(space, replace(SETTINGS, epochs=1), encoder="pixels")
    first = next(run.model.encoder1.parameters()).detach().clone()
    run.epoch()
    assert not torch.equal(first, next(run.model.encoder1.parameters()))


def test_pixels_need_pictures_and_a_known_encoder(splits):
    with pytest.raises(InputError, match="no pictures"):
        study.with_pixels(replace(splits, train=replace(splits.train, pictures=None)), "pixels")
    with pytest.raises(InputError, match="There is no image encoder 'vgg'; choose one of features, pixels, resnet50"):
        study.with_pixels(splits, "vgg")


def test_a_text_encoder_on_tf_idf_sees_the_same_pairs_and_neighbours(splits, space):
    seen = study.seen(space, text_encoder="tfidf")
    assert seen.train.ids == space.splits.train.ids
    np.testing.assert_array_equal(seen.test.view2[:], splits.test.view2[:])
    assert seen.digest not in (space.splits.digest, splits.digest)
    run = training(space, replace(SETTINGS, epochs=8), text_encoder="tfidf")
    losses = [run.epoch()["loss"] for _ in range(8)]
    assert losses[-1] < losses[0]
    x, y = fit.embed(run.model, seen.test)
    assert evaluate.mrr(x, y) > 2 * evaluate.chance_metrics(40)["mrr"]


def test_training_texts_without_a_word_are_left_out_of_tf_idf_too(splits):
    texts = ["the", *splits.train.texts[1:]]
    space = study.text_space(replace(splits, train=replace(splits.train, texts=texts)), empty="skip")
    assert space.left_out == 1
    assert space.weighed.train.ids == space.splits.train.ids == splits.train.ids[1:]
    np.testing.assert_array_equal(space.weighed.train.view2[:], splits.train.view2[np.arange(1, 120)])


def test_an_unknown_text_encoder_is_refused(space):
    with pytest.raises(InputError, match="There is no text encoder 'bert'; choose one of words, tfidf"):
        study.seen(space, text_encoder="bert")


def parameters(folder, **changed):
    usual = dict(method="neighborhoods", dataset="made_up", profile="toy", seed=1, weights_file="")
    return usual | dict(image_encoder="features", text_encoder="words", record=str(folder)) | changed


@pytest.fixture
def outcome(splits, space, tmp_path, monkeypatch):
    monkeypatch.setattr("xmlib.paths.RUNS", tmp_path / "runs")
    run = study.run("neighborhoods", parameters(tmp_path), splits, space, SETTINGS, torch.device("cpu"))
    return run, tmp_path


def test_a_record_holds_the_neighbours_their_recall_and_what_became_of_them(outcome):
    record = records.load(outcome[0].path)
    assert record["neighbors"]["hnsw_recall10"] >= 0.95
    assert record["neighbors"]["k"] == 119  # 200, or as many others as there are
    assert set(record["coherence"]) == {"image", "image_before", "text", "text_before"}
    assert record["coherence"]["text_before"]["text"] == 1  # Doc2Vec's vectors say themselves who is near
    assert record["pools"]["view1_to_view2"]["accuracy_chance"] == 20
    assert {"gensim", "nmslib"} <= set(record["packages"])
    assert record["code"] == records.code_of("neighborhoods") != records.code_of()
    assert neighborhood_summaries.coherence([record]).shape[0] == 4
    assert "chance is 20 %" in neighborhood_summaries.pools([record])


def test_tensorboards_files_hold_the_four_terms_of_every_epoch(outcome):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(next(outcome[1].glob("runs/*/tensorboard"))))
    found.Reload()
    for name in ("i2t", "sym", "img", "text", "valid_loss"):
        values = [event.value for event in found.Scalars(f"terms/{name}")]
        assert values == pytest.approx([row[name] for row in outcome[0].record["history"]], rel=1e-6)


def test_several_captions_of_a_picture_are_all_right_answers(splits, space):
    owner = np.repeat(np.arange(20), 2)
    test = replace(splits.test, image_of_text=owner)
    x = torch.nn.functional.normalize(torch.randn(20, 8), dim=1)
    found = study.captions(test, x[owner], x[owner])
    assert found["all"]["view1_to_view2"]["r1"] == found["all"]["view2_to_view1"]["r1"] == 100
    assert "folds" not in found


@pytest.mark.parametrize("dataset", ["table", "coco"])
def test_pairs_of_ones_own_go_the_whole_way(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("xmlib.paths.RUNS", tmp_path / "runs")
    monkeypatch.setattr("xmlib.paths.DATA", tmp_path / "data")
    rng = np.random.default_rng(0)
    said = {}
    for i in range(48):
        topic = i % len(TOPICS)
        picture = np.full((24, 24, 3), 60 * topic, np.uint8) + rng.integers(0, 40, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        said[f"{i}.png"] = [" ".join(rng.permutation(TOPICS[topic].split())) + f" {word}{i}" for word in ("one", "two")]
    if dataset == "coco":
        images = [{"id": i, "file_name": name} for i, name in enumerate(said)]
        notes = [{"image_id": i, "caption": text} for i, texts in enumerate(said.values()) for text in texts]
        file = tmp_path / "captions.json"
        file.write_text(json.dumps({"images": images, "annotations": notes}))
    else:
        file = tmp_path / "pairs.csv"
        file.write_text("image,text\n" + "".join(f"{name},{texts[0]}\n" for name, texts in said.items()))
    asked = parameters(tmp_path, dataset=dataset, dataset_file=str(file), image_folder="", missing="stop")
    splits = data.asked(asked)
    space = study.text_space(splits)
    settings = profiles.settings("toy", "emoji", "neighborhoods", epochs=1, batch=16)
    record = study.run("neighborhoods", asked, splits, space, settings, torch.device("cpu")).record
    assert ("captions" in record) == (dataset == "coco")
    assert ("any of them" in neighborhood_summaries.several_captions(record)) == (dataset == "coco")
    assert record["data"]["train"] == len(splits.train)


def test_a_method_without_neighbourhoods_is_refused(splits, space, tmp_path):
    asked = parameters(tmp_path, method="ccal_tno")
    with pytest.raises(InputError, match="'ccal_tno' does not train with neighbourhoods; choose one of neighborhoods"):
        study.run("neighborhoods", asked, splits, space, SETTINGS, torch.device("cpu"))


@pytest.mark.parametrize("name", study.CONFIGURATIONS)
def test_every_configuration_has_a_name_that_its_settings_lead_back_to(name):
    own = study.configured(name, {"sym": 1.0, "img": 0.3, "text": 0.2})
    found = study.variant(parameters(""), replace(SETTINGS, **own))
    assert found == ("" if name == "all" else name)


def test_other_weights_and_other_pairs_have_names_too():
    settings = replace(SETTINGS, img=0.5)
    assert study.variant(parameters(""), settings) == "sym_1-img_0.5-text_0.2-released_0"
    assert study.variant(parameters("", split="random"), SETTINGS) == "random"
    assert study.variant(parameters("", image_encoder="pixels"), SETTINGS) == "pixels"
    assert study.variant(parameters("", text_encoder="tfidf"), replace(SETTINGS, img=0, text=0)) == "tfidf-sym"


def test_an_unknown_configuration_is_refused():
    assert study.configurations("none img") == ("none", "img")
    with pytest.raises(InputError, match="There is no configuration 'sound'"):
        study.configurations("none sound")


def test_a_batch_of_the_released_32_is_no_fault_where_nothing_is_inverted():
    large = profiles.settings("full", "coco", "neighborhoods")
    assert (large.d, large.batch, large.lr, large.width, large.dropout) == (256, 32, 1e-4, 1.0, 0.0)
    assert profiles.settings("full", "coco", "neighborhoods", text_encoder="tfidf") == large
    small = profiles.settings("quick", "emoji", "neighborhoods", text_encoder="tfidf")
    assert small == replace(profiles.settings("quick", "emoji", "neighborhoods"), lr=1e-3, l2=1e-3)
    with pytest.raises(InputError, match="96 pairs is too small for d = 256"):
        profiles.settings("full", "coco", "ccal_neighborhoods")


def test_variants_of_the_usual_pairs_keep_their_names():
    assert (
        experiments.variant({"split": "zero_shot", "style": "openmoji", "test_style": "", "shuffled": False})
        == "zero_shot"
    )
