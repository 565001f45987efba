"""What the book shows of the image–text pairs themselves: fragments and figures, part of `book.make`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from book.make.results.tables import filled
from book.show.audio_figures import bare
from book.show.drawings import Drawing
from book.show.picture_figures import shortened
from xmlib.data import Split, Splits, emoji, iapr, icons, load, openclipart
from xmlib.data.icons.icon_files import COLLECTIONS
from xmlib.data.image_text import LARGE, SPLITS

PARTS = ("train", "valid", "test")
SHOWN = 7  # pictures in a row
LARGEST = 6  # groups in the table


def fragments(draw: Callable[[Callable], Drawing]) -> dict[str, str | Drawing]:
    """File name → what the pages emoji, openclipart, icons and iapr include; `draw` turns a plot into SVG.

    A data set that has not been built on this machine is not built for that; its page says so.
    """
    return _emoji(draw) | _openclipart(draw) | _icons(draw) | {"iapr_sizes.md": filled("iapr_sizes", iapr_sizes)}


def _emoji(draw: Callable[[Callable], Drawing]) -> dict[str, str | Drawing]:
    if not emoji.is_built():
        return _unbuilt("emoji", "xm data emoji")
    splits = {split: load("emoji", split=split) for split in SPLITS}
    train, other = splits["grouped"].train, load("emoji", style="twemoji").train
    rows = example_rows(train)
    drawn = draw(partial(examples, {"OpenMoji": train, "Twemoji": other}, rows))
    return _built("emoji", splits, rows) | {"emoji-pictures.svg": drawn}


def _openclipart(draw: Callable[[Callable], Drawing]) -> dict[str, str | Drawing]:
    if not openclipart.is_built():
        commands = "xm data download openclipart", "xm data openclipart"
        return _unbuilt("openclipart", *commands)
    splits = {split: load("openclipart", split=split) for split in SPLITS}
    train = splits["grouped"].train
    rows = example_rows(train, 2 * SHOWN)
    drawn = draw(partial(examples, {"": train, " ": train}, rows))
    return _built("openclipart", splits, rows) | {"openclipart-pictures.svg": drawn}


def _icons(draw: Callable[[Callable], Drawing]) -> dict[str, str | Drawing]:
    if not icons.is_built():
        return _unbuilt("icons", "xm data download icons", "xm data icons") | {"icons_found.md": ""}
    splits = {split: load("icons", split=split) for split in SPLITS}
    train = splits["grouped"].train
    rows = by_all_hands(train)
    drawn = draw(partial(examples, dict.fromkeys(COLLECTIONS, train), rows.ravel()))
    found = filled("icons_found", collections)
    built = _built("icons", splits, rows[:, 0], collections=list(COLLECTIONS))
    return built | {"icons-pictures.svg": drawn, "icons_found.md": found}


def collections() -> dict[str, Any]:
    """The collections of icons, and how many drawings each gave."""
    return {"collections": COLLECTIONS, **icons.facts()}


def by_all_hands(split: Split) -> np.ndarray:
    """Rows (collections, shown) of things that every collection draws under the same name, a column a thing."""
    rows = {id: row for row, id in enumerate(split.ids)}
    names = sorted({id.split("/")[1] for id in rows})
    shared = [name for name in names if all(f"{hand}/{name}" in rows for hand in COLLECTIONS)]
    chosen = [shared[i] for i in np.linspace(0, len(shared) - 1, SHOWN + 2).astype(int)[1:-1]]
    return np.array([[rows[f"{hand}/{name}"] for name in chosen] for hand in COLLECTIONS])


def _built(name: str, splits: Mapping[str, Splits], rows: np.ndarray, **more: Any) -> dict[str, str | Drawing]:
    """The fragments of pairs that have been built; `rows`: of training, those whose texts are shown."""
    texts = [splits["grouped"].train.texts[row] for row in rows]
    return {
        f"{name}_pictures.md": filled(f"{name}_pictures", {"texts": texts, **more}),
        f"{name}_sizes.md": filled("image_text_sizes", sizes, splits),
        f"{name}_groups.md": filled("image_text_groups", groups, splits["grouped"]),
    }


def _unbuilt(name: str, *commands: str) -> dict[str, str | Drawing]:
    """The fragments of pairs that have not been built, of which the first on the page says so."""
    text = filled("unbuilt", {"commands": commands})
    return {f"{name}_pictures.md": text, f"{name}_sizes.md": "", f"{name}_groups.md": ""}


def example_rows(split: Split, count: int = SHOWN) -> np.ndarray:
    """Rows at equal distances."""
    return np.linspace(0, len(split) - 1, count + 2).astype(int)[1:-1]


def examples(lines: Mapping[str, Split], rows: np.ndarray) -> Figure:
    """A line of pictures for each split in `lines`, with titles: of the same rows, or of the next ones."""
    shared = len(rows) == SHOWN
    figure, axes = plt.subplots(len(lines), SHOWN, figsize=(7.4, 1.35 * len(lines)), squeeze=False)
    for line, (own, (label, split)) in enumerate(zip(axes, lines.items(), strict=True)):
        chosen = rows if shared else rows[line * SHOWN : (line + 1) * SHOWN]
        for ax, row in zip(own, chosen, strict=True):
            ax.imshow(split.pictures[int(row)])
            bare(ax)
            ax.spines[:].set_visible(False)
            if not shared or line == len(lines) - 1:
                ax.set_xlabel(shortened(_title(split.texts[int(row)]), 16, lines=2), fontsize=7.5)
        own[0].set_ylabel(label.strip(), fontsize=8)
    return figure


def sizes(splits: Mapping[str, Splits]) -> dict:
    """Pairs, groups and classes of every part, and words of training, by way of splitting."""
    return {"splits": {name: {part: _size(getattr(whole, part)) for part in PARTS} for name, whole in splits.items()}}


def _size(split: Split) -> dict[str, int]:
    return {
        "pairs": len(split),
        "groups": len(set(split.groups)),
        "classes": len(set(split.labels)),
        "words": split.view2.shape[0],
    }


def groups(splits: Splits) -> dict:
    """How many groups there are, and the largest with a few of their texts."""
    parts = [getattr(splits, part) for part in PARTS]
    numbers = np.concatenate([part.groups for part in parts])
    titles = [_title(text) for part in parts for text in part.texts]
    found, counts = np.unique(numbers, return_counts=True)
    largest = []
    for number in found[np.argsort(-counts, kind="stable")][:LARGEST]:
        members = [title for title, own in zip(titles, numbers, strict=True) if own == number]
        some = list(dict.fromkeys(members[:: max(1, len(members) // 6)]))[:6]
        largest.append({"size": len(members), "texts": some})
    return {
        "pairs": len(numbers),
        "groups": len(found),
        "single": (counts == 1).sum(),
        "most": len(splits.test) // LARGE,
        "largest": largest,
    }


def _title(text: str) -> str:
    """The name before the keywords; a country, which has a colon more, without the word flag."""
    return (text.removeprefix("flag: ") if text.count(":") > 1 else text).split(":")[0]


def iapr_sizes() -> dict:
    """The released split: pairs and different pairs of each part."""
    found = {part: rows.tolist() for part, rows in iapr.split(iapr.PAIRS).items()}
    return {"parts": {part: {"pairs": len(rows), "different": len(set(rows))} for part, rows in found.items()}}
