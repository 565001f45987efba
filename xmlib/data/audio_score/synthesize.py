"""From plain notes to sound to a 92-band spectrogram.

midirenderer plays a MIDI file with a soundfont, the same bytes every time. The soundfont is TimGM6mb, which comes
inside the pretty_midi wheel (GPL-2; used where it lies, not shipped by us).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import struct
import wave
from pathlib import Path

import numpy as np

from xmlib.data.audio_score.folk_tunes import Note

VERSION = 1  # raise it when a spectrogram may come out differently
RATE = 22050  # samples per second
FRAME = 2048  # samples under one window
FRAMES_PER_SECOND = 20
BANDS_PER_OCTAVE, LOWEST, HIGHEST = 16, 30.0, 6000.0  # gives 92 bands
EXCERPT = 42  # frames, the onset in the middle
TAIL = 1.2  # seconds of sound kept after the last note


def soundfont() -> Path:
    """Where TimGM6mb.sf2 lies, found without importing pretty_midi."""
    spec = importlib.util.find_spec("pretty_midi")
    return Path(spec.origin).parent / "TimGM6mb.sf2"


@functools.cache
def soundfont_bytes() -> bytes:
    """The soundfont, read once a process."""
    return soundfont().read_bytes()


def soundfont_hash() -> str:
    """SHA-256 of the soundfont: part of the data's identity."""
    return hashlib.sha256(soundfont_bytes()).hexdigest()


def spectrogram(notes: list[Note], instrument: int, seconds_per_tick: float) -> np.ndarray:
    """(frames, 92) float16: log10(1 + magnitude) of notes, by onset, played by a General MIDI program.

    Row k + 21 is centred k / 20 s after the beginning: 21 rows of silence stand before it, so that the excerpt of a
    note begins at row `onset_frame`.
    """
    timed = [(n.onset * seconds_per_tick, (n.onset + n.length) * seconds_per_tick, n.pitch) for n in notes]
    sound = render(midi(timed, instrument))
    frames = analyse(sound[: round((max(end for _, end, _ in timed) + TAIL) * RATE)])
    missing = max(0, onset_frame(timed[-1][0]) + EXCERPT - EXCERPT // 2 - len(frames))
    return np.pad(frames, ((EXCERPT // 2, missing), (0, 0))).astype(np.float16)


def onset_frame(seconds: float) -> int:
    """The first frame centred at or after a time, as in the released data: the excerpt starts 21 frames before."""
    return int(np.ceil(seconds * FRAMES_PER_SECOND))


def midi(timed: list[tuple[float, float, int]], instrument: int) -> bytes:
    """A MIDI file of (onset, end, pitch) in seconds, in steps of 0.1 ms."""
    events = []
    for onset, end, pitch in timed:
        events.append((round(onset * 10000), 1, bytes([0x90, pitch, 100])))
        events.append((round(end * 10000), 0, bytes([0x80, pitch, 0])))  # ends sort before onsets
    track, now = b"\0\xff\x51\x03" + (1_000_000).to_bytes(3, "big") + b"\0" + bytes([0xC0, instrument]), 0
    for time, _, message in sorted(events):
        track += _variable_length(time - now) + message
        now = time
    track += _variable_length(round(TAIL * 10000)) + b"\xff\x2f\0"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 10000) + b"MTrk" + struct.pack(">I", len(track)) + track


def _variable_length(number: int) -> bytes:
    """MIDI's number format: seven bits a byte, the last byte without the top bit."""
    out = [number & 127]
    while number := number >> 7:
        out.append(128 | number & 127)
    return bytes(reversed(out))


def render(midi: bytes) -> np.ndarray:
    """Mono sound at 22,050 Hz in [-1, 1], float64."""
    import midirenderer

    with wave.open(io.BytesIO(midirenderer.render_wave_from(soundfont_bytes(), midi))) as file:
        stereo = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        rate = file.getframerate()
    return resample(mono(stereo), rate)


def mono(stereo: np.ndarray) -> np.ndarray:
    """The mean of two channels of 16 bits (n, 2), in [-1, 1]: NumPy's mean over rows of two takes six times as long."""
    left, right = stereo.T
    return np.add(left, right, dtype=np.float64) / 65536


def resample(sound: np.ndarray, rate: int) -> np.ndarray:
    """A sound of `rate` samples per second at 22,050 Hz: as `scipy.signal.resample_poly`, to 15 digits.

    One matrix makes the next `up` samples from `down` of before and their neighbours. Importing scipy.signal would take
    each helper process longer than playing four tunes.
    """
    divisor = int(np.gcd(rate, RATE))
    up, down = RATE // divisor, rate // divisor
    matrix, reach = resampling(up, down)
    samples = -(-len(sound) * up // down)
    blocks = -(-samples // up)
    padded = np.zeros((blocks - 1) * down + max(len(matrix), down + reach))
    padded[reach : reach + len(sound)] = sound
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(matrix))[: blocks * down : down]
    return (np.ascontiguousarray(windows) @ matrix).ravel()[:samples]


@functools.cache
def resampling(up: int, down: int) -> tuple[np.ndarray, int]:
    """The matrix (window, up) from a window of samples to the next `up`, and how many of it come before the first.

    The low-pass filter is that of scipy: a sinc with a Kaiser window of β = 5, ten zeros of the slower rate each way.
    """
    half = 10 * max(up, down)
    times = np.arange(-half, half + 1)  # in steps of 1 / (rate · up)
    taps = np.sinc(times / max(up, down)) * np.kaiser(len(times), 5.0)
    reach = -(-half // up)
    places = np.arange(up) * down + half - (np.arange(down + 2 * reach + 1)[:, None] - reach) * up
    inside = (places >= 0) & (places < len(taps))
    return np.where(inside, (taps * up / taps.sum())[np.where(inside, places, 0)], 0.0), reach


def analyse(sound: np.ndarray) -> np.ndarray:
    """(frames, 92) spectrogram of a sound; frame k is centred on sample k·RATE/20."""
    count = int(np.ceil(len(sound) * FRAMES_PER_SECOND / RATE))
    starts = np.round(np.arange(count) * RATE / FRAMES_PER_SECOND).astype(int)  # 1102.5 samples apart
    padded = np.pad(sound, FRAME // 2)
    framed = padded[starts[:, None] + np.arange(FRAME)] * np.hanning(FRAME)
    magnitude = np.abs(np.fft.rfft(framed))[:, : FRAME // 2]
    return np.log10(1 + magnitude @ filterbank())


@functools.cache
def filterbank() -> np.ndarray:
    """(1024, 92) triangular filters, 16 to the octave from 30 Hz to 6 kHz around A = 440 Hz, each of sum 1.

    Centres that fall on the same bin of the transform are merged, which leaves 92 (as in madmom, which the released
    data was made with).
    """
    low = np.floor(np.log2(LOWEST / 440) * BANDS_PER_OCTAVE)
    high = np.ceil(np.log2(HIGHEST / 440) * BANDS_PER_OCTAVE)
    centres = 440 * 2.0 ** (np.arange(low, high) / BANDS_PER_OCTAVE)
    centres = centres[(centres >= LOWEST) & (centres <= HIGHEST)]
    bins = np.unique(np.round(centres * FRAME / RATE).astype(int))
    rising = np.arange(FRAME // 2)[:, None]
    left, middle, right = bins[:-2], bins[1:-1], bins[2:]
    filters = np.minimum((rising - left) / (middle - left), (right - rising) / (right - middle)).clip(0)
    return filters / filters.sum(axis=0)
