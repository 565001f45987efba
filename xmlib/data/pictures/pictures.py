"""Pictures read from files: PNG, JPEG and the like by pillow, SVG by resvg, all of one size on white.

A file that is no picture, or one that might do harm, raises `NoPicture`, whose message says what is wrong with it.
Nothing is ever fetched: an SVG that refers to another file or address is refused.
"""

from __future__ import annotations

import contextlib
import io
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xmlib.data.pictures.svg import NoPicture, embedded

VERSION = 1  # raise it when a picture may come out differently
SIDE = 224  # pixels, what the network of `image_features` was trained on
THUMBNAIL = 96
DPI = 96.0  # of an SVG whose size is in millimetres or points
MOST_PIXELS = 50_000_000  # a photograph has fewer; a larger file would fill the memory when unpacked
MOST_BYTES = 100_000_000
EMBEDDED = ("PNG", "JPEG", "GIF", "WEBP")  # formats of pictures inside an SVG
POSTSCRIPT = (b"%!PS", b"\xc5\xd0\xd3\xc6")


def read(path: Path | str, side: int = SIDE) -> np.ndarray:
    """The picture in a file, (side, side, 3) uint8 RGB: whole, in the middle, transparent parts and margins white.

    Raises NoPicture for anything that is not a picture or is too large, and FileNotFoundError.
    """
    if problem := unreadable(path):
        raise NoPicture(problem)
    return decode(Path(path).read_bytes(), side)


def unreadable(path: Path | str) -> str:
    """Why a file is not even opened, "" if it is; raises FileNotFoundError. A pipe or a device may never end."""
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        return "it is a folder, a pipe or a device, and no file"
    large = found.st_size > MOST_BYTES
    return f"it has {found.st_size / 1e6:.0f} MB; at most {MOST_BYTES / 1e6:.0f} are read" if large else ""


def decode(content: bytes, side: int = SIDE) -> np.ndarray:
    """The picture that the bytes of a file hold, like `read`."""
    if content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):  # no other format begins like that
        content = draw_svg(content, side)
    if content.startswith(POSTSCRIPT):
        raise NoPicture("it is PostScript, a program that would have to be run")
    return _fit(_open(content), side)


def draw_svg(svg: bytes, side: int = SIDE) -> bytes:
    """PNG of an SVG, its longer side `side` pixels."""
    import resvg_py

    try:
        text = svg.decode("utf-8-sig")
        _check_embedded(embedded(text))
        whole = _size(bytes(resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True, dpi=DPI, width=8)))
        wide, high = (side, None) if whole[0] >= whole[1] else (None, side)
        return bytes(resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True, dpi=DPI, width=wide, height=high))
    except NoPicture:
        raise
    except (ValueError, OSError) as error:
        raise NoPicture(f"it is no SVG that can be drawn ({_short(error)})") from None


def _check_embedded(files: list[bytes]) -> None:
    """Raise NoPicture unless these are pictures that together fit into memory; only their heads are read."""
    pixels = 0
    for content in files:
        with _in_plain_words("a picture inside it is "):
            width, height = _opened(content, EMBEDDED).size
            pixels += width * height
    if pixels > MOST_PIXELS:
        raise NoPicture(f"the pictures inside it are enormous ({pixels} pixels)")


def _open(content: bytes):
    """A pillow image, RGBA and upright."""
    from PIL import Image, ImageOps

    with _in_plain_words("it is "):
        upright = ImageOps.exif_transpose(_opened(content))
        if upright.mode.startswith("I"):  # 16 bits a pixel: keep the upper eight
            return Image.fromarray((np.asarray(upright) >> 8).clip(0, 255).astype(np.uint8)).convert("RGBA")
        return upright.convert("RGBA")


def _opened(content: bytes, formats: tuple[str, ...] | None = None):
    """A pillow image of which only the head has been read."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(content), formats=formats)
    if image.width * image.height > MOST_PIXELS:
        raise NoPicture(f"it is enormous ({image.width} × {image.height} pixels)")
    return image


@contextlib.contextmanager
def _in_plain_words(it_is: str) -> Iterator[None]:
    """What pillow raises on files that are none, said as NoPicture."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise NoPicture(f"{it_is}enormous when unpacked") from None
    except UnidentifiedImageError:
        raise NoPicture(f"{it_is}not a picture, or of a kind that pillow does not know") from None
    except NoPicture:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # on damaged files
        raise NoPicture(f"{it_is}damaged or cut short ({_short(error)})") from None


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
