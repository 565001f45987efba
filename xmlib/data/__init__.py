"""The data sets: functions that hand out train, validation and test pairs."""

from __future__ import annotations

from typing import Any

from xmlib.data import audio_score, audio_sheet_music, emoji
from xmlib.data.splits import Split, Splits, View
from xmlib.errors import InputError

__all__ = ["DATASETS", "Split", "Splits", "View", "load"]


def _audio_score(profile: str, seed: int, dataset_file: str = "", **options: Any) -> Splits:
    if dataset_file:
        return audio_sheet_music.load(dataset_file, profile, seed)
    return audio_score.load(profile, seed, **options)


DATASETS = {"audio_score": _audio_score, "emoji": emoji.load}


def load(name: str, profile: str = "quick", seed: int = 23, **options: Any) -> Splits:
    """The pairs of a data set. Raises InputError for a name or profile that is not there.

    `options` of audio_score: `difficulty` ("hard" or "easy"), `train_pairs`, `cache_folder` and `processes`, as in
    `audio_score.load`, and `dataset_file`, a copy of the original audio_sheet_music.npz to be used instead.
    """
    if name not in DATASETS:
        raise InputError(f"data set {name!r} is unknown; choose one of: {', '.join(DATASETS)}.")
    return DATASETS[name](profile, seed, **options)
