"""Training as facts, on small made-up views."""

import copy
import functools
import math

import numpy as np
import pytest
import torch

from xmlib import data, encoders, evaluate, fit, methods, profiles
from xmlib.data import Split, Splits, View
from xmlib.data.audio_score import on_device, pairs
from xmlib.data.audio_score.augment import Augmentation
from xmlib.errors import InputError
from xmlib.model import LinearHead
from xmlib.runs import records

SHAPES = ((1, 16, 24), (1, 32, 16))  # small, but four poolings leave something
CUT_SHAPES = ((1, 40, 50), (1, 92, 42))  # what is cut out of strips and spectrograms


def made_up_split(n, seed, shapes=SHAPES, causes=4):
    """Pictures of gratings, one spatial frequency a cause; how strong each is, both views share."""
    rng = np.random.default_rng(seed)
    strength = np.exp(rng.normal(size=(n, causes, 1, 1)))
    views = []
    for _, height, width in shapes:
        rows, columns = np.arange(height)[:, None], np.arange(width)
        phase = rng.uniform(0, 2 * np.pi, size=(n, causes, 1, 1))
        waves = [np.cos(np.pi * (k + 1) / causes * (rows if k % 2 else columns) + phase[:, k]) for k in range(causes)]
        picture = (strength * np.stack([np.broadcast_to(w, (n, height, width)) for w in waves], axis=1)).sum(1)
        views.append(np.tanh(picture / 4)[:, None].astype(np.float32))
    view1, view2 = (View(n, shape, v.__getitem__) for shape, v in zip(shapes, views, strict=True))
    return Split(view1, view2, [f"item{i}" for i in range(n)], np.arange(n) // 4)


@pytest.fixture(scope="module")
def splits():
    return Splits("made_up", "toy", 0, {}, "digest", made_up_split(160, 1), made_up_split(50, 2), made_up_split(50, 3))


@pytest.fixture(autouse=True)
def saved_after_every_epoch(monkeypatch):
    """Here epochs take milliseconds."""
    monkeypatch.setattr(fit, "SAVE_EVERY", 0.0)


@pytest.fixture(scope="module")
def changeable():
    """Likewise, but the training pairs are cut out of noise and can be changed."""
    n, width, length = 80, 104, 44
    rng = np.random.default_rng(4)
    strips = rng.integers(0, 256, (n * width, 80), dtype=np.uint8)
    frames = rng.random((2 * n * length, 92)).astype(np.float16)
    row = np.arange(n)
    begin = length * (2 * row[:, None] + np.arange(2))
    sounding = np.zeros((n, 2), pairs.SOUNDING)
    sounding["frame"] = begin + 1
    strip, sound = (np.stack([first, first + size], axis=-1) for first, size in ((width * row, width), (begin, length)))
    own = Augmentation(on_device.Resident(strips), on_device.Resident(frames), strip[:, 0] + 2, strip, sounding, sound)
    view1 = View(n, CUT_SHAPES[0], lambda i: pairs.cut_pictures(strips, own.column[i]))
    view2 = View(n, CUT_SHAPES[1], lambda i: pairs.cut_sounds(frames, sounding["frame"][i, 0]))
    train = Split(view1, view2, [f"item{i}" for i in row], row // 4, augmentation=own)
    return Splits("made_up", "toy", 0, {}, "digest", train, *(made_up_split(50, seed, CUT_SHAPES) for seed in (2, 3)))


def train(splits, method="ccal_cont", checkpoint=None, seed=1, on_epoch=lambda row: None, **changes):
    settings = profiles.settings("toy", **changes)
    model = methods.build(method, settings, seed)
    return fit.fit(model, splits, method, settings, seed, checkpoint=checkpoint, on_epoch=on_epoch)


def begun(splits, method, settings, seed=1):
    objective = fit.Objective(methods.METHODS[method].terms(settings))
    return fit.Training(methods.build(method, settings, 1), splits, objective, settings, seed, torch.device("cpu"))


def numbers(training):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in training.history]


def weights(training):
    return training.model.state_dict()


@pytest.fixture(scope="module")
def uninterrupted(splits):
    """The run of a method over four epochs, trained once; not to be changed."""
    return functools.cache(lambda method: train(splits, method, epochs=4))


@pytest.mark.parametrize("method", methods.PAPER)
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_digit(splits, uninterrupted, method, tmp_path):
    whole = uninterrupted(method)
    part = train(splits, method, tmp_path / "c.pt", epochs=2)
    resumed = train(splits, method, tmp_path / "c.pt", epochs=4)
    assert resumed.history[:2] == part.history  # with their seconds: taken over, not trained again
    assert numbers(resumed) == numbers(whole)
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed).values(), weights(whole).values(), strict=True))


@pytest.mark.faults
def test_a_run_killed_inside_a_refinement_or_an_annealing_goes_on_as_if_nothing_had_happened(splits, tmp_path):
    for changes in (dict(patience=1, refine_patience=1, lr=0.05), dict(anneal=0.5)):
        whole = train(splits, epochs=7, **changes)
        for stop in (2, 5):
            path = tmp_path / f"{len(changes)}-{stop}.pt"
            with pytest.raises(KeyboardInterrupt):
                train(splits, checkpoint=path, epochs=7, on_epoch=killer(stop), **changes)
            assert len(fit.load_checkpoint(path, "cpu")["history"]) == stop - 1  # killed before it was saved
            assert numbers(train(splits, checkpoint=path, epochs=7, **changes)) == numbers(whole)
        if "patience" in changes:
            assert {row["phase"] for row in whole.history} > {0, 1}


def test_short_epochs_share_a_checkpoint_and_the_last_one_is_always_saved(splits, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(fit, "save_atomically", lambda state, path: saved.append(len(state["history"])))
    monkeypatch.setattr(fit, "SAVE_EVERY", 1e9)
    train(splits, checkpoint=tmp_path / "c.pt", epochs=3)
    assert saved == [3]
    epoch = fit.Training.epoch
    monkeypatch.setattr(fit.Training, "epoch", lambda self: epoch(self) | {"seconds": 2.0})
    monkeypatch.setattr(fit, "SAVE_EVERY", 3.0)
    train(splits, checkpoint=tmp_path / "c.pt", epochs=5)
    assert saved == [3, 2, 4, 5]


def test_a_training_that_is_halted_is_saved_and_goes_on_as_if_nothing_had_happened(
    splits, uninterrupted, tmp_path, monkeypatch
):
    monkeypatch.setattr(fit, "SAVE_EVERY", 1e9)
    settings, answers = profiles.settings("toy", epochs=4), iter([False, False, True])
    half = fit.fit(
        methods.build("ccal_cont", settings, 1), splits, "ccal_cont", settings, checkpoint=tmp_path / "c.pt",
        halt=lambda: next(answers),
    )  # fmt: skip
    assert (len(half.history), half.stopped) == (2, "")
    seen = []
    resumed = train(splits, checkpoint=tmp_path / "c.pt", epochs=4, on_epoch=lambda row: seen.append(row["seconds"]))
    assert seen[:2] == [row["seconds"] for row in half.history]  # taken over, not trained again
    assert numbers(resumed) == numbers(uninterrupted("ccal_cont"))


def test_a_resumed_run_on_changed_pairs_equals_an_uninterrupted_one(changeable, tmp_path):
    whole = train(changeable, epochs=4, augment=1.0)
    train(changeable, checkpoint=tmp_path / "c.pt", epochs=2, augment=1.0)
    resumed = train(changeable, checkpoint=tmp_path / "c.pt", epochs=4, augment=1.0)
    assert numbers(resumed) == numbers(whole)
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed).values(), weights(whole).values(), strict=True))


def training_batch(splits, seed=1, epoch=0, step=0, **changes):
    training = begun(splits, "ccal_cont", profiles.settings("toy", **changes), seed)
    training.history = [{}] * epoch
    return training._training_batch(np.arange(20), step)


def test_changes_follow_from_seed_epoch_and_batch_alone(changeable):
    batch = training_batch(changeable, augment=1.0)
    for one, same in zip(batch, training_batch(changeable, augment=1.0), strict=True):
        assert torch.equal(one, same)
    for other in (dict(seed=2), dict(epoch=1), dict(step=1)):
        assert not torch.equal(batch[0], training_batch(changeable, augment=1.0, **other)[0])


def test_without_augment_several_renderings_are_drawn_from_and_pictures_stay(changeable):
    pictures, sounds = training_batch(changeable)
    plain = fit.load_batch(changeable.train, np.arange(20), "cpu")
    assert torch.equal(pictures, plain[0])
    same = [torch.equal(one, other) for one, other in zip(sounds, plain[1], strict=True)]
    assert 0 < sum(same) < 20


def test_without_augment_a_single_rendering_is_trained_on_as_it_is(changeable):
    single = copy.copy(changeable)
    single.train = copy.copy(changeable.train)
    single.train.augmentation = copy.copy(changeable.train.augmentation)
    single.train.augmentation.renderings = 1
    for one, plain in zip(training_batch(single), fit.load_batch(single.train, np.arange(20), "cpu"), strict=True):
        assert torch.equal(one, plain)
    assert not torch.equal(training_batch(single, augment=1.0)[0], training_batch(single)[0])


def test_the_head_is_refitted_on_unchanged_pairs(changeable):
    model = train(changeable, "ccal_tno", epochs=1, augment=1.0).model
    h1, _ = fit.features(model, changeable.train)
    torch.testing.assert_close(model.head.mean1.float(), h1.mean(0), rtol=1e-4, atol=1e-5)


def test_augment_is_refused_where_there_is_no_augmentation(splits):
    with pytest.raises(InputError, match="augment = 1 is asked for, but made_up has no augmentation: set it to 0"):
        train(splits, augment=1.0)


@pytest.fixture(scope="module")
def three_epochs(splits):
    """A run as the profile has it, without a checkpoint; not to be changed."""
    return train(splits)


def killer(after):
    def on_epoch(row):
        if row["epoch"] == after:
            raise KeyboardInterrupt

    return on_epoch


def test_a_lower_limit_than_a_checkpoint_has_reached_leaves_it_alone(splits, tmp_path, capsys):
    path = tmp_path / "c.pt"
    train(splits, checkpoint=path, epochs=2)
    before = path.read_bytes()
    assert len(train(splits, checkpoint=path, epochs=1).history) == 1
    assert path.read_bytes() == before
    assert "already at epoch 2" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(splits, three_epochs):
    assert numbers(train(splits)) == numbers(three_epochs)
    assert numbers(train(splits, seed=2)) != numbers(three_epochs)


@pytest.mark.parametrize("method", methods.PAPER)
def test_a_few_epochs_beat_chance_clearly(splits, method):
    x, y = fit.embed(
        train(splits, method, epochs=10, d=4, width=1 / 6).model, splits.test
    )  # as many dimensions as causes
    assert evaluate.mrr(x, y) > 2 * evaluate.chance_metrics(50)["mrr"]


def test_a_cut_checkpoint_is_said_and_training_starts_again(splits, three_epochs, tmp_path, capsys):
    path = tmp_path / "c.pt"
    train(splits, checkpoint=path, epochs=1)
    path.write_bytes(path.read_bytes()[:1000])
    assert numbers(train(splits, checkpoint=path)) == numbers(three_epochs)
    assert str(path) in capsys.readouterr().err


class Scripted(fit.Training):
    """The schedule alone: validation MRRs are read from a list, weights count the epochs trained."""

    def __init__(self, mrrs, **changes):
        settings = profiles.settings("toy", **changes)
        self.mrrs, self.trained = list(mrrs), 0
        split = made_up_split(40, 0)
        model = methods.build("learned_cont", settings, 1)
        super().__init__(
            model,
            Splits("s", "toy", 0, {}, "", split, split, split),
            fit.Objective(methods.METHODS["learned_cont"].terms(settings)),
            settings,
            1,
            "cpu",
        )

    def update_weights(self):
        with torch.no_grad():
            self.model.head.map1.weight[0, 0] += 1
        return math.nan if math.isnan(self.mrrs[len(self.history)]) else 0.0

    def curves(self, loss):
        return {"train_mrr": 0.0, "valid_mrr": self.mrrs[len(self.history)]}

    def run(self):
        while not self.stopped:
            self.epoch()
        return self


def test_the_schedule_waits_reloads_the_best_and_lowers_the_rate():
    training = Scripted(
        [0.1, 0.3, 0.2, 0.2, 0.25, 0.31, 0.2, 0.2, 0.1, 0.1] + [0.1] * 9, epochs=100, patience=3, refine_patience=2
    )
    training.run()
    assert [row["phase"] for row in training.history] == [0] * 5 + [1] * 3 + [2] * 2 + [3] * 2
    assert [row["lr"] for row in training.history] == [2e-3] * 5 + [1e-3] * 3 + [5e-4] * 2 + [2.5e-4] * 2
    assert training.stopped == "patience"
    assert training.best["epoch"] == 6


def test_the_rate_rises_and_falls_in_straight_lines_and_ends_at_zero():
    s = profiles.settings("toy", lr=2e-3, warmup=0.2, anneal=0.5)
    rates = [fit.annealed_rate(s, done) for done in (0.1, 0.2, 0.5, 0.75, 1.0)]
    assert rates == pytest.approx([1e-3, 2e-3, 2e-3, 1e-3, 0.0], rel=0.01)
    assert 0 < fit.annealed_rate(s, 0.0) < 1e-5  # or the first step would teach nothing


def test_an_annealed_run_lowers_the_rate_within_an_epoch_and_ends_its_schedule(splits):
    training = train(splits, epochs=2, anneal=1.0)  # 4 steps an epoch, 8 in all
    assert [row["lr"] for row in training.history] == pytest.approx([2e-3 * 5 / 8, 2e-3 * 1 / 8])
    assert training.stopped == "schedule"


def test_a_tie_counts_as_better():
    training = Scripted([0.3, 0.2, 0.3, 0.2, 0.2, 0.2] + [0.0] * 6, epochs=100, patience=3, refine_patience=1).run()
    assert training.best["epoch"] == 3


def test_each_refinement_starts_from_the_best_weights_not_the_last():
    training = Scripted([0.3, 0.1, 0.1] + [0.0] * 3, epochs=4, patience=2, refine_patience=1)
    start = training.model.head.map1.weight[0, 0].item()
    training.run()  # epoch 1 is best; epochs 2 and 3 are forgotten; epoch 4 goes on from epoch 1
    assert training.model.head.map1.weight[0, 0].item() == pytest.approx(start + 1)
    assert training.phase == 2


def test_a_loss_that_is_no_number_ends_the_phase_at_once():
    training = Scripted([0.3, math.nan, 0.2, 0.4, 0.1, 0.1, 0.1], epochs=7, patience=30, refine_patience=10).run()
    assert [row["phase"] for row in training.history][:4] == [0, 0, 1, 1]
    assert training.best["epoch"] == 4


def test_a_run_that_diverged_is_not_called_converged():
    assert Scripted([0.3] + [math.nan] * 9, epochs=9).run().stopped == "divergence"


def test_validation_is_scored_whole_however_few_pairs_there_are_to_train_on(splits):
    few = copy.copy(splits)
    few.train = made_up_split(40, 1)
    settings = profiles.settings("toy")
    training = begun(few, "ccal_tno", settings)
    assert (training.valid_n, training.curve_n) == (50, 40)


def test_a_setting_of_zero_or_false_is_taken_as_said():
    asked = dict(l2=0.0, both_ways=False, anneal=0.0, refit_n=0)
    settings = profiles.settings("quick", **asked)
    assert {name: getattr(settings, name) for name in asked} == asked


def test_a_first_epoch_without_a_number_is_refused_with_advice():
    with pytest.raises(InputError, match="lower lr"):
        Scripted([math.nan] * 3, epochs=3).run()


def test_l2_means_the_released_penalty_on_every_trainable(splits):
    """One step with weight_decay equals one step on the loss plus λ·Σw² over all parameters, BN's and maps' too."""
    settings = profiles.settings("toy", l2=0.05)
    batch = fit.load_batch(splits.train, np.arange(40), "cpu")
    trainings = [begun(splits, "learned_cont", s) for s in (settings, profiles.settings("toy", l2=0.0))]
    for training, penalty in zip(trainings, (0.0, 0.05), strict=True):
        training.model.train()
        squares = sum(p.square().sum() for p in training.model.parameters())
        (training.objective(training.model, *batch, np.arange(40)) + penalty * squares).backward()
        training.optimizer.step()
    one, other = ([t.optimizer.state[p]["exp_avg"] for p in t.model.parameters()] for t in trainings)
    for a, b in zip(one, other, strict=True):  # Adam's first moments show the gradients, its first steps only signs
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_weights_start_he_uniform_with_gain_one():
    encoder = encoders.ConvEncoder(32, width=1.0)
    convs = [m for m in encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convs] == [24, 24, 48, 48, 96, 96, 96, 96, 32]
    for conv in convs:
        bound = math.sqrt(3 / conv.weight[0].numel())
        largest = conv.weight.abs().max().item()
        assert 0.9 * bound < largest <= bound
        assert conv.bias is None
    assert {m.eps for m in encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {1e-4}


def test_in_bfloat16_only_the_convolutions_lose_digits(splits):
    settings = profiles.settings("toy", precision="bfloat16")
    exact, coarse = (methods.build("ccal_cont", s, 1).encoder1 for s in (profiles.settings("toy"), settings))
    pictures = torch.from_numpy(splits.train.view1[:100])
    one, other = exact(pictures), coarse(pictures)
    assert other.dtype == torch.float32
    assert 0 < (one - other).norm() / one.norm() < 0.03  # bfloat16 has 8 bits
    assert {value.dtype for value in coarse.state_dict().values()} == {torch.float32, torch.int64}
    first = coarse.layers[0][1], exact.layers[0][1]
    torch.testing.assert_close(*(norm.running_mean for norm in first), rtol=0.02, atol=1e-4)


def test_training_in_bfloat16_beats_chance(splits):
    training = train(splits, epochs=3, precision="bfloat16")
    assert evaluate.mrr(*fit.embed(training.model, splits.test)) > 1.5 * evaluate.chance_metrics(50)["mrr"]


def test_pooling_before_elu_changes_nothing():
    maps = torch.randn(2, 3, 8, 8)
    elu, pool = torch.nn.ELU(), torch.nn.MaxPool2d(2)
    assert torch.equal(pool(elu(maps)), elu(pool(maps)))


def test_methods_share_their_initial_encoders():
    settings = profiles.settings("toy")
    one, other = (methods.build(m, settings, 5).encoder1.state_dict() for m in ("ccal_tno", "learned_cont"))
    assert all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


@pytest.mark.parametrize("refit_n", [0, 50])
def test_the_head_that_is_handed_over_is_fitted_to_all_training_pairs(splits, refit_n):
    training = train(splits, "ccal_tno", epochs=1, refit_n=refit_n)
    h1, _ = fit.features(training.model, splits.train)
    torch.testing.assert_close(training.model.head.mean1.float(), h1.mean(0), rtol=1e-4, atol=1e-5)


def test_during_training_the_head_is_refitted_on_as_many_pairs_as_asked(splits):
    settings = profiles.settings("toy", refit_n=50)
    training = begun(splits, "ccal_tno", settings)
    training.epoch()
    h1, _ = fit.features(training.model, splits.train, rows=training.order[:50])
    torch.testing.assert_close(training.model.head.mean1.float(), h1.mean(0), rtol=1e-4, atol=1e-5)


def test_evaluation_mode_does_not_depend_on_the_batch(splits):
    model = methods.build("ccal_tno", profiles.settings("toy"), 1)
    model.head.refit(*fit.features(model, splits.train))
    whole, _ = fit.embed(model, splits.test)
    alone = model.embed1(torch.from_numpy(splits.test.view1[3:4]))
    torch.testing.assert_close(alone[0], whole[3], rtol=1e-4, atol=1e-5)


def test_the_learned_map_is_centred_by_the_training_mean_in_evaluation():
    head = LinearHead(4)
    h = torch.randn(20, 4) + 5
    head.refit(h, h)
    torch.testing.assert_close(head.eval().mean1, h.mean(0))


def test_epochs_use_every_pair_at_most_once_and_only_full_batches():
    rows = np.concatenate(fit.batches(103, 20, seed=1, epoch=0))
    assert len(rows) == 100 == len(set(rows.tolist()))
    assert not np.array_equal(rows, np.concatenate(fit.batches(103, 20, seed=1, epoch=1)))


def test_a_view_with_nan_is_refused_with_the_item(splits):
    broken = copy.copy(splits)
    cut = splits.train.view2.cut

    def with_nan(i):
        out = cut(i).copy()
        out[i == 7] = np.nan
        return out

    broken.train = copy.copy(splits.train)
    broken.train.view2 = View(160, SHAPES[1], with_nan)
    with pytest.raises(InputError, match="view2 of the train split holds NaN.*item7"):
        train(broken)


def test_a_batch_not_larger_than_d_is_refused():
    with pytest.raises(InputError, match="batch of 32 pairs is too small for d = 32.*at least 33"):
        profiles.settings("quick", batch=32)


def test_fewer_training_pairs_than_a_batch_are_refused(splits):
    with pytest.raises(InputError, match="160 training pairs, fewer than one batch of 200"):
        train(splits, batch=200)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: methods.build("nonsense", profiles.settings("toy"), 1),
            "no method 'nonsense'.*ccal_tno, learned_cont, ccal_cont",
        ),
        (lambda: profiles.settings("huge"), "no profile 'huge'.*toy, quick, medium, full"),
        (lambda: profiles.settings("toy", "emojis"), "no data set 'emojis'; choose one of audio_score, "),
        (lambda: profiles.settings("toy", "emoji", "ccal"), "no method 'ccal'; choose one of ccal_tno, "),
        (lambda: methods.device("tpu"), "no device 'tpu'.*auto, cpu, cuda"),
        (lambda: profiles.settings("toy", epochs=-3), "epochs = -3 is no whole number of at least 0"),
        (lambda: profiles.settings("toy", precision="half"), "no precision 'half'.*float32, tf32, bfloat16"),
        (lambda: methods.device("cpu", "tf32"), "'tf32' is of CUDA devices"),
    ],
)
def test_unknown_names_are_refused_with_the_choices(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_every_data_set_has_settings():
    assert all(profiles.settings("quick", name, "learned_cont") for name in data.DATASETS)


def test_asking_for_cuda_without_one_is_refused():
    if torch.cuda.is_available():
        assert methods.device("cuda").type == "cuda"
    else:
        with pytest.raises(InputError, match="no CUDA device"):
            methods.device("cuda")


def test_a_longer_limit_keeps_the_name_of_the_run_and_another_rate_does_not(splits):
    def key(**changes):
        return records.run_key(splits, "ccal_cont", profiles.settings("toy", **changes), 1, torch.device("cpu"))

    assert key(epochs=3) == key(epochs=9) != key(lr=1e-4)
    assert key(epochs=3, anneal=0.5) != key(epochs=9, anneal=0.5)
