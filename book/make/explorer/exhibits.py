"""How the explorer shows the pairs of a data set: sheets of small pictures, sounds, words for each item."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

from book.make.explorer import sounds
from xmlib.data import Splits
from xmlib.data.audio_score.engrave import HEIGHT, WIDTH

COLUMNS = 10  # of a sheet, and as many rows: a page loads the sheets that it shows and no others
GREYS, HEAT = 16, 32  # shades of a snippet and of a spectrogram: the eye sees no more, and files halve
THUMBNAIL = 96  # pixels


@dataclass
class View:
    """One side of the pairs. `kind`: snippet, sound, picture or text; `count`: the first so many items have it.

    `tile`: width and height of one picture in pixels, `sheets`: how many files of `COLUMNS`² pictures; `words`: what a
    reader who cannot see an item is told, or its text. `name` is that of the view, `one` that of an item.
    """

    kind: str
    name: str
    one: str
    count: int
    words: list[str]
    tile: tuple[int, int] = (0, 0)
    sheets: int = 0
    suffix: str = ""


@dataclass
class Exhibit:
    """Items of a data set made visible: both views, a `label` an item, and `files` (name → content) they need.

    `sounds`: item numbers that have a file `<number>.mp3`; `about`: what an item was played on, and how fast.
    """

    title: str
    views: tuple[View, View]
    labels: list[str]
    about: list[str] = field(default_factory=list)
    sounds: list[int] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def audio_score(splits: Splits, rows: Sequence[int], heard: int) -> Exhibit:
    """Test pairs of sheet music and sound: a snippet of each, and the spectrogram and sound of the first `heard`."""
    split = splits.test
    labels, snippets, words, about = [], [], [], []
    for row in rows:
        tune, note = sounds.of_pair(split, row)
        notes = sounds.notes_of(tune["id"], sounds.stored_tune(splits, tune["id"]))
        column = int(split.rows["column"][row]) - tune["first_column"]
        snippets.append(tune["strip"][:, column : column + WIDTH])
        labels.append(f"note {note + 1} of “{sounds.title(tune)}”")
        words.append(sounds.around(notes, note))
        about.append(sounds.played(tune))
    snippet = View("snippet", "sheet", "snippet", len(rows), words, (WIDTH, HEIGHT))
    _, bands, frames = split.view2.shape
    sound = View("sound", "audio", "sound", heard, words, (frames, bands))
    spectrograms = split.view2[np.array(rows[:heard], dtype=int)][:, 0, ::-1]  # high bands on top
    shown = Exhibit("Sheet music and its sound", (snippet, sound), labels, about)
    _add_sheets(shown, 1, snippet, np.stack(snippets), grey_png)
    _add_sheets(shown, 2, sound, spectrograms, heat_png)
    for row, file in sounds.excerpts(splits, list(rows[:heard])).items():
        number = rows.index(row)
        shown.sounds.append(number)
        shown.files[f"{number}.mp3"] = file.read_bytes()
    return shown


def picture_text(splits: Splits, rows: Sequence[int], heard: int) -> Exhibit:
    """Test pairs of pictures and texts; `heard` is of no consequence."""
    split: Any = splits.test
    texts = [str(split.texts[row]) for row in rows]
    picture = View("picture", "image", "picture", len(rows), texts, (THUMBNAIL, THUMBNAIL))
    shown = Exhibit("Pictures and words", (picture, View("text", "text", "text", len(rows), texts)), texts)
    _add_sheets(shown, 1, picture, np.stack([_thumbnail(split.pictures[row]) for row in rows]), colour_webp)
    return shown


SHOWN = {"audio_score": audio_score}  # every other data set is one of pictures and texts


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    """The picture (h, w, 3) within a white square."""
    image = Image.fromarray(picture)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    square = Image.new("RGB", (THUMBNAIL, THUMBNAIL), "white")
    square.paste(image, ((THUMBNAIL - image.width) // 2, (THUMBNAIL - image.height) // 2))
    return np.asarray(square)


def _add_sheets(shown: Exhibit, number: int, view: View, tiles: np.ndarray, encode: Any) -> None:
    for sheet in sheets(tiles):
        view.suffix, content = encode(sheet)
        shown.files[f"view{number}-{view.sheets}.{view.suffix}"] = content
        view.sheets += 1


def sheets(tiles: np.ndarray) -> Iterator[np.ndarray]:
    """Pictures (n, h, w, …) in sheets of `COLUMNS` × `COLUMNS`, row by row; the rest of the last one is 0."""
    n, height, width = tiles.shape[:3]
    for start in range(0, n, COLUMNS**2):
        some = tiles[start : start + COLUMNS**2]
        full = np.zeros((COLUMNS**2, *tiles.shape[1:]), tiles.dtype)
        full[: len(some)] = some
        grid = full.reshape(COLUMNS, COLUMNS, *tiles.shape[1:]).swapaxes(1, 2)
        yield grid.reshape(COLUMNS * height, COLUMNS * width, *tiles.shape[3:])


def grey_png(sheet: np.ndarray) -> tuple[str, bytes]:
    """PNG of a grey sheet (h, w) uint8 in few shades."""
    shades = np.linspace(0, 255, GREYS).round().astype(np.uint8)
    return _palette_png(np.round(sheet / 255 * (GREYS - 1)), np.stack([shades] * 3, axis=1))


def heat_png(sheet: np.ndarray) -> tuple[str, bytes]:
    """PNG of a sheet of spectrograms (h, w) in the colours of the book's figures, dark to bright."""
    colours = np.round(255 * matplotlib.colormaps["magma"](np.linspace(0, 1, HEAT))[:, :3]).astype(np.uint8)
    return _palette_png(np.round(sheet / max(float(sheet.max()), 1e-9) * (HEAT - 1)), colours)


def _palette_png(indices: np.ndarray, colours: np.ndarray) -> tuple[str, bytes]:
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "png", optimize=True, bits=4 if len(colours) <= 16 else 8)
    return "png", buffer.getvalue()


def colour_webp(sheet: np.ndarray) -> tuple[str, bytes]:
    """WebP of a coloured sheet (h, w, 3) uint8."""
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "webp", quality=80, method=6)
    return "webp", buffer.getvalue()
