"""Facts about image and sound files as what encoders take."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from xmlib.data import preparation
from xmlib.data.audio_score import synthesize
from xmlib.data.own import pairs, sounds
from xmlib.data.own.sounds import Sounds
from xmlib.data.pictures import image_features, pictures
from xmlib.data.pictures.preparation import Images
from xmlib.errors import InputError


@pytest.fixture
def images(tmp_path):
    files = [tmp_path / f"p{i}.png" for i in range(12)]
    for i, file in enumerate(files):
        Image.new("RGB", (40, 20 + i), (20 * i, 255 - 20 * i, 9)).save(file)
    return files


def tone(file, frequency=440.0, rate=22050, channels=1, seconds=1.0, **how):
    sound = 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)
    soundfile.write(file, np.stack([sound] * channels, axis=1), rate, **how)
    return file


def again(made):
    """The preparation that a model folder would give back."""
    settings, arrays = made.state()
    return preparation.of_kind(made.kind).from_state(settings, arrays)


def test_images_become_the_features_of_the_books_pictures(images):
    made = preparation.of_kind("images")().fit(images)
    found = made.transform([str(file) for file in images])
    wanted = image_features.features(np.stack([pictures.read(file) for file in images]))
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(again(made).transform(images[3:4])[0], made.transform(images[3:4])[0])
    assert found.shape == (12, *made.shape)


def test_small_grey_pictures_are_black_at_0_and_white_at_1(tmp_path):
    Image.new("RGB", (16, 16), (0, 0, 0)).save(tmp_path / "black.png")
    Image.new("RGB", (16, 8), (255, 255, 255)).save(tmp_path / "white.png")
    made = Images(pixels=16)
    black, white = again(made).transform([tmp_path / "black.png", tmp_path / "white.png"])
    assert (black.shape, made.shape) == ((1, 16, 16), (1, 16, 16))
    assert not black.any()
    np.testing.assert_allclose(white, 1)


def test_a_picture_that_might_do_harm_is_refused(images):
    images[2].write_text('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>')
    with pytest.raises(InputError, match=r"p2.png is no picture that can be used \(it refers to something outside"):
        Images().transform(images)


def test_a_model_of_other_picture_features_is_refused():
    settings, arrays = Images().state()
    settings["made_by"] = [0, *settings["made_by"][1:]]
    with pytest.raises(InputError, match="train it again"):
        Images.from_state(settings, arrays)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 44101, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_tone_is_in_the_same_band_at_any_rate_and_with_any_channels(tmp_path, rate, channels):
    found = sounds.spectrogram(tone(tmp_path / "a.wav", rate=rate, channels=channels))
    wanted = sounds.spectrogram(tone(tmp_path / "b.wav"))
    assert found.shape == wanted.shape == (20, 92)
    np.testing.assert_allclose(found[5:15], wanted[5:15], atol=0.02)


def test_a_spectrogram_is_that_of_audio_score(tmp_path):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (30000, 2))
    soundfile.write(tmp_path / "a.wav", sound, 44100, subtype="DOUBLE")
    wanted = synthesize.analyse(synthesize.resample(sound.mean(1), 44100))
    np.testing.assert_allclose(sounds.spectrogram(tmp_path / "a.wav"), wanted, atol=1e-5)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_the_usual_formats_are_read(tmp_path, form):
    found = sounds.spectrogram(tone(tmp_path / "a.sound", format=form))[5:15].ravel()
    wanted = sounds.spectrogram(tone(tmp_path / "a.wav"))[5:15].ravel()
    assert found @ wanted > 0.99 * np.linalg.norm(found) * np.linalg.norm(wanted)


def test_sounds_have_the_frames_of_the_median_training_sound(tmp_path):
    files = [tone(tmp_path / f"{i}.wav", seconds=length) for i, length in enumerate((1.0, 1.5, 2.0))]
    made = Sounds().fit(files)
    assert made.shape == (1, 92, 30)
    short, exact, long = again(made).transform(files)
    assert not short[0, :, 21:].any()
    np.testing.assert_array_equal(exact[0].T, sounds.spectrogram(files[1]))
    np.testing.assert_array_equal(long[0].T, sounds.spectrogram(files[2])[5:35])


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda f: f.write_text("no sound"), "no sound that can be used"),
        (lambda f: soundfile.write(f, np.zeros((0, 1)), 22050), "it is empty"),
        (lambda f: soundfile.write(f, np.full(100, np.nan), 22050, subtype="FLOAT"), "NaN"),
        (lambda f: soundfile.write(f, np.zeros(100), 500), "500 samples a second"),
        (lambda f: f.mkdir(), "a folder"),
    ],
)
def test_a_file_that_is_no_sound_is_refused_in_a_sentence(tmp_path, write, reason):
    write(tmp_path / "x.wav")
    with pytest.raises(InputError, match=reason):
        Sounds(frames=16).transform([tmp_path / "x.wav"])


def test_a_header_that_claims_hours_allocates_nothing(tmp_path, monkeypatch):
    tone(tmp_path / "x.flac")
    monkeypatch.setattr(sounds, "MOST_NUMBERS", 10_000)
    with pytest.raises(InputError, match="it is enormous"):
        Sounds(frames=16).transform([tmp_path / "x.flac"])


def test_damaged_files_are_left_out_and_named(images):
    folder = images[0].parent
    for i, file in enumerate(images):
        tone(file.with_suffix(".wav"), frequency=200 + 50 * i)
    images[2].write_bytes(images[2].read_bytes()[:40])
    images[5].with_suffix(".wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match="2 of 12 pairs cannot be used"):
        pairs.read(folder)
    found = pairs.read(folder, missing="skip")
    assert [name for name, _ in found.left_out] == ["p2", "p5"]
    assert "p2.png is no picture" in found.left_out[0][1]
    assert "p5.wav is no sound" in found.left_out[1][1]
    assert len(found) == 10
