"""Reading, engraving and playing tunes for the pairs of scores and sound, against the same packages used plainly.

Reading leaves out stems and finds beams once for every rhythm. Engraving starts verovio once a process. Playing changes
the rate without scipy.signal, whose import alone takes longer than playing four tunes.
Both ways give the same tunes, pictures and spectrograms. Run it as `python -m benchmarks.building`.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any
from unittest import mock

import midirenderer
import numpy as np
import resvg_py
from music21 import converter

from benchmarks import common
from xmlib.data.audio_score import engrave, folk_tunes, read_abc, synthesize
from xmlib.data.audio_score.folk_tunes import Source, Tune

READ, RENDERED, TURNS = 60, 4, 3
RENDER_TURNS = 7  # more, since the two are nearly equal
GOAL = 1.5
SECONDS_PER_TICK = 0.25 / folk_tunes.TICKS
PACKAGES = ("music21", "verovio", "resvg_py", "midirenderer", "numpy", "scipy")


@cache
def sources() -> list[Source]:
    """Some tunes of the corpus, the same every time."""
    every = folk_tunes.sources()
    return [every[i] for i in np.random.default_rng(0).permutation(len(every))[:READ]]


@cache
def tunes() -> list[Tune]:
    """The first of them that are plain."""
    return [tune for tune in read() if isinstance(tune, Tune)][:RENDERED]


def read() -> list[Tune | str]:
    """The tunes, or why one is left out, as a fresh process reads them."""
    read_abc._found.clear()
    found = []
    for source in sources():
        try:
            found.append(folk_tunes.parse(source))
        except folk_tunes.NotPlain as reason:
            found.append(str(reason))
    return found


def read_plainly() -> list[Tune | str]:
    """The same with all that music21 does of itself."""
    score = partial(converter.parseData, format="abc")
    with mock.patch.object(read_abc, "score", score), mock.patch.object(read_abc, "beams", own_beams):
        return read()


def own_beams(measures: list, meter: object) -> list[list[str]]:
    """The beams that music21 has set."""
    return [[read_abc.longest_beam(item) for item in measure.notesAndRests] for measure in measures]


def render() -> list[tuple[np.ndarray, ...]]:
    """Picture, columns and spectrogram of some tunes."""
    return [
        (*engrave.strip(tune), synthesize.spectrogram(tune.notes(), instrument, SECONDS_PER_TICK))
        for instrument, tune in enumerate(tunes())
    ]


def render_plainly() -> list[tuple[np.ndarray, ...]]:
    """The same with a new verovio for every tune and scipy's resampling."""
    with plain_rendering():
        return render()


@contextmanager
def plain_rendering() -> Iterator[None]:
    """In here tunes are rendered by the packages used plainly."""
    from scipy.signal import resample_poly

    def resample(sound: np.ndarray, rate: int) -> np.ndarray:
        divisor = np.gcd(rate, synthesize.RATE)
        return resample_poly(sound, synthesize.RATE // divisor, rate // divisor)

    def mono(stereo: np.ndarray) -> np.ndarray:
        return stereo.mean(axis=1) / 32768

    with (
        mock.patch.object(synthesize, "resample", resample),
        mock.patch.object(synthesize, "mono", mono),
        mock.patch.object(engrave, "_toolkit", engrave._toolkit.__wrapped__),
    ):
        yield


def played_alone(first: str) -> float:
    """Processor time of a process that does something first and then plays one note."""
    code = f"{first}\nfrom xmlib.data.audio_score import synthesize as s\ns.render(s.midi([(0, 1, 60)], 0))"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fixed_share() -> float:
    """Share of the time of rendering that is spent inside resvg and midirenderer, which are taken as they are."""
    spent = [0.0]

    def timed(call: Callable) -> Callable:
        def run(*arguments: Any, **options: Any) -> Any:
            start = time.process_time()
            result = call(*arguments, **options)
            spent[0] += time.process_time() - start
            return result

        return run

    calls = ((resvg_py, "svg_to_bytes"), (midirenderer, "render_wave_from"))
    drawn, played = (mock.patch.object(module, name, timed(getattr(module, name))) for module, name in calls)
    start = time.process_time()
    with drawn, played:
        render()
    return spent[0] / (time.process_time() - start)


def measure() -> list[common.Row]:
    """The rows of this script."""
    equal = read() == read_plainly()
    reading = common.paired(read, read_plainly, turns=TURNS)
    pieces = zip(render(), render_plainly(), strict=True)
    same = all((a == b).all() for ours, plain in pieces for a, b in zip(ours, plain, strict=True))
    rendering = common.paired(render, render_plainly, turns=RENDER_TURNS)
    limit = f"{100 * fixed_share():.0f} % of our time is spent inside resvg and midirenderer"
    alone = [(played_alone(""), played_alone("import scipy.signal")) for _ in range(TURNS)]
    return [
        common.claim("Reading tunes: beams once for every rhythm, against music21's reader", f"{READ} tunes", reading,
                     GOAL, note=f"the tunes are {'the same' if equal else 'OTHERS'}"),
        common.claim("Engraving and playing tunes, against a verovio for each and scipy's resampling",
                     f"{RENDERED} tunes", rendering, GOAL,
                     note=f"pictures and spectrograms are {'the same' if same else 'OTHERS'}; {limit}"),
        common.claim("Starting a helper that plays: without scipy.signal, against with it", "one note",
                     common.compared(*zip(*alone, strict=True))),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, packages=PACKAGES))
