"""Scalars for TensorBoard: event files in the folder of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xmlib.errors import InputError


class Scalars:
    """Writes numbers of a run to `folder`, one curve a name; `tensorboard --logdir runs` shows them.

    To be used in a `with` statement. `first_step`: where a continued run goes on; what an earlier try wrote from that
    step on is no longer shown. Raises `InputError` where TensorBoard is not installed.
    """

    def __init__(self, folder: Path | str, first_step: int = 0):
        try:
            from torch.utils.tensorboard import SummaryWriter  # an optional package, and slow to import
        except ImportError:
            raise InputError("TensorBoard is not installed: `pip install tensorboard`, or write no scalars.") from None
        self.writer = SummaryWriter(folder, purge_step=first_step)

    def write(self, step: int, values: Mapping[str, Any], prefix: str = "terms") -> None:
        """Add a point to the curve `prefix/name` of every value; `step` is mostly the epoch."""
        for name, value in values.items():
            self.writer.add_scalar(f"{prefix}/{name}", float(value), step)
        self.writer.flush()  # a killed run keeps what it wrote

    def __enter__(self) -> Scalars:
        return self

    def __exit__(self, *exception: object) -> None:
        self.writer.close()
