"""Which test pairs of folk tunes show notes that a training tune has too.

Related tunes are kept apart as wholes, see `choose`. A few notes in a row are the common property of all dance tunes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from xmlib.data import cache
from xmlib.data.audio_score import folk_tunes
from xmlib.data.audio_score.choose import context
from xmlib.data.audio_score.folk_tunes import Note
from xmlib.data.splits import Splits


def shared(splits: Splits) -> dict[str, np.ndarray] | None:
    """Two arrays of truth values, one a test pair: its note and the three on either side occur in a training tune.

    `same`: with the same pitches, lengths and gaps; `transposed`: in whatever key. A training tune counts as a whole,
    with the notes that no pair was made of. None where the parsed tunes are not in the cache beside the pairs.
    """
    notes = _notes(splits)
    if notes is None:
        return None
    train = sorted({int(tune) for tune in splits.train.rows["tune"]})
    known = {context(notes[tune], i) for tune in train for i in range(len(notes[tune]))}
    anywhere = {moved(seven) for seven in known}
    asked = [context(notes[tune], i) for tune, i in splits.test.rows[["tune", "note"]].tolist()]
    return {
        "same": np.array([seven in known for seven in asked]),
        "transposed": np.array([moved(seven) in anywhere for seven in asked]),
    }


def moved(seven: Iterable[tuple | None]) -> tuple:
    """A context as from `choose.context` with pitches counted from its middle note."""
    seven = tuple(seven)
    middle = seven[len(seven) // 2][0]
    return tuple(note and (note[0] - middle, *note[1:]) for note in seven)


def _notes(splits: Splits) -> dict[int, list[Note]] | None:
    """The sounding notes of every tune that has a pair in training or test."""
    if splits.folder is None or "tunes" not in splits.settings:
        return None
    folder = splits.folder.parent / f"tunes-{cache.key(splits.settings['tunes'])}"
    found = {}
    for tune in sorted({int(tune) for split in (splits.train, splits.test) for tune in split.rows["tune"]}):
        stored = cache.read_json(folder / f"{splits.train.tunes[tune]['id']}.json") or {}
        if "tune" not in stored:
            return None
        found[tune] = folk_tunes.from_json(stored["tune"]).notes()
    return found
