"""What the book shows besides records: the executed notebook of every method, and the pairs themselves."""

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from book.make import grid
from book.make.results import melodies
from book.make.results.runs import title
from book.make.results.tables import filled
from xmlib import paths
from xmlib.data import Splits, audio_score, cache, load
from xmlib.data.audio_score.engrave import HEIGHT, WIDTH
from xmlib.data.audio_score.synthesize import EXCERPT, FRAMES_PER_SECOND
from xmlib.evaluate import DIRECTIONS, recorded_reciprocal_ranks

SHOWN = "quick", 1  # profile and seed whose executed notebook becomes the page of a method
DIFFICULTY = "hard"
FRAMES_PER_MINUTE = 60 * FRAMES_PER_SECOND
STRIP, SOUND = 900, 300  # of a tune, how many pixel columns and frames its figure shows


def methods(results: Path) -> dict[str, str]:
    """Path below `results` → notebook, the page of each data set and method; a page that has not been run says so."""
    profile, seed = SHOWN
    executed = {
        f"audio_score-{m}": (m, f"{profile}/audio_score-{m}-seed{seed}.ipynb") for m in grid.methods("audio_score")
    }
    for name in grid.images(profile):
        executed |= {f"{name}-{m}": (m, f"{profile}/{name}-{m}.ipynb") for m in grid.methods(name)}
    executed["emoji-neighborhoods"] = "neighborhoods", f"{profile}/emoji-neighborhoods.ipynb"
    found = {}
    for name, (method, path) in executed.items():
        there = (results / path).exists()
        found[f"{name}.ipynb"] = method_page(results / path, method, name) if there else _empty(method, name)
    return found


def method_page(executed: Path, method: str, name: str) -> str:
    """An executed notebook as a page: the method is its title, its figures have labels of their own and alt texts.

    All methods share one notebook; without this their pages would share a title, and their labels would clash.
    """
    notebook = json.loads(executed.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figure["name"] += f"-{name}"
        if "caption" in figure:
            cell["metadata"]["mystnb"].setdefault("image", {}).setdefault("alt", figure["caption"])
    first = next(cell for cell in notebook["cells"] if "".join(cell["source"]).startswith("# "))
    _, _, rest = "".join(first["source"]).partition("\n")
    first["source"] = f"# {_title(method, name)}\n{rest}"
    notebook["metadata"].pop("widgets", None)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _title(method: str, name: str) -> str:
    dataset = name.split("-")[0]
    return title(method) + ("" if dataset == "audio_score" else f", on {dataset}")


def _empty(method: str, name: str) -> str:
    text = filled("no_notebook", {"title": _title(method, name)}).rstrip()
    cell = {"cell_type": "markdown", "id": "0", "metadata": {}, "source": text}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def built_pairs() -> Splits | None:
    """The quick pairs in the hard setting where they have been built; None where they have not."""
    profile, seed = "quick", 23
    decided = audio_score.settings(audio_score.PROFILES[profile], seed, DIFFICULTY)
    folder = paths.DATA / "audio_score" / f"pairs-{cache.key(decided)}"
    return load("audio_score", profile, seed, difficulty=DIFFICULTY) if cache.published(folder) else None


def pairs_of(record: dict) -> Splits | None:
    """The pairs that an audio record was made of, where they have been built here; None where they have not."""
    folder = paths.DATA / "audio_score" / f"pairs-{cache.key(record['data'].get('settings', {}))}"
    manifest = cache.published(folder)
    if not manifest or manifest["digest"] != record["data"]["digest"]:
        return None
    return audio_score.opened(folder, manifest, record["profile"])


def melody(splits: Splits, found: Sequence[dict]) -> dict | None:
    """How many test notes stand among the same notes in a training tune; None where the pairs do not tell.

    `fall`: by how much the test MRR of a record (`found`: those of the pairs) would be lower without them, at worst.
    """
    shared = melodies.shared(splits)
    if shared is None:
        return None
    ranks = [recorded_reciprocal_ranks(record, way) for record in found for way in DIRECTIONS]
    falls = [float(values.mean() - values[~shared["transposed"]].mean()) for values in ranks]
    return {
        "train": len(splits.train),
        "test": len(splits.test),
        **{name: float(values.mean()) for name, values in shared.items()},
        "fall": max(falls, key=abs, default=None),
    }


def example_rows(splits: Splits, count: int = 4) -> np.ndarray:
    """Training pairs at equal distances."""
    return np.linspace(0, len(splits.train) - 1, count).astype(int)


def draw_tune(splits: Splits, row: int) -> Figure:
    """The beginning of a tune, engraved and as a spectrogram; frames mark what two of its pairs cut out."""
    train = splits.train
    number = train.rows["tune"][row]
    tune, before = train.tunes[number], train.tunes[:number]
    own = train.rows[train.rows["tune"] == number]
    columns = own["column"] - sum(other["strip"].shape[1] for other in before)  # rows count from the first tune on
    frames = own["frame"] - sum(other["frames"].shape[1] for other in before)
    figure, axes = plt.subplots(2, 1, figsize=(7, 2.9), height_ratios=(80, 130))
    axes[0].imshow(tune["strip"][:, :STRIP], cmap="gray", vmin=0, vmax=255, aspect="auto")
    axes[1].imshow(tune["frames"][:, :SOUND].astype(np.float32), origin="lower", aspect="auto")
    whole = np.flatnonzero((columns >= 0) & (columns + WIDTH < STRIP) & (frames >= 0) & (frames + EXCERPT < SOUND))
    for i, color in zip(sorted({*whole[:1], *whole[-1:]}), ("#009E73", "#CC79A7"), strict=False):
        axes[0].add_patch(Rectangle((columns[i], 1), WIDTH, HEIGHT - 3, fill=False, edgecolor=color, linewidth=2.5))
        bands = len(tune["frames"])
        axes[1].add_patch(Rectangle((frames[i], 0.5), EXCERPT, bands - 2, fill=False, edgecolor=color, linewidth=2.5))
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return figure


def pairs(splits: Splits) -> dict:
    """The titles of the tunes that the figures of a tune and of example pairs show."""
    train = splits.train
    return {"titles": [train.tunes[train.rows["tune"][row]]["title"].rstrip(".") for row in example_rows(splits)]}


def tunes(splits: Splits) -> dict:
    """How many tunes, groups and minutes of sound the pairs of each split come from."""
    rows = {}
    for name in ("train", "valid", "test"):
        split = getattr(splits, name)
        own = [tune for tune in split.tunes if tune["split"] == name]
        minutes = sum(tune["frames"].shape[1] for tune in own) / FRAMES_PER_MINUTE
        rows[name] = [len(split), len(own), len(set(split.groups)), minutes]
    return {"splits": rows}


def difficulties() -> dict:
    """What the settings hard and easy fix: the instruments of each split, and the tempo."""
    splits = ("train", "valid", "test")
    return {
        "difficulties": {
            name: {split: [audio_score.INSTRUMENTS[i] for i in getattr(one, split)] for split in splits}
            | {"step": one.step}
            for name, one in audio_score.DIFFICULTIES.items()
        }
    }
