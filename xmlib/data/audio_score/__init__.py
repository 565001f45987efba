"""Sheet music and its sound: folk tunes or chorales engraved and synthesised, cut into pairs around each note.

A pair is a picture of 40×50 pixels with one notehead in its middle, and the 42 spectrogram frames (2.1 s) around
that note's onset.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from xmlib import paths
from xmlib.data import cache
from xmlib.data.audio_score import (
    audio_sheet_music,
    choose,
    chorales,
    engrave,
    folk_tunes,
    pairs,
    relatives,
    synthesize,
)
from xmlib.data.audio_score.choose import Difficulty, Size
from xmlib.data.audio_score.relatives import Rule
from xmlib.data.splits import Splits
from xmlib.errors import InputError

QUICK = Size(4000, 1000, 2000, per_tune=25)  # 25: enough tunes for variety, few enough to build in a minute
PROFILES = {
    "toy": Size(200, 60, 60, per_tune=20),
    "quick": QUICK,
    "medium": replace(QUICK, train=16000),  # the same valid and test pairs
    "full": replace(QUICK, train=16000),
}


class Corpus(NamedTuple):
    """Where tunes come from: a module with `sources`, `parse` and `VERSION`, which of them are relatives, how many."""

    tunes: ModuleType
    rule: Rule
    most: Size | None = None  # what it gives, whatever the profile asks for


CORPORA = {
    "tunes": Corpus(folk_tunes, relatives.TUNES),
    "chorales": Corpus(chorales, relatives.CHORALES, Size(5000, 1000, 2000, per_tune=60)),
}
# All struck or plucked: bowed and blown instruments speak 20 to 40 ms late.
INSTRUMENTS = {
    0: "piano", 6: "harpsichord", 12: "marimba", 13: "xylophone", 15: "dulcimer", 24: "nylon guitar", 46: "harp",
    105: "banjo",
}  # fmt: skip
TRAIN = (0, 6, 13, 24, 46, 105)
DIFFICULTIES = {
    # Neither the tempo nor the instrument of a test tune is known from training.
    "hard": Difficulty(TRAIN, valid=(12,), test=(15,), step=(0.16, 0.45)),
    # Note length tells the time, and the instruments are those of training: linear CCA does well here.
    "easy": Difficulty(TRAIN, valid=TRAIN, test=TRAIN, step=None),
}


def load(
    profile: str = "quick", seed: int = 23, *, dataset_file: str = "", corpus: str = "tunes", difficulty: str = "hard",
    train_pairs: int = 0, renderings: int = 0, cache_folder: Path | None = None, processes: int = 0,
) -> Splits:  # fmt: skip
    """The pairs of a profile, built on first use (quick: about a minute on 2 cores) and kept in the cache.

    `dataset_file`: a copy of the original audio_sheet_music.npz to be used instead, see `audio_sheet_music.load`.
    `corpus`: "tunes" (folk tunes on one staff) or "chorales" (Bach's, four voices on two staves, the pairs around the
    notes of the melody). `train_pairs`: how many, 0 for the profile's.
    `renderings`: how often each training tune is played (0: once), every time on an instrument and in a tempo of its
    own; the views hold the first, `train.augmentation` draws from all.
    `cache_folder`: default `paths.DATA`. `processes`: for building, 0 for one a core.
    Raises InputError for an unknown profile, corpus or difficulty, and when the corpus has too few tunes.
    """
    if dataset_file:
        changed = {"renderings": renderings not in (0, 1), "train_pairs": train_pairs != 0, "corpus": corpus != "tunes"}
        for name, asked in changed.items():
            if asked:
                raise InputError(f"{name} goes with the built pairs only; leave it out, or leave out dataset_file.")
        return audio_sheet_music.load(dataset_file, profile, seed)
    if corpus not in CORPORA:
        raise InputError(f"corpus {corpus!r} is unknown; choose one of: {', '.join(CORPORA)}.")
    size = size_of(profile, train_pairs, corpus)
    if difficulty not in DIFFICULTIES:
        raise InputError(f"difficulty {difficulty!r} is unknown; choose one of: {', '.join(DIFFICULTIES)}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(f"seed {seed!r} is not a whole number from 0 to 2³²−1; give one, such as 23.")
    if isinstance(renderings, bool) or not isinstance(renderings, int) or renderings < 0:
        raise InputError(f"renderings {renderings!r} is not a count; give a whole number, such as 4.")
    renderings = renderings or 1
    decided = settings(size, seed, difficulty, renderings, corpus)
    home = Path(cache_folder or paths.DATA) / "audio_score"
    folder = home / f"pairs-{cache.key(decided)}"
    make = partial(_build, folder, home, decided, processes)
    return opened(folder, cache.built(home, "The data set", lambda: cache.published(folder), make), profile)


def opened(folder: Path, manifest: dict[str, Any], profile: str, packages: dict[str, str] | None = None) -> Splits:
    """The pairs in a finished folder. `packages`: versions of those that made it, if that was on another machine."""
    decided, digest, parts = manifest["settings"], manifest["digest"], pairs.open_splits(folder, manifest)
    train, valid, test = (parts[name] for name in ("train", "valid", "test"))
    return Splits("audio_score", profile, decided["seed"], decided, digest, train, valid, test, folder, packages or {})


def check_asked(
    made: dict[str, Any], profile: str, difficulty: str, train_pairs: int = 0, renderings: int = 0,
    corpus: str = "tunes",
) -> None:  # fmt: skip
    """Raises InputError unless pairs with the settings `made` are those that `load` would give for the others."""
    asked = {
        "corpus": corpus, "size": asdict(size_of(profile, train_pairs, corpus)), "difficulty": difficulty,
        "renderings": renderings or 1,
    }  # fmt: skip
    there = {
        "corpus": made.get("corpus", "tunes"), "size": made["size"], "difficulty": made["difficulty"]["name"],
        "renderings": made.get("renderings", 1),
    }  # fmt: skip
    for name, value in asked.items():
        if there[name] != value:
            raise InputError(f"these pairs have {name} {there[name]}, but {value} is asked for; take others.")


def size_of(profile: str, train_pairs: int, corpus: str = "tunes") -> Size:
    """How many pairs a profile has, with another number for training unless that is 0; `InputError` for others."""
    if profile not in PROFILES:
        raise InputError(f"profile {profile!r} is unknown; choose one of: {', '.join(PROFILES)}.")
    if isinstance(train_pairs, bool) or not isinstance(train_pairs, int) or train_pairs < 0:
        raise InputError(f"train_pairs {train_pairs!r} is not a count; give a whole number, such as 4.")
    size, most = PROFILES[profile], CORPORA[corpus].most
    if most:
        size = replace(
            most, train=min(size.train, most.train), valid=min(size.valid, most.valid), test=min(size.test, most.test)
        )
    return replace(size, train=train_pairs or size.train)


def _build(folder: Path, home: Path, decided: dict[str, Any], processes: int) -> dict[str, Any]:
    """The manifest of a folder built now; called while no other process builds."""
    from xmlib.data.audio_score import build

    cache.sweep(home)
    return build.build(folder, home, decided, processes)


def settings(size: Size, seed: int, difficulty: str, renderings: int = 1, corpus: str = "tunes") -> dict[str, Any]:
    """Everything that decides the content, versions of code and packages included: the key of the cache."""
    return {
        "size": asdict(size),
        "seed": seed,
        "difficulty": {"name": difficulty, **asdict(DIFFICULTIES[difficulty])},
        "choice": [choose.VERSION, pairs.VERSION],
        **({"corpus": corpus} if corpus != "tunes" else {}),  # so that pairs of tunes keep the key that they had
        "tunes": [*([corpus] if corpus != "tunes" else []), CORPORA[corpus].tunes.VERSION, *_versions("music21")],
        "engraving": [engrave.VERSION, *_versions("verovio", "resvg_py")],
        "sound": [synthesize.VERSION, *_versions("midirenderer"), synthesize.soundfont_hash()],
        **({"renderings": renderings} if renderings > 1 else {}),
    }


def _versions(*packages: str) -> list[str]:
    try:
        return [f"{name} {version(name)}" for name in packages]
    except PackageNotFoundError as error:
        raise InputError(f"the package {error.name} is needed to build audio_score; run: pip install -e .") from None
