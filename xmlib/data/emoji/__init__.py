"""Emoji: a drawing in one of two styles and what it is called, 1,918 pairs of pictures and words."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xmlib import paths
from xmlib.data import cache, drawn, duplicates, texts
from xmlib.data.emoji import emoji_concepts
from xmlib.data.emoji.emoji_concepts import STYLES, Concept
from xmlib.data.image_text import Size, assemble, check_seed, mirror, one_of, opened
from xmlib.data.pictures import image_features, pictures
from xmlib.data.splits import Splits

WHOLE = Size(valid=300, test=400)
PROFILES = {"toy": Size(valid=8, test=12, of=60), "quick": WHOLE, "medium": WHOLE, "full": WHOLE}
BOTH = "both"  # styles, in training
SAME_WORDS = 0.6  # see `duplicates`


def load(
    profile: str = "quick", seed: int = 23, *, style: str = "openmoji", test_style: str = "", split: str = "grouped",
    mirrored: bool = False, shuffled: bool = False,
    complementary: float = 0.0, cache_folder: Path | None = None, processes: int = 0,
) -> Splits:  # fmt: skip
    """The pairs, their features computed on first use (about a minute on 2 cores for a style) and kept in the cache.

    `style`: openmoji, twemoji, or both for training pairs in each style, the others in OpenMoji's; `test_style`: that
    of the test pictures, if another. `mirrored`: every training pair comes once more, its picture mirrored left to
    right. `split`, `shuffled`, `complementary`: see `image_text.assemble`. Labels are the subgroups of the
    Unicode standard. `cache_folder`: default `paths.DATA`.
    `processes`: for building, 0 for one a core. Raises InputError for an option that is unknown.
    """
    size = PROFILES[one_of("profile", profile, PROFILES)]
    first, other = STYLES
    own = first if one_of("style", style, (*STYLES, BOTH)) == BOTH else style
    styles = {"train": own, "valid": own, "test": one_of("test_style", test_style or own, STYLES)}
    second = other if style == BOTH else ""
    check_seed(seed)
    home = Path(cache_folder or paths.DATA) / "emoji"
    about = {"concepts": settings(), "size": size._asdict()}
    concepts = home / f"concepts-{cache.key([settings(), size.of])}"
    known = cache.built(home, "emoji", lambda: cache.published(concepts), lambda: _describe(concepts, size.of))
    used = sorted({*styles.values(), second} - {""})
    folders = {name: _artwork(home, name, known["ids"], processes) for name in used}
    more = [folders[second]] if second else []
    if mirrored:
        more += [_artwork(home, name, known["ids"], processes, mirrored) for name in (own, second) if name]
    decided = {**about, "seed": seed, "style": style, "test_style": styles["test"]} | mirror(mirrored)
    return assemble(
        "emoji", profile, seed, drawn.items(known), {part: opened(folders[name]) for part, name in styles.items()},
        size, split=split, shuffled=shuffled, complementary=complementary, settings=decided,
        folder=folders[own], more=[opened(folder) for folder in more],
    )  # fmt: skip


def is_built(profile: str = "quick", cache_folder: Path | None = None) -> bool:
    """Whether texts, groups and the pictures of both styles are in the cache."""
    home = Path(cache_folder or paths.DATA) / "emoji"
    known = cache.published(home / f"concepts-{cache.key([settings(), PROFILES[profile].of])}")
    return known is not None and all(cache.published(_folder(home, style, known["ids"])) for style in STYLES)


def settings() -> list[Any]:
    """Everything that decides concepts, groups and features: the key of the cache."""
    code = [emoji_concepts.VERSION, duplicates.VERSION, pictures.VERSION, texts.VERSION]
    return [code, SAME_WORDS, emoji_concepts.versions(), image_features.settings()]


def _describe(folder: Path, count: int) -> dict[str, Any]:
    """Write down ids, texts, labels and groups of the concepts; of a sample of `count`, 0 for all."""
    concepts = emoji_concepts.concepts()
    if count:
        concepts = _sample(concepts, count)
    return drawn.describe(folder, concepts, group(concepts))


def _sample(concepts: list[Concept], count: int) -> list[Concept]:
    """Three concepts of each of the first subgroups that have so many, so that words and classes recur."""
    members: dict[str, list[Concept]] = {}
    for concept in concepts:
        members.setdefault(concept.label, []).append(concept)
    large = [members[label] for label in sorted(members) if len(members[label]) >= 9]
    return sorted(concept for found in large[: count // 3] for concept in found[:: len(found) // 3][:3])


def group(concepts: list[Concept]) -> np.ndarray:
    """Group numbers (n,): variants of one concept, and near duplicates by words, by a drawing or by both."""
    words = duplicates.same_words([concept.text for concept in concepts])
    ink = np.zeros_like(words)
    for style in STYLES:
        drawn = emoji_concepts.drawings(style)
        small = [pictures.read(drawn[concept.id], duplicates.SMALL) for concept in concepts]
        ink = np.maximum(ink, duplicates.same_ink(np.stack(small)))
    return duplicates.groups(duplicates.related(words, ink, SAME_WORDS), [concept.relatives() for concept in concepts])


def _artwork(home: Path, style: str, ids: list[str], processes: int, mirrored: bool = False) -> Path:
    """The folder with features and thumbnails of all concepts in a style, computed if they are not there."""
    folder = _folder(home, f"{style}-mirrored" if mirrored else style, ids)
    make = partial(_compute, folder, style, ids, processes, mirrored)
    cache.built(home, "emoji", lambda: cache.published(folder), make)
    return folder


def _folder(home: Path, style: str, ids: list[str]) -> Path:
    decided = [emoji_concepts.versions(), image_features.settings(), ids]
    return home / f"{style}-{cache.key(decided)}"


def _compute(folder: Path, style: str, ids: list[str], processes: int, mirrored: bool) -> dict[str, Any]:
    drawn = emoji_concepts.drawings(style)
    return image_features.build(folder, [drawn[id] for id in ids], ids, {"style": style}, processes, mirrored)
