"""Image files as what encoders take: pretrained features, or small grey pixels for the convolutional encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from xmlib import paths
from xmlib.data.pictures import image_features, pictures
from xmlib.data.pictures.pictures import NoPicture
from xmlib.data.preparation import count
from xmlib.errors import InputError

LEAST = 16  # pixels: the convolutional encoder halves a picture four times


class Images:
    """Features of a network trained on ImageNet, (1280,), or with `pixels` grey pictures (1, pixels, pixels).

    Grey values are those of the book's score snippets: 0 is black, 1 is white. Nothing is learned of training images.
    Features of many images are computed by several processes and kept in the cache of the data.
    """

    kind: ClassVar[str] = "images"

    def __init__(self, pixels: int = 0) -> None:
        if pixels and pixels < LEAST:
            raise InputError(f"pixels = {pixels} is too few for the convolutional encoder: choose {LEAST} or more.")
        self.pixels = pixels
        self.shape: tuple[int, ...] = (1, pixels, pixels) if pixels else (image_features.LENGTH,)

    def fit(self, items: Sequence[str | Path]) -> Images:
        """This preparation; raises `InputError` for what is no sequence of paths."""
        paths_of(items)
        return self

    def transform(self, items: Sequence[str | Path]) -> np.ndarray:
        """(n, *shape) float32; raises `InputError` for a file that is no picture, or one that might do harm."""
        return once(paths_of(items), self._of_files)

    def _of_files(self, files: Sequence[Path]) -> np.ndarray:
        if not self.pixels and len(files) > image_features.PART:
            found, _, kept = image_features.of_files(files, paths.DATA / "pictures")
            for i in sorted(set(range(len(files))) - set(kept)):
                _read(files[i], pictures.SIDE)  # says what is wrong with it
            return found
        read = [_read(file, self.pixels or pictures.SIDE) for file in files]
        stacked = np.stack(read) if read else np.zeros((0, pictures.SIDE, pictures.SIDE, 3), np.uint8)
        if not self.pixels:
            return image_features.features(stacked)
        return (stacked.mean(3, dtype=np.float32) / 255)[:, None].reshape(len(read), *self.shape)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"pixels": self.pixels, "made_by": made_by()}, {}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> Images:
        """The preparation of that state; raises `InputError` where images come out differently by now."""
        if settings["made_by"] != made_by():
            raise InputError(
                f"The model was trained on pictures prepared by {settings['made_by']}, and here they are prepared by "
                f"{made_by()}: train it again."
            )
        return cls(settings["pixels"])


def made_by() -> list[Any]:
    """The versions of the code and of the network, of which a model's pictures have to be."""
    return image_features.settings()[:4]


def fault(file: Path) -> str:
    """Why a file is no picture that can be used, "" if it is one."""
    try:
        pictures.read(file, pictures.THUMBNAIL)
    except (NoPicture, OSError) as error:
        return f"{file.name} is no picture that can be used: {error}"
    return ""


def _read(file: Path, side: int) -> np.ndarray:
    try:
        return pictures.read(file, side)
    except NoPicture as error:
        raise InputError(f"{file} is no picture that can be used ({error}): mend it or leave it out.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}).") from None


def once(files: Sequence[Path], make: Callable[[Sequence[Path]], np.ndarray]) -> np.ndarray:
    """What `make` gives for files, (n, …), each of them read once, however often it is named."""
    place = {file: i for i, file in enumerate(dict.fromkeys(files))}
    return make(files) if len(place) == len(files) else make(list(place))[[place[file] for file in files]]


def paths_of(items: Any) -> list[Path]:
    """The paths of files; raises `InputError` for other items."""
    count(items)
    for number, item in enumerate(items):
        if not isinstance(item, str | Path):
            raise InputError(f"Item {number} of a view of files is {item!r:.40}, not a path.")
    return [Path(item).expanduser() for item in items]
