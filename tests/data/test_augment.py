"""Facts about changed training pairs, on made-up strips and frames."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from xmlib.data.audio_score.augment import SCALE, STRONGEST, Augmentation, Changes
from xmlib.data.audio_score.on_device import Resident
from xmlib.data.audio_score.pairs import SOUNDING, cut_pictures, cut_sounds
from xmlib.errors import InputError

N, WIDTH, LENGTH, RENDERINGS = 12, 160, 90, 2  # one item a tune


@pytest.fixture(scope="module")
def pairs():
    """One item a tune, its note in the middle of noise that ends in white columns."""
    rng = np.random.default_rng(0)
    strips = rng.integers(0, 256, (N, WIDTH, 80), dtype=np.uint8)
    strips[:, [0, -1]] = 255
    frames = rng.random((N, RENDERINGS, LENGTH, 92)).astype(np.float16)
    first = np.arange(N)
    sounding = np.zeros((N, RENDERINGS), SOUNDING)
    sounding["frame"] = LENGTH * (RENDERINGS * first[:, None] + np.arange(RENDERINGS)) + 20
    begin = sounding["frame"] - 20
    return Augmentation(
        Resident(strips.reshape(-1, 80)), Resident(frames.reshape(-1, 92)), WIDTH * first + 30,
        WIDTH * np.stack([first, first + 1], axis=1), sounding, np.stack([begin, begin + LENGTH], axis=2),
    )  # fmt: skip


def with_strips(pairs, strips):
    """The same pairs with other pictures."""
    strips = Resident(strips.astype(np.uint8).reshape(-1, 80))
    return Augmentation(strips, pairs.frames, pairs.column, pairs.strip, pairs.sounding, pairs.sound)


def changes(n=N, **some):
    """No change but those given."""
    plain = {"rendering": 0, "onset": 0, "staff": 0, "scale": 1.0} | some
    return Changes(*(np.broadcast_to(value, n) for value in plain.values()))


def cut(pairs, **some):
    return pairs.cut(np.arange(N), changes(**some))


def test_without_a_change_the_pairs_come_as_they_are_to_the_last_bit(pairs):
    pictures, sounds = cut(pairs)
    np.testing.assert_array_equal(pictures, cut_pictures(pairs.strips.array, pairs.column))
    np.testing.assert_array_equal(sounds, cut_sounds(pairs.frames.array, pairs.sounding["frame"][:, 0]))
    assert pictures.dtype == sounds.dtype == np.float32


@pytest.mark.parametrize("staff", [-5, -1, 2, 5])
def test_the_staff_moves_by_as_many_pixels_of_the_whole_picture_as_said_and_paper_follows(pairs, staff):
    moved = np.full_like(pairs.strips.array, 255)
    moved[:, max(staff, 0) : 80 + min(staff, 0)] = pairs.strips.array[:, max(-staff, 0) : 80 - max(staff, 0)]
    np.testing.assert_array_equal(cut(pairs, staff=staff)[0], cut_pictures(moved, pairs.column))


def test_pairs_changed_by_pytorch_on_a_device_are_those_changed_by_numpy(pairs):
    for strength in (0, 1, 4):
        own = pairs.draw(N, np.random.default_rng(6), strength)
        here, there = pairs.cut(np.arange(N), own), pairs.cut_on(torch.device("cpu"), np.arange(N), own)
        np.testing.assert_allclose(there[0].numpy(), here[0], atol=1e-6)
        np.testing.assert_array_equal(there[1].numpy(), here[1])


def test_each_item_is_changed_by_its_own_numbers(pairs):
    own = pairs.draw(N, np.random.default_rng(1))
    whole = pairs.cut(np.arange(N), own)
    for i in range(N):
        alone = pairs.cut(np.array([i]), Changes(*(each[i : i + 1] for each in own)))
        for one, all_items in zip(alone, whole, strict=True):
            np.testing.assert_allclose(one[0], all_items[i], atol=1e-6)


def test_a_changed_picture_is_that_of_scipys_linear_interpolation(pairs):
    own = pairs.draw(N, np.random.default_rng(2), strength=3)
    pictures, _ = pairs.cut(np.arange(N), own)
    for i in range(N):
        row, column = np.mgrid[:80, :100]
        row = 40 + (row - 40 - own.staff[i]) / own.scale[i]
        column = 30 + 50 + (column - 50) / own.scale[i]
        strip = pairs.strips.array[WIDTH * i : WIDTH * (i + 1)].astype(float)
        whole = map_coordinates(strip, [column, row], order=1, mode="grid-constant", cval=255)  # 80 × 100
        np.testing.assert_allclose(pictures[i, 0], whole.reshape(40, 2, 50, 2).mean(axis=(1, 3)) / 255, atol=1e-5)


@pytest.mark.parametrize("scale", [0.95, 1.0, 1.05])
def test_notehead_and_middle_line_stay_in_their_places_at_any_scale(pairs, scale):
    strips = np.full((N, WIDTH, 80), 255)
    strips[:, 30 + 50] = 0  # the notehead's column
    strips[:, :, 40] = 0  # the middle line
    ink = 1 - cut(with_strips(pairs, strips), scale=scale)[0][:, 0]
    assert (ink[:, 5].argmax(axis=1) == 25).all()  # away from the line
    assert (ink[:, :, 5].argmax(axis=1) == 20).all()


@pytest.mark.parametrize("scale", [0.95, 1.02, 1.05])
def test_what_is_beside_the_notehead_moves_away_from_it_in_proportion(pairs, scale):
    ink = 200 * np.exp(-0.5 * ((np.arange(WIDTH) - (30 + 50 + 36)) / 3) ** 2)  # a smear 36 pixels to the right
    strips = np.broadcast_to((255 - ink).round()[:, None], (N, WIDTH, 80))
    profile = 1 - cut(with_strips(pairs, strips), scale=scale)[0][0, 0, 20]
    middle = (2 * np.arange(50) + 0.5) @ profile / profile.sum()
    assert middle == pytest.approx(50 + 36 * scale, abs=0.05)


@pytest.mark.parametrize("onset", [-1, 1, 4])
def test_the_onset_moves_by_exactly_as_many_frames_as_said(pairs, onset):
    here, there = cut(pairs)[1], cut(pairs, onset=onset)[1]
    late, early = (there, here) if onset > 0 else (here, there)
    np.testing.assert_array_equal(late[..., abs(onset) :], early[..., : -abs(onset)])


def test_each_rendering_is_cut_out_of_its_own_sound(pairs):
    for rendering in range(RENDERINGS):
        starts = pairs.sounding["frame"][:, rendering]
        np.testing.assert_array_equal(cut(pairs, rendering=rendering)[1], cut_sounds(pairs.frames.array, starts))


def test_nothing_of_a_neighbouring_tune_is_seen_or_heard_at_the_ends_of_a_tune(pairs):
    tune = np.arange(N).repeat(RENDERINGS * LENGTH)
    pairs = with_strips(pairs, np.where(np.arange(N)[:, None, None] % 2, 255, np.zeros((N, WIDTH, 80))))
    pairs.strips.array.reshape(N, WIDTH, 80)[:, [0, -1]] = 255
    pairs.frames = Resident(np.broadcast_to(tune[:, None].astype(np.float16), pairs.frames.array.shape))
    for column, frame in ((0, 0), (WIDTH - 100, LENGTH - 42)):  # the first excerpt of a tune and its last
        pairs.column, pairs.sounding = WIDTH * np.arange(N) + column, pairs.sounding.copy()
        pairs.sounding["frame"] = pairs.sound[:, :, 0] + frame
        for onset, rendering in ((-4, 0), (4, 1)):
            pictures, sounds = cut(pairs, scale=0.8, onset=onset, rendering=rendering)
            assert (sounds == np.arange(N)[:, None, None, None]).all()
            assert (pictures[1::2] == 1).all()  # the white tunes between black ones


def test_changes_are_drawn_from_all_that_is_allowed(pairs):
    drawn = pairs.draw(5000, np.random.default_rng(3))
    assert set(drawn.rendering) == set(range(RENDERINGS))
    assert set(drawn.onset) == {-1, 0, 1}
    assert set(drawn.staff) == set(range(-5, 6))
    assert 0.95 <= drawn.scale.min() < 0.951
    assert 1.049 < drawn.scale.max() <= 1.05


def test_a_doubled_strength_doubles_every_change_and_none_leaves_the_rendering_alone(pairs):
    double, none = (pairs.draw(5000, np.random.default_rng(3), strength) for strength in (2, 0))
    assert (double.onset.max(), double.staff.min()) == (2, -10)
    assert np.ptp(double.scale) == pytest.approx(4 * SCALE, abs=0.001)
    assert set(none.rendering) == set(range(RENDERINGS))
    assert (none.onset == 0).all()
    assert (none.staff == 0).all()
    assert (none.scale == 1).all()


def test_the_same_generator_draws_the_same_batch(pairs):
    one, same, other = (pairs.cut(np.arange(N), pairs.draw(N, np.random.default_rng(seed))) for seed in (4, 4, 5))
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


@pytest.mark.parametrize("strength", [-0.1, STRONGEST + 0.1, np.nan])
def test_a_strength_out_of_range_is_refused(pairs, strength):
    with pytest.raises(InputError, match="augment = .* is no strength; choose a number from 0 to 4"):
        pairs.draw(N, np.random.default_rng(0), strength)
