"""`xm prepare`: what runs side by side share, made before them."""

from typing import Annotated

import typer

from xmlib.commands.data import OPTIONS


def prepare(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="The data set: audio_score, emoji, openclipart or icons.")
    ],
    profile: Annotated[str, typer.Option(help=OPTIONS["profile"])] = "quick",
) -> None:
    """Build what the runs on a data set share.

    That is its pairs with all their variants, and the linear CCA that runs are compared with.
    """
    from xmlib.runs import experiments  # brings PyTorch

    experiments.prepare(profile, dataset)
