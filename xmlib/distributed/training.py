"""Training of one model in several processes; one of them keeps its checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist

from xmlib import fit as alone
from xmlib.data import Splits
from xmlib.distributed import processes
from xmlib.distributed.sharing import SharedModel, SharedObjective
from xmlib.errors import InputError
from xmlib.fit import Training
from xmlib.methods import METHODS
from xmlib.model import TwoView
from xmlib.profiles import Settings


def check_batch(settings: Settings) -> None:
    """Raises `InputError` unless every process has as many pairs of a batch: the slowest would keep the others waiting.

    `sharing.gathered` itself is exact for any shares.
    """
    world = dist.get_world_size()
    if settings.batch % world:
        raise InputError(
            f"batch = {settings.batch} does not divide among {world} processes: take a batch of "
            f"{world * -(-settings.batch // world)}, or a number of processes that divides {settings.batch}."
        )


def fit(
    model: TwoView,
    splits: Splits,
    method: str,
    settings: Settings,
    seed: int,
    device: torch.device,
    checkpoint: Path,
    on_epoch: Callable[[dict], None] = lambda row: None,
    halt: Callable[[], bool] = lambda: False,
) -> Training:
    """What `xmlib.fit.fit` returns for the same arguments, trained by all processes; equal but for the last digits.

    Every process calls it. Process 0 alone calls `on_epoch`, and keeps and reads the checkpoint, whose folder is named
    by the number of processes too, since another number has other last digits. If `halt` says yes in one, all stop.
    """
    check_batch(settings)
    alone.check_splits(splits, settings)
    checkpoint = checkpoint.parent.with_name(f"{checkpoint.parent.name}-{dist.get_world_size()}") / checkpoint.name
    shared = SharedModel(model.to(device))
    objective = SharedObjective(shared, alone.Objective(METHODS[method].terms(settings)))
    training = Training(shared, splits, objective, settings, seed, device, _decided_by_first)
    first = dist.get_rank() == 0
    state = processes.from_first(alone.load_checkpoint(checkpoint, "cpu") if first else None)
    if state and len(state["history"]) <= settings.epochs:
        training.load_state(state)

    def halt_together() -> bool:
        return processes.any_of(halt())

    if first:
        alone.run(training, checkpoint, on_epoch, halt_together)
    else:
        alone.run(training, halt=halt_together)
    training.model = shared.alone()
    return training


def _decided_by_first(training: Training, row: dict) -> None:
    """The schedule of one process, told by the scores that process 0 has found."""
    row |= processes.from_first(row)
    alone.patience_and_refinements(training, row)
