"""What the book shows besides records: the executed notebook of every method, and the pairs themselves."""

import json
from pathlib import Path

import numpy as np

from xmlib import paths, tables
from xmlib.data import Splits, audio_score, cache, load
from xmlib.data.synthesize import FRAMES_PER_SECOND
from xmlib.methods import METHODS
from xmlib.runs import title

SHOWN = "quick", 1  # profile and seed whose executed notebook becomes the page of a method
DIFFICULTY = "hard"
FRAMES_PER_MINUTE = 60 * FRAMES_PER_SECOND


def methods(results: Path) -> dict[str, str]:
    """Path below `results` → notebook, the page of each method; a page that has not been run says so."""
    profile, seed = SHOWN
    found = {}
    for method in METHODS:
        executed = results / profile / f"audio_score-{method}-seed{seed}.ipynb"
        found[f"audio_score-{method}.ipynb"] = method_page(executed, method) if executed.exists() else _empty(method)
    return found


def method_page(executed: Path, method: str) -> str:
    """An executed notebook as a page: with the method as its title, and with figure labels of its own.

    All methods share one notebook; without this their pages would share a title, and their labels would clash.
    """
    notebook = json.loads(executed.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figure["name"] += f"-{method}"
    first = next(cell for cell in notebook["cells"] if "".join(cell["source"]).startswith("# "))
    _, _, rest = "".join(first["source"]).partition("\n")
    first["source"] = f"# {title(method)}\n{rest}"
    notebook["metadata"].pop("widgets", None)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _empty(method: str) -> str:
    text = f"# {title(method)}\n\nThe notebook has not been run on this machine; `make book` runs it."
    cell = {"cell_type": "markdown", "id": "0", "metadata": {}, "source": text}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def built_pairs() -> Splits | None:
    """The quick pairs in the hard setting where they have been built; None where they have not."""
    profile, seed = "quick", 23
    decided = audio_score.settings(audio_score.PROFILES[profile], seed, DIFFICULTY)
    folder = paths.DATA / "audio_score" / f"pairs-{cache.key(decided)}"
    return load("audio_score", profile, seed, difficulty=DIFFICULTY) if cache.published(folder) else None


def example_rows(splits: Splits, count: int = 4) -> np.ndarray:
    """Training pairs at equal distances."""
    return np.linspace(0, len(splits.train) - 1, count).astype(int)


def pairs(splits: Splits) -> str:
    """The figure of example pairs, with the titles of their tunes."""
    train = splits.train
    titles = [tables.escape(train.tunes[train.rows["tune"][row]]["title"]) for row in example_rows(splits)]
    return (
        "```{figure} _generated/pairs.svg\n:name: fig-pairs\n:width: 100%\n"
        ":alt: Four snippets of sheet music; below each a spectrogram. A green line marks the note and its onset.\n\n"
        "Four training pairs: above the snippet, below the excerpt of its sound. "
        f"The green lines mark the note and its onset. From the tunes {'; '.join(titles)}.\n```\n"
    )


def tunes(splits: Splits) -> str:
    """How many tunes, groups and minutes of sound the pairs of each split come from."""
    header = ["Split", "Pairs", "Tunes", "Groups of related tunes", "Minutes of sound", "Instruments"]
    rows = []
    for name in ("train", "valid", "test"):
        split = getattr(splits, name)
        own = [tune for tune in split.tunes if tune["split"] == name]
        minutes = sum(end - start for start, end in (tune["frames"] for tune in own)) / FRAMES_PER_MINUTE
        counts = [len(split), len(own), len(set(split.groups)), round(minutes)]
        played = ", ".join(audio_score.INSTRUMENTS[number] for number in sorted({t["instrument"] for t in own}))
        rows.append([name, *(f"{count:,}" for count in counts), played])
    return tables.table(header, rows, right=header[1:5])


def difficulties() -> str:
    """What the settings hard and easy fix."""
    rows = []
    for name, setting in audio_score.DIFFICULTIES.items():
        played = [", ".join(audio_score.INSTRUMENTS[i] for i in chosen) for chosen in _splits(setting)]
        step = "a quarter note lasts 0.5 s" if setting.step is None else _step(*setting.step)
        rows.append([f"`{name}`", *played, step])
    return tables.table(["Difficulty", "Training", "Validation", "Test", "Tempo"], rows)


def _splits(setting: audio_score.Difficulty) -> tuple[tuple[int, ...], ...]:
    return setting.train, setting.valid, setting.test


def _step(low: float, high: float) -> str:
    return f"the commonest note value lasts {low:g} to {high:g} s, differently in every tune"
