"""The processes of one training: they find each other, agree on what they do, and notice when one is gone."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from xmlib.errors import InputError

T = TypeVar("T")
TIMEOUT = 50.0  # seconds for which the others are waited for: a step or a validation takes far less
GIVEN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets for every process
GONE = re.compile("gloo|nccl|connection|timed out|timeout|monitoredbarrier|peer|store", re.IGNORECASE)


class LostError(InputError):
    """Another process has ended or does not answer; every process that notices says so."""


@contextmanager
def joined(timeout: float = TIMEOUT, backend: str = "cpu:gloo,cuda:nccl") -> Iterator[int]:
    """In a `with`: the group of all processes that torchrun started, and the number of this one among them.

    `timeout`: seconds after which a process that does not answer counts as lost. Raises `InputError` where nothing says
    which process this is, where the port is taken, and where the others do not come; `LostError` once one is gone.
    """
    if lacking := [name for name in GIVEN if name not in os.environ]:
        raise InputError(
            f"{', '.join(lacking)} are not set, so this process knows no others: start it by "
            "torchrun --nproc-per-node 2 -m xmlib.distributed."
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    backend = backend if torch.cuda.is_available() else "gloo"
    try:
        dist.init_process_group(backend, timeout=datetime.timedelta(seconds=timeout))
    except (dist.DistError, ValueError) as error:
        raise InputError(_not_joined(error)) from None
    try:
        yield dist.get_rank()
    except RuntimeError as error:
        if not GONE.search(f"{type(error).__name__} {error}"):
            raise
        raise LostError(
            f"Process {dist.get_rank()} of {dist.get_world_size()} stops, since another has ended or has not answered "
            f"for {timeout:g} s: start all of them again, and they go on from the last checkpoint."
        ) from error
    finally:
        dist.destroy_process_group()


def _not_joined(error: Exception) -> str:
    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    if "EADDRINUSE" in str(error) or "in use" in str(error):
        return f"The port of {where} is in use: choose another by torchrun --master-port."
    return (
        f"The {os.environ['WORLD_SIZE']} processes did not find each other at {where} ({str(error).splitlines()[0]}): "
        "start all of them with the same address and port."
    )


def agreed(prepare: Callable[[], tuple[T, dict[str, Any]]]) -> T:
    """What `prepare` gives besides facts, once it has done so in every process with equal facts.

    Raises the same `InputError` in every process where one of them could not, or has other facts.
    """
    mine: tuple[str, dict[str, Any]]
    result = None
    try:
        result, facts = prepare()
        mine = "", facts
    except InputError as error:
        mine = str(error), {}
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    for rank, (problem, facts) in enumerate(everyone):
        if problem:
            raise InputError(problem if rank == 0 else f"In process {rank}: {problem}")
        for name, first in everyone[0][1].items():
            if facts.get(name) != first:
                raise InputError(
                    f"Process 0 has {name} {first}, process {rank} has {facts.get(name)}: "
                    "start all of them with the same code, pairs and parameters."
                )
    return result


def from_first(value: T) -> T:
    """What process 0 has, in every process."""
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def any_of(asked: bool) -> bool:
    """Whether one of the processes at least says yes; all wait here for each other."""
    answers = torch.tensor([int(asked)])
    dist.all_reduce(answers)
    return bool(answers.item())
