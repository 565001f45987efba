"""`xm data`: builds a data set, or fetches what it is made of."""

import inspect
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer

from xmlib import paths
from xmlib.commands.reading import option
from xmlib.data import DATASETS, Splits, download, load
from xmlib.data.audio_score import shares
from xmlib.errors import InputError

FETCHED = {name: row.fetch for name, row in DATASETS.items() if row.fetch}
DOWNLOADS = (*FETCHED, *download.ADDRESSES)
OPTIONS = {
    "profile": "How many pairs: toy, quick, medium or full.",
    "seed": "Seed of all random draws.",
    "processes": "Processes at once; 0 is one per core.",
    "corpus": "What is engraved and played: tunes or chorales.",
    "difficulty": "How much recordings differ: hard or easy.",
    "train_pairs": "Training pairs; 0 is the number of the profile.",
    "renderings": "How often each training tune is played; 0 is once.",
    "split": "What is held out: grouped, random or zero_shot.",
    "shuffled": "Shuffle the training texts among the pictures.",
    "complementary": "Share of pairs that get the picture of another item of their class.",
    "mirrored": "Repeat every training pair with a mirrored picture.",
    "style": "Style of the drawings: openmoji, twemoji, or both for training.",
    "test_style": "Style of the test pictures, if different.",
    "collections": "Whose drawings are trained on, as 'tabler lucide'; all if empty.",
    "test_collections": "Whose drawings are for testing, if others.",
    "dataset_file": "The original file, if not where download puts it.",
    "released_scaling": "Scale on all rows, those of the test too.",
    "image_folder": "Where the paths of the pictures begin, if not beside the file.",
    "missing": "What to do about pictures that are not there: stop or skip.",
}
OWN = {"profile": "quick", "seed": 23, "image_folder": "", "missing": "stop", "processes": 0}  # of a user's pairs
FILE = inspect.Parameter(
    "dataset_file",
    inspect.Parameter.KEYWORD_ONLY,
    annotation=Annotated[str, typer.Argument(metavar="FILE", help="Where your data are.")],
)

app = typer.Typer(help="Build a data set, or fetch what it is made of.")


def command(name: str) -> Callable[..., None]:
    """What `xm data NAME` calls; it takes the options of the function that makes the data set, with their defaults."""

    def run(**options: Any) -> None:
        build(name, **options)

    known = inspect.signature(DATASETS[name].load).parameters
    own = any(one.kind is one.VAR_KEYWORD for one in known.values())
    taken = OWN if own else {option: one.default for option, one in known.items() if option != "cache_folder"}
    read = [option(named, usual, OPTIONS.get(named)) for named, usual in taken.items()]
    run.__signature__ = inspect.Signature([FILE] * own + read)  # type: ignore[attr-defined]
    return run


for _name in DATASETS:
    app.command(_name, help=DATASETS[_name].says)(command(_name))


@app.command("download")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(DOWNLOADS[:-1])} or {DOWNLOADS[-1]}.")],
    sha256: Annotated[str, typer.Option(help="The hash that the file must have.")] = "",
) -> None:
    """Fetch what a data set is made of, and say where it is."""
    if name not in DOWNLOADS:
        raise InputError(f"there is nothing to download for {name!r}; choose one of: {', '.join(DOWNLOADS)}.")
    if name in FETCHED:
        print(f"the packages are in {FETCHED[name]()}; xm data {name} builds the pairs")
    else:
        print(download.original(name, sha256=sha256))


@app.command("share")
def render(
    share: Annotated[int, typer.Option(help="The number of this job, from 0.")],
    of: Annotated[int, typer.Option(help="The number of jobs.")],
    profile: Annotated[str, typer.Option(help=OPTIONS["profile"])] = "quick",
) -> None:
    """Render one job's share of the pairs of sheet music.

    When all have, `xm data audio_score` puts the shares together.
    """
    print(f"{shares.render(profile, share, of)} tunes rendered")


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
