"""The data sets: functions that hand out train, validation and test pairs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from xmlib.data import audio_score, emoji, iapr, icons, openclipart
from xmlib.data.emoji import emoji_concepts
from xmlib.data.pictures import image_features
from xmlib.data.splits import Pictures, Split, Splits, View
from xmlib.errors import InputError

__all__ = ["DATASETS", "Dataset", "Pictures", "Split", "Splits", "View", "load"]


def _own(form: str, profile: str, seed: int, **options: Any) -> Splits:
    from xmlib.data.own import own_pairs  # brings pandas, which takes a second

    return own_pairs.load(form, profile, seed, **options)


class Dataset(NamedTuple):
    """What a data set is: the function that makes its pairs, and all that differs from set to set elsewhere."""

    load: Callable[..., Splits]
    says: str  # the help of its command
    notebooks: tuple[str, ...]  # that train on it
    options: tuple[str, ...]  # of `load`, as far as these notebooks have them as parameters
    views: tuple[str, str] = ("image", "text")
    packages: tuple[str, ...] = ()  # whose versions decide its pairs, besides those in every record
    fetch: Callable[[], Path] | None = None  # its packages, where pip does not bring them; returns their folder
    large: bool = False  # as large as the sets of Thomas and Kovashka, and trained with its settings


def _own_pairs(form: str, says: str, large: bool = True) -> Dataset:
    options = ("dataset_file", "image_folder", "missing")
    return Dataset(partial(_own, form), f"Your own pairs{says}", ("neighborhoods",), options, large=large)


DATASETS = {
    "audio_score": Dataset(
        audio_score.load,
        "Sheet music and its sound: folk tunes or chorales.",
        notebooks=("audio_score",),
        options=("corpus", "difficulty", "train_pairs", "renderings", "dataset_file"),
        views=("sheet", "audio"),
    ),
    "emoji": Dataset(
        emoji.load,
        "Drawings of emoji and their names and keywords.",
        notebooks=("image_text", "neighborhoods"),
        options=("split", "style", "test_style", "mirrored", "shuffled", "complementary"),
        packages=(*image_features.PACKAGES, *emoji_concepts.PACKAGES),
    ),
    "openclipart": Dataset(
        openclipart.load,
        "Clip art with titles and keywords.\n\nIts files come by `xm data download openclipart`.",
        notebooks=("image_text", "neighborhoods"),
        options=("split", "mirrored", "shuffled", "complementary"),
        packages=image_features.PACKAGES,
        fetch=openclipart.download,
    ),
    "icons": Dataset(
        icons.load,
        "Icons with names and tags, drawn by several hands.\n\nIts files come by `xm data download icons`.",
        notebooks=("image_text", "neighborhoods"),
        options=("split", "collections", "test_collections", "train_pairs", "mirrored", "shuffled", "complementary"),
        packages=image_features.PACKAGES,
        fetch=icons.download,
    ),
    "iapr": Dataset(
        iapr.load,
        "Photographs and captions, as features.\n\nThe file comes by `xm data download iapr`.",
        notebooks=("image_text",),
        options=("dataset_file",),
    ),
    "table": _own_pairs("table", ": a folder or a table.\n\nA table is CSV, TSV, JSON lines or Parquet.", large=False),
    "coco": _own_pairs("coco", ", with captions like COCO's."),
    "good_news": _own_pairs("good_news", ", articles like GoodNews'."),
    "politics": _own_pairs("politics", ", pickles like those of Politics."),
}


def of_notebook(notebook: str) -> list[str]:
    """The names of the data sets that a notebook trains on."""
    return [name for name, row in DATASETS.items() if notebook in row.notebooks]


def load(name: str, profile: str = "quick", seed: int = 23, **options: Any) -> Splits:
    """The pairs of a data set. Raises InputError for a name, a profile or an option that is not there.

    The options are those of the function that makes the data set: `audio_score.load` (with `dataset_file`, a copy of
    the original audio_sheet_music.npz to be used instead), `emoji.load`, `openclipart.load`, `icons.load`, `iapr.load`,
    and for pairs of one's own `own_pairs.load`.
    """
    if name not in DATASETS:
        raise InputError(f"data set {name!r} is unknown; choose one of: {', '.join(DATASETS)}.")
    known = inspect.signature(DATASETS[name].load).parameters.values()
    if not any(one.kind is one.VAR_KEYWORD for one in known):  # `own_pairs` checks its own
        named = [one.name for one in known if one.kind is one.KEYWORD_ONLY]
        unknown = [option for option in options if option not in named]
        if unknown:
            raise InputError(f"{name} has no option {unknown[0]!r}; it has: {', '.join(named) or 'none'}.")
    return DATASETS[name].load(profile, seed, **options)


def asked(parameters: dict[str, Any]) -> Splits:
    """The pairs that the parameters of a notebook ask for: `dataset`, `profile`, and the options of that data set."""
    own = {name: parameters[name] for name in DATASETS[parameters["dataset"]].options if parameters.get(name)}
    return load(parameters["dataset"], profile=parameters["profile"], **own)
