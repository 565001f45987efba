"""What the book shows of the image–text pairs themselves: fragments and figures, part of `book.make`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from book.make import markdown
from xmlib.data import Split, Splits, emoji, iapr, load, openclipart
from xmlib.data.image_text import LARGE, SPLITS
from xmlib.show.figures import bare
from xmlib.show.picture_figures import shortened

PARTS = {"train": "training", "valid": "validation", "test": "test"}
SPLIT_NAMES = {"grouped": "by group", "random": "at random", "zero_shot": "zero-shot"}
SHOWN = 7  # pictures in a row
LARGEST = 6  # groups in the table


def fragments(draw: Callable[[Callable], bytes]) -> dict[str, str | bytes]:
    """File name → what the pages emoji, openclipart and iapr include; `draw` turns a plot into SVG.

    A data set that has not been built on this machine is not built for that; its fragments say so.
    """
    return _emoji(draw) | _openclipart(draw) | {"iapr_sizes.md": iapr_sizes()}


def _emoji(draw: Callable[[Callable], bytes]) -> dict[str, str | bytes]:
    names = ("emoji_pictures.md", "emoji_sizes.md", "emoji_groups.md")
    if not emoji.is_built():
        return dict.fromkeys(names, _missing("xm data emoji"))
    splits = {split: load("emoji", split=split) for split in SPLITS}
    other = load("emoji", style="twemoji")
    train = splits["grouped"].train
    rows = example_rows(train)
    texts = "; ".join(markdown.escape(train.texts[row]) for row in rows)
    figure = markdown.figure(
        "emoji-pictures",
        "Two rows of small colourful drawings of the same things, in two styles, with their names below.",
        f"Training pairs, above as OpenMoji draws them, below as Twemoji does. Their texts: {texts}. Drawings: "
        "OpenMoji (CC BY-SA 4.0) and Twemoji (CC BY 4.0).",
    )
    drawn = draw(lambda: examples({"OpenMoji": train, "Twemoji": other.train}, rows))
    contents = (figure, sizes(splits), groups(splits["grouped"]))
    return {**dict(zip(names, contents, strict=True)), "emoji-pictures.svg": drawn}


def _openclipart(draw: Callable[[Callable], bytes]) -> dict[str, str | bytes]:
    names = ("openclipart_pictures.md", "openclipart_sizes.md", "openclipart_groups.md")
    if not openclipart.is_built():
        command = "xm data download openclipart` and `xm data openclipart"
        return dict.fromkeys(names, _missing(command))
    splits = {split: load("openclipart", split=split) for split in SPLITS}
    train = splits["grouped"].train
    rows = example_rows(train, 2 * SHOWN)
    texts = "; ".join(markdown.escape(train.texts[row]) for row in rows)
    figure = markdown.figure(
        "openclipart-pictures", "Two rows of clip art with titles below.", f"Training pairs. Their texts: {texts}."
    )
    drawn = draw(lambda: examples({"": train, " ": train}, rows))
    contents = (figure, sizes(splits), groups(splits["grouped"]))
    return {**dict(zip(names, contents, strict=True)), "openclipart-pictures.svg": drawn}


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
                ax.set_xlabel(shortened(_title(split.texts[int(row)]), 16, lines=2), fontsize=7)
        own[0].set_ylabel(label.strip(), fontsize=8)
    return figure


def sizes(splits: Mapping[str, Splits]) -> str:
    """Pairs, groups and classes of every part, by way of splitting."""
    header = ["Split", "Part", "Pairs", "Groups", "Classes", "Words"]
    rows = []
    for name, whole in splits.items():
        for part, title in PARTS.items():
            split = getattr(whole, part)
            counts = [len(split), len(set(split.groups)), len(set(split.labels)), split.view2.shape[0]]
            first = part == "train"
            cells = [f"{count:,}" for count in counts[:3]] + [f"{counts[3]:,}" if first else ""]
            rows.append([SPLIT_NAMES[name] if first else "", title, *cells])
    return markdown.table(header, rows, right=header[2:])


def groups(splits: Splits) -> str:
    """How many groups there are, and the largest with a few of their texts."""
    parts = [getattr(splits, part) for part in PARTS]
    numbers = np.concatenate([part.groups for part in parts])
    titles = [_title(text) for part in parts for text in part.texts]
    found, counts = np.unique(numbers, return_counts=True)
    text = (
        f"The {len(numbers):,} pairs form {len(found):,} groups, {(counts == 1).sum():,} of them of a single pair. "
        f"Groups of more than {len(splits.test) // LARGE} stay in training. The largest:\n\n"
    )
    rows = []
    for number in found[np.argsort(-counts, kind="stable")][:LARGEST]:
        members = [title for title, own in zip(titles, numbers, strict=True) if own == number]
        some = list(dict.fromkeys(members[:: max(1, len(members) // 6)]))[:6]
        rows.append([f"{len(members)}", markdown.escape("; ".join(some))])
    return text + markdown.table(["Pairs", "Some of them"], rows, right=["Pairs"])


def _title(text: str) -> str:
    """The name before the keywords; a country without the word flag."""
    return text.removeprefix("flag: ").split(":")[0]


def iapr_sizes() -> str:
    """The released split."""
    header = ["Part", "Pairs", "Different pairs"]
    rows = [
        [PARTS[part], f"{len(rows):,}", f"{len(set(rows.tolist())):,}"] for part, rows in iapr.split(iapr.PAIRS).items()
    ]
    return markdown.table(header, rows, right=header[1:])


def _missing(command: str) -> str:
    return f"The pairs have not been built on this machine; `{command}` does it.\n"
