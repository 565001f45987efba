"""Sound files as the log-frequency spectrogram of the data set audio_score, whatever their rate and channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from xmlib.data.audio_score import synthesize
from xmlib.data.audio_score.synthesize import RATE
from xmlib.data.pictures import pictures
from xmlib.data.pictures.preparation import once, paths_of
from xmlib.errors import InputError

LEAST, MOST = 16, 200  # frames: the convolutional encoder halves them four times; 10 s are enough for its memory
RATES = (1_000, 400_000)  # samples a second that a sound can have
MOST_NUMBERS = 100_000_000  # samples times channels of a file; a CD has fewer in ten minutes
MOST_LOOKED_AT = 200  # training sounds by whose lengths the number of frames is chosen


class NoSound(ValueError):
    """A file that cannot be used as a sound; the message says why, without naming the file."""


class Sounds:
    """Spectrograms (1, 92, frames): log10(1 + magnitude), 20 frames a second, 16 bands to the octave from 30 Hz.

    `frames`: 0 takes the median length of the training sounds, between LEAST and MOST. The middle of a longer sound is
    taken; silence follows a shorter one.
    """

    kind: ClassVar[str] = "audio"

    def __init__(self, frames: int = 0) -> None:
        if frames and frames < LEAST:
            raise InputError(f"frames = {frames} is too few for the convolutional encoder: choose {LEAST} or more.")
        self.frames, self.shape = frames, self._shape(frames)

    @staticmethod
    def _shape(frames: int) -> tuple[int, ...]:
        return (1, synthesize.filterbank().shape[1], frames) if frames else ()

    def fit(self, items: Sequence[str | Path]) -> Sounds:
        """This preparation with its number of frames; raises `InputError` for files that are no sounds."""
        files = paths_of(items)
        if not self.frames:
            chosen = np.linspace(0, len(files) - 1, min(len(files), MOST_LOOKED_AT)).astype(int)
            lengths = [len(_of_file(files[i])) for i in chosen]
            self.frames = int(np.clip(np.median(lengths), LEAST, MOST))
        self.shape = self._shape(self.frames)
        return self

    def transform(self, items: Sequence[str | Path]) -> np.ndarray:
        """(n, 1, 92, frames) float32; raises `InputError` for a file that is no sound."""
        return once(paths_of(items), self._of_files)

    def _of_files(self, files: Sequence[Path]) -> np.ndarray:
        cut = [middle(_of_file(file), self.frames) for file in files]
        return np.stack(cut).swapaxes(1, 2)[:, None] if cut else np.zeros((0, *self.shape), np.float32)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"frames": self.frames, "made_by": synthesize.VERSION}, {}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> Sounds:
        """The preparation of that state; raises `InputError` where spectrograms come out differently by now."""
        if settings["made_by"] != synthesize.VERSION:
            raise InputError(
                f"The model was trained on spectrograms of version {settings['made_by']}, and here they are of version "
                f"{synthesize.VERSION}: train it again."
            )
        return cls(settings["frames"])


def middle(spectrogram: np.ndarray, frames: int) -> np.ndarray:
    """(frames, bands): the middle of a longer spectrogram, or a shorter one with silence after it."""
    start = max(0, len(spectrogram) - frames) // 2
    cut = spectrogram[start : start + frames]
    return np.pad(cut, ((0, frames - len(cut)), (0, 0)))


def spectrogram(file: Path) -> np.ndarray:
    """(frames, 92) float32 of a whole sound file; raises `NoSound`."""
    return synthesize.analyse(resampled(*read(file))).astype(np.float32)


def read(file: Path) -> tuple[np.ndarray, int]:
    """The sound in a file, the mean of its channels (n,) in [-1, 1], and its rate; raises `NoSound`."""
    import soundfile

    try:
        if problem := pictures.unreadable(file):
            raise NoSound(problem)
        with soundfile.SoundFile(str(file)) as opened:
            if not RATES[0] <= opened.samplerate <= RATES[1]:
                raise NoSound(f"it has {opened.samplerate} samples a second")
            if opened.frames * opened.channels > MOST_NUMBERS:
                raise NoSound(f"it is enormous ({opened.frames} samples in {opened.channels} channels)")
            sound = opened.read(dtype="float32", always_2d=True).mean(1)
            rate = opened.samplerate
    except (OSError, RuntimeError) as error:  # soundfile's own is a kind of the latter
        raise NoSound(" ".join(str(getattr(error, "error_string", error)).split())[:120]) from None
    if not len(sound):
        raise NoSound("it is empty")
    if not np.isfinite(sound).all():
        raise NoSound("it holds NaN or infinite values")
    return sound, rate


def resampled(sound: np.ndarray, rate: int) -> np.ndarray:
    """A sound of any rate at 22,050 Hz."""
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate, RATE))
    return sound if rate == RATE else resample_poly(sound.astype(np.float64), RATE // divisor, rate // divisor)


def fault(file: Path) -> str:
    """Why a file cannot be used as a sound, "" if it can."""
    try:
        read(file)
    except NoSound as error:
        return f"{file.name} is no sound that can be used: {error}"
    return ""


def _of_file(file: Path) -> np.ndarray:
    try:
        return spectrogram(file)
    except NoSound as error:
        raise InputError(f"{file} is no sound that can be used ({error}): mend it or leave it out.") from None
