"""Items of one's own pairs to look at and to listen to: HTML with everything inside, nothing fetched."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import numpy as np
from scipy.sparse import issparse

from xmlib.data.own import sounds
from xmlib.data.own.sides import Side
from xmlib.data.pictures import pictures

SECONDS = 5  # of a sound that are played, from its middle
LETTERS = 160  # of a text that are shown
WIDTH, HEIGHT = 96, 40  # pixels of a row of numbers


def item(side: Side, row: int) -> str:
    """One item as HTML: a picture, a player, a text, or a row of numbers as a line."""
    if side.kind == "numbers":
        return line(side, row)
    value = side.items[row]
    if side.kind == "texts":
        return html.escape(shortened(value))
    name, source = html.escape(Path(value).name), media(side.kind, value)
    if side.kind == "images":
        return f'<img alt="{name}" src="{source}">'
    return f'<audio controls style="width:140px" src="{source}"></audio><br>{name}'


def shortened(text: str) -> str:
    """A text of `LETTERS` at most."""
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"


def media(kind: str, file: Path) -> str:
    """A picture or the middle of a sound as an address that holds it."""
    return address("image/png", _png(file)) if kind == "images" else address("audio/mpeg", _mp3(file))


def address(kind: str, content: bytes) -> str:
    """Content as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _png(file: Path) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pictures.read(file, pictures.THUMBNAIL)).save(buffer, "PNG")
    return buffer.getvalue()


def _mp3(file: Path) -> bytes:
    """The middle of a sound."""
    import soundfile

    sound = sounds.resampled(*sounds.read(file))
    most = SECONDS * sounds.RATE
    start = max(0, len(sound) - most) // 2
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(sound[start : start + most], -1, 1), sounds.RATE, format="MP3")
    return buffer.getvalue()


def line(side: Side, row: int) -> str:
    """A row of numbers as an SVG line; one or two are written."""
    values = np.ravel(side.items[row].toarray() if issparse(side.items) else side.items[row])
    if len(values) <= 2:
        return ", ".join(f"{value:.4g}" for value in values)
    shown = values[np.linspace(0, len(values) - 1, min(len(values), WIDTH)).astype(int)]
    low, spread = float(shown.min()), float(np.ptp(shown)) or 1.0
    points = " ".join(
        f"{x:.1f},{HEIGHT - HEIGHT * (value - low) / spread:.1f}"
        for x, value in zip(np.linspace(0, WIDTH, len(shown)), shown, strict=True)
    )
    drawn = f'<polyline points="{points}" fill="none" stroke="#0072B2"/>'
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{drawn}</svg>'
