"""A share of the pairs of sheet music and sound, rendered by one of several jobs.

Every job renders each K-th of the chosen tunes into the cache, which all of them see. The build that follows finds the
pieces there and puts them together, so its bytes are those of a build by one job; what a share left out, it renders.
"""

from __future__ import annotations

from pathlib import Path

from xmlib import paths
from xmlib.data import audio_score
from xmlib.data.audio_score import build
from xmlib.errors import InputError


def render(profile: str, share: int, shares: int, seed: int = 23, difficulty: str = "hard", home: Path | None = None,
           processes: int = 1) -> int:  # fmt: skip
    """How many tunes this job had to render of the pairs that `audio_score.load` gives for these arguments.

    `share`: from 0 to `shares` − 1; raises `InputError` for another one.
    """
    if not 0 <= share < shares:
        raise InputError(f"share {share} of {shares} does not exist: the first is 0, the last {shares - 1}.")
    settings = audio_score.settings(audio_score.size_of(profile, 0), seed, difficulty)
    home = (home or paths.DATA) / "audio_score"
    tunes, planned = build.begin(home, settings, processes)
    own = [plan for plan in planned()[share::shares] if build.read_piece(plan.piece.file) is None]
    build.render_missing(own, tunes, processes)
    return len(own)
