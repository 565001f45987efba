"""Builds a data set from the command line: `python -m xmlib.data audio_score --profile quick`."""

from __future__ import annotations

import argparse
import sys
import time

from xmlib import paths
from xmlib.data import DATASETS, Splits, load
from xmlib.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """0 when the data set is there, 2 after bad input, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m xmlib.data", description="Build a data set, or check it is built.")
    parser.add_argument("name", help=", ".join(DATASETS))
    parser.add_argument("--profile", default="quick", help="toy, quick, medium or full (default: quick)")
    parser.add_argument("--seed", type=int, default=23, help="decides tunes, notes, tempo, instruments (default: 23)")
    parser.add_argument("--difficulty", default="hard", help="hard or easy (default: hard)")
    parser.add_argument("--train-pairs", type=int, default=0, help="how many (default: the profile's)")
    parser.add_argument("--dataset-file", default="", help="use this audio_sheet_music.npz instead")
    parser.add_argument("--processes", type=int, default=0, help="for building (default: one a core)")
    options = vars(parser.parse_args(arguments))
    start = time.perf_counter()
    try:
        splits = load(options.pop("name"), **options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the next build goes on from here", file=sys.stderr)
        return 130
    report(splits, time.perf_counter() - start)
    return 0


def report(splits: Splits, seconds: float) -> None:
    """Print what there is, where, how large, and how long it took."""
    print(f"{splits.name}, profile {splits.profile}, seed {splits.seed}: ready in {seconds:.1f} s")
    for name in ("train", "valid", "test"):
        split = getattr(splits, name)
        print(f"  {name:5}  {len(split):6} pairs in {len(set(split.groups.tolist())):5} groups")
    if splits.folder:
        size = sum(file.stat().st_size for file in splits.folder.iterdir())
        whole = sum(file.stat().st_size for file in paths.DATA.rglob("*") if file.is_file())
        print(f"  {size / 1e6:.0f} MB in {splits.folder}; all of {paths.DATA}: {whole / 1e6:.0f} MB")
    print(f"  digest {splits.digest}")


if __name__ == "__main__":
    sys.exit(main())
