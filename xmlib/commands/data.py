"""`xm data`: builds a data set, or fetches what it is made of."""

import time
from typing import Annotated, Any

import numpy as np
import typer

from xmlib import paths
from xmlib.data import Splits, download, load, openclipart
from xmlib.errors import InputError

DOWNLOADS = ("openclipart", *download.ADDRESSES)
Profile = Annotated[str, typer.Option(help="How many pairs: toy, quick, medium or full.")]
Seed = Annotated[int, typer.Option(help="Decides all that is drawn.")]
Processes = Annotated[int, typer.Option(help="How many build side by side; 0 is one a core.")]
Split = Annotated[str, typer.Option(help="What is held out: grouped, random or zero_shot.")]
Shuffled = Annotated[bool, typer.Option("--shuffled", help="Put the training texts in wrong places.")]
Own = Annotated[str, typer.Argument(metavar="FILE", help="Where your data are.")]

app = typer.Typer(help="Build a data set, or fetch what it is made of.")


@app.command("audio_score")
def audio_score(
    profile: Profile = "quick",
    seed: Seed = 23,
    difficulty: Annotated[str, typer.Option(help="hard, or easy without what recordings differ in.")] = "hard",
    train_pairs: Annotated[int, typer.Option(help="How many for training; 0 is the profile's number.")] = 0,
    renderings: Annotated[int, typer.Option(help="How often each training tune is played; 0 is once.")] = 0,
    dataset_file: Annotated[str, typer.Option(help="The paper's audio_sheet_music.npz, to be used instead.")] = "",
    processes: Processes = 0,
) -> None:
    """Sheet music and sound: folk tunes, engraved and played."""
    build(
        "audio_score", profile=profile, seed=seed, difficulty=difficulty, train_pairs=train_pairs,
        renderings=renderings, dataset_file=dataset_file, processes=processes,
    )  # fmt: skip


@app.command()
def emoji(
    profile: Profile = "quick",
    seed: Seed = 23,
    style: Annotated[str, typer.Option(help="Of the drawings: openmoji, twemoji, or both for training.")] = "openmoji",
    test_style: Annotated[str, typer.Option(help="Of the test pictures, if another.")] = "",
    split: Split = "grouped",
    shuffled: Shuffled = False,
    processes: Processes = 0,
) -> None:
    """Drawings of emoji and their names and keywords."""
    build(
        "emoji", profile=profile, seed=seed, style=style, test_style=test_style, split=split, shuffled=shuffled,
        processes=processes,
    )  # fmt: skip


@app.command("openclipart")
def clip_art(
    profile: Profile = "quick",
    seed: Seed = 23,
    split: Split = "grouped",
    shuffled: Shuffled = False,
    processes: Processes = 0,
) -> None:
    """Clip art with titles and keywords.

    Its files come by `xm data download openclipart`.
    """
    build("openclipart", profile=profile, seed=seed, split=split, shuffled=shuffled, processes=processes)


@app.command()
def iapr(
    profile: Profile = "quick",
    seed: Seed = 23,
    dataset_file: Annotated[str, typer.Option(help="Where iapr.npz is, if not where download puts it.")] = "",
    released_scaling: Annotated[bool, typer.Option("--released-scaling", help="Scale on all rows, test too.")] = False,
) -> None:
    """Photographs and captions, as features.

    The file comes by `xm data download iapr`.
    """
    build("iapr", profile=profile, seed=seed, dataset_file=dataset_file, released_scaling=released_scaling)


@app.command()
def table(file: Own, profile: Profile = "quick", seed: Seed = 23, processes: Processes = 0) -> None:
    """Your own pairs: a folder or a table.

    A table is CSV, TSV, JSON lines or Parquet; the chapter on your own pictures says which columns.
    """
    build("table", profile=profile, seed=seed, dataset_file=file, processes=processes)


@app.command()
def coco(file: Own, profile: Profile = "quick", seed: Seed = 23, processes: Processes = 0) -> None:
    """Your own pairs, with captions like COCO's."""
    build("coco", profile=profile, seed=seed, dataset_file=file, processes=processes)


@app.command("good_news")
def good_news(file: Own, profile: Profile = "quick", seed: Seed = 23, processes: Processes = 0) -> None:
    """Your own pairs, articles like GoodNews'."""
    build("good_news", profile=profile, seed=seed, dataset_file=file, processes=processes)


@app.command()
def politics(file: Own, profile: Profile = "quick", seed: Seed = 23, processes: Processes = 0) -> None:
    """Your own pairs, pickles like those of Politics."""
    build("politics", profile=profile, seed=seed, dataset_file=file, processes=processes)


@app.command("download")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(DOWNLOADS[:-1])} or {DOWNLOADS[-1]}.")],
    sha256: Annotated[str, typer.Option(help="The hash that the file must have.")] = "",
) -> None:
    """Fetch what a data set is made of, and say where it is."""
    if name not in DOWNLOADS:
        raise InputError(f"there is nothing to download for {name!r}; choose one of: {', '.join(DOWNLOADS)}.")
    if name == "openclipart":
        print(f"the packages are in {openclipart.download()}; xm data openclipart builds the pairs")
    else:
        print(download.original(name, sha256=sha256))


def build(name: str, **options: Any) -> None:
    """Build a data set if need be, and print what there is, where, how large, and how long it took."""
    start = time.perf_counter()
    splits = load(name, **options)
    print(f"{splits.name}, profile {splits.profile}, seed {splits.seed}: ready in {time.perf_counter() - start:.1f} s")
    print("\n".join(f"  {line}" for line in described(splits)))


def described(splits: Splits) -> list[str]:
    """The sizes of the splits and of the views, the room on the disk, and the digest, a line each."""
    lines = []
    for name in ("train", "valid", "test"):
        split = getattr(splits, name)
        sizes = np.unique(split.groups, return_counts=True)[1]
        lines.append(f"{name:5}  {len(split):6} pairs in {len(sizes):5} groups, the largest of {sizes.max()}")
    lines.append(f"view 1 {_shape(splits.train.view1.shape)}, view 2 {_shape(splits.train.view2.shape)}")
    if splits.folder:
        size = sum(file.stat().st_size for file in splits.folder.iterdir())
        whole = sum(file.stat().st_size for file in paths.DATA.rglob("*") if file.is_file())
        lines.append(f"{size / 1e6:.0f} MB in {splits.folder}; all of {paths.DATA}: {whole / 1e6:.0f} MB")
    return [*lines, f"digest {splits.digest}"]


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
