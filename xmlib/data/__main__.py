"""Builds or fetches a data set: `python -m xmlib.data emoji`, `python -m xmlib.data download iapr`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from xmlib import paths
from xmlib.data import DATASETS, Splits, download, load, openclipart
from xmlib.errors import InputError

DOWNLOADS = ("openclipart", *download.ADDRESSES)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the data set is there, 2 after bad input, 130 after Ctrl-C."""
    options = {name: value for name, value in vars(parser().parse_args(arguments)).items() if value is not None}
    start = time.perf_counter()
    try:
        if options["name"] == "download":
            fetch(options.get("what", ""), options.get("sha256", ""))
        else:
            splits = build(options)
            report(splits, time.perf_counter() - start)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the next call goes on from here", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line; what is not given is left to the data set."""
    made = argparse.ArgumentParser(
        prog="python -m xmlib.data",
        description="Build a data set, check that it is built, or fetch what it is made of.",
    )
    add = made.add_argument
    add("name", help=f"{', '.join(DATASETS)}; or download")
    add("what", nargs="?", help=f"after download: {', '.join(DOWNLOADS)}")
    add("--profile", help="toy, quick, medium or full (default: quick)")
    add("--seed", type=int, help="decides all that is drawn: tunes, notes and instruments, or the split (default: 23)")
    add("--difficulty", help="of audio_score: hard or easy (default: hard)")
    add("--train-pairs", type=int, help="of audio_score: how many (default: the profile's)")
    add(
        "--renderings", type=int, help="of audio_score: how often each training tune is played (default: the profile's)"
    )
    add("--style", help="of emoji: openmoji or twemoji (default: openmoji)")
    add("--test-style", help="of emoji: style of the test pictures, if another")
    add("--split", help="of emoji and openclipart: grouped, random or zero_shot (default: grouped)")
    add(
        "--shuffled", action="store_true", default=None, help="of emoji and openclipart: training texts in wrong places"
    )
    add("--dataset-file", help="the original file, or your own data")
    add("--released-scaling", action="store_true", default=None, help="of iapr: scale on all rows, test included")
    add("--processes", type=int, help="for building (default: one a core)")
    add("--sha256", help="after download: the hash that the file must have")
    return made


def build(options: dict[str, Any]) -> Splits:
    """The data set that the options name, built if need be."""
    if "what" in options or "sha256" in options:
        wrong = options.get("what") or "--sha256"
        raise InputError(f"{wrong!r} only goes with download, as in: python -m xmlib.data download iapr.")
    return load(options["name"], **{name: value for name, value in options.items() if name != "name"})


def fetch(what: str, sha256: str) -> None:
    """Fetch what a data set is made of, and say where it is."""
    if what not in DOWNLOADS:
        raise InputError(f"there is nothing to download for {what!r}; choose one of: {', '.join(DOWNLOADS)}.")
    if what == "openclipart":
        print(f"the packages are in {openclipart.download()}; python -m xmlib.data openclipart builds the pairs")
    else:
        print(download.original(what, sha256=sha256))


def report(splits: Splits, seconds: float) -> None:
    """Print what there is, where, how large, and how long it took."""
    print(f"{splits.name}, profile {splits.profile}, seed {splits.seed}: ready in {seconds:.1f} s")
    for name in ("train", "valid", "test"):
        split = getattr(splits, name)
        sizes = np.unique(split.groups, return_counts=True)[1]
        print(f"  {name:5}  {len(split):6} pairs in {len(sizes):5} groups, the largest of {sizes.max()}")
    print(f"  view 1 {_shape(splits.train.view1.shape)}, view 2 {_shape(splits.train.view2.shape)}")
    if splits.folder:
        size = sum(file.stat().st_size for file in splits.folder.iterdir())
        whole = sum(file.stat().st_size for file in paths.DATA.rglob("*") if file.is_file())
        print(f"  {size / 1e6:.0f} MB in {splits.folder}; all of {paths.DATA}: {whole / 1e6:.0f} MB")
    print(f"  digest {splits.digest}")


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


if __name__ == "__main__":
    sys.exit(main())
