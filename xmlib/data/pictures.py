"""Pictures read from files: PNG, JPEG and the like by pillow, SVG by resvg, all of one size on white.

A file that is no picture, or one that might do harm, raises `NoPicture`, whose message says what is wrong with it.
Nothing is ever fetched: an SVG that refers to another file or address is refused.
"""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np

VERSION = 1  # raise it when a picture may come out differently
SIDE = 224  # pixels, what the network of `image_features` was trained on
THUMBNAIL = 96
DPI = 96.0  # of an SVG whose size is in millimetres or points
MOST_PIXELS = 50_000_000  # a photograph has fewer; a larger file would fill the memory when unpacked
MOST_BYTES = 100_000_000
HREF = re.compile(rb"""<\??\s*([\w:.-]+)[^<>]*?\s(?:xlink:)?href\s*=\s*["']\s*(?!#|data:)([^"']{1,80})""", re.I)
URL = re.compile(rb"""url\(\s*["']?\s*(?!#|data:)([^"')\s]{1,80})""", re.I)
IMPORT = re.compile(rb"""@import\s+["']?([^"';]{1,80})|<!ENTITY[^>]*\s(?:SYSTEM|PUBLIC)\s+["']([^"']{1,80})""", re.I)


class NoPicture(ValueError):
    """A file that cannot or must not be used as a picture; the message says why, without naming the file."""


def read(path: Path | str, side: int = SIDE) -> np.ndarray:
    """The picture in a file, (side, side, 3) uint8 RGB: whole, in the middle, transparent parts and margins white.

    Raises NoPicture for anything that is not a picture or is too large, and FileNotFoundError.
    """
    size = Path(path).stat().st_size
    if size > MOST_BYTES:
        raise NoPicture(f"it has {size / 1e6:.0f} MB; at most {MOST_BYTES / 1e6:.0f} are read")
    return decode(Path(path).read_bytes(), side)


def decode(content: bytes, side: int = SIDE) -> np.ndarray:
    """The picture that the bytes of a file hold, like `read`."""
    if b"<svg" in content[:4096].lower() or content.lstrip().startswith(b"<?xml"):
        content = draw_svg(content, side)
    return _fit(_open(content), side)


def draw_svg(svg: bytes, side: int = SIDE) -> bytes:
    """PNG of an SVG, its longer side `side` pixels."""
    import resvg_py

    _refuse_references(svg)
    try:
        text = svg.decode("utf-8-sig")
        whole = _size(bytes(resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True, dpi=DPI, width=8)))
        wide, high = (side, None) if whole[0] >= whole[1] else (None, side)
        return bytes(resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True, dpi=DPI, width=wide, height=high))
    except (ValueError, OSError) as error:
        raise NoPicture(f"it is no SVG that can be drawn ({_short(error)})") from None


def _refuse_references(svg: bytes) -> None:
    """Raise NoPicture if the SVG refers to anything outside itself; a link for readers to click is none."""
    for element, target in HREF.findall(svg):
        if element.lower() not in (b"a", b"svg:a"):
            raise NoPicture(f"it refers to something outside itself, {_text(target)!r}, and nothing is fetched")
    for found in (URL.search(svg), IMPORT.search(svg)):
        if found:
            target = next(group for group in found.groups() if group)
            raise NoPicture(f"it refers to something outside itself, {_text(target)!r}, and nothing is fetched")


def _open(content: bytes):
    """A pillow image, RGBA and upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content))
        if image.width * image.height > MOST_PIXELS:
            raise NoPicture(f"it is enormous ({image.width} × {image.height} pixels)")
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):  # 16 bits a pixel: keep the upper eight
            return Image.fromarray((np.asarray(upright) >> 8).clip(0, 255).astype(np.uint8)).convert("RGBA")
        return upright.convert("RGBA")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise NoPicture("it is enormous when unpacked") from None
    except UnidentifiedImageError:
        raise NoPicture("it is not a picture, or of a kind that pillow does not know") from None
    except NoPicture:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what pillow raises on damaged files
        raise NoPicture(f"it is damaged or cut short ({_short(error)})") from None


def _fit(image, side: int) -> np.ndarray:
    """(side, side, 3): the whole image scaled into the middle of a white square."""
    from PIL import Image

    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    square = Image.new("RGBA", (side, side), "white")
    scaled = image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)
    square.alpha_composite(scaled, ((side - width) // 2, (side - height) // 2))
    return np.asarray(square.convert("RGB"))


def thumbnail(picture: np.ndarray, side: int = THUMBNAIL) -> np.ndarray:
    """(side, side, 3) uint8: a smaller copy."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS))


def _size(png: bytes) -> tuple[int, int]:
    from PIL import Image

    return Image.open(io.BytesIO(png)).size


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _text(target: bytes) -> str:
    return target.decode("utf-8", "replace")
