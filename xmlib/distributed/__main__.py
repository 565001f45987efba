"""One run of the audio notebook in several processes, on one machine or on several, from a packed file of pairs.

    python -m xmlib.runs.side_by_side pack toy.pairs -p profile toy
    torchrun --nproc-per-node 2 -m xmlib.distributed toy.pairs -p profile toy -p device cpu --record one.json

The steps, parameters and numbers are those of one process, but for the last digits. Stopped at its limit of time, by a
signal or by a machine that failed, it goes on from the last checkpoint when all processes are started again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import __version__ as torch_version

from xmlib.data.audio_score import packed
from xmlib.data.audio_score.packed import Packed
from xmlib.distributed import processes, training
from xmlib.errors import InputError
from xmlib.runs import fingerprint, packed_run, records
from xmlib.runs.side_by_side import NEVER


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="torchrun --nproc-per-node 2 -m xmlib.distributed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("pairs", type=Path, help="a file that python -m xmlib.runs.side_by_side pack has written")
    made.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
                      help="a parameter of the notebook; unless given, profile is full and device is cuda")  # fmt: skip
    made.add_argument("--method", default="ccal_cont", help="default: %(default)s")
    made.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    made.add_argument("--record", type=Path, required=True, help="where process 0 writes the record")
    made.add_argument("--until", type=float, default=NEVER, metavar="SECONDS",
                      help="the time since 1970 by which to stop; default: never")  # fmt: skip
    made.add_argument("--timeout", type=float, default=processes.TIMEOUT, metavar="SECONDS",
                      help="after which a silent process counts as lost; default: %(default)s")  # fmt: skip
    return made


def prepared(options: argparse.Namespace) -> tuple[tuple[dict[str, Any], Packed], dict[str, Any]]:
    """Parameters and pairs, unpacked by one process of a machine, and what has to be equal in all processes."""
    chosen = packed_run.asked(options.p) | {"method": options.method, "seed": options.seed}
    first_here = os.environ.get("LOCAL_RANK", "0") == "0"
    pairs = packed.unpack(options.pairs) if first_here else packed.head(options.pairs)
    packed_run.check(chosen, pairs)
    training.check_batch(packed_run.settings_of(chosen))
    code = fingerprint.short(records.code_of(chosen["method"]))
    facts = {name: value for name, value in chosen.items() if name not in ("record", "device")}
    return (chosen, pairs), {"pairs": pairs.manifest["digest"][:12], "code": code, "PyTorch": torch_version, **facts}


def run(options: argparse.Namespace) -> None:
    """Train together; process 0 writes the record."""
    chosen, pairs = processes.agreed(lambda: prepared(options))
    halt = packed_run.Halt(options.until)
    made = packed_run.trained(chosen, pairs, halt, training.fit)
    if dist.get_rank() == 0 and made.stopped:
        packed_run.write(chosen, pairs, made, options.record, {"processes": dist.get_world_size()})
        print(records.summary(records.load(options.record)), flush=True)
    elif dist.get_rank() == 0:
        print("stopped; its checkpoint is kept", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all went well or was stopped, 1 when another process was lost, 2 after bad input."""
    options = parser().parse_args(arguments)
    rank = int(os.environ.get("RANK", 0))
    try:
        with processes.joined(options.timeout):
            run(options)
    except processes.LostError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    except InputError as error:
        if rank == 0:  # the others have the same to say
            print(f"error: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
