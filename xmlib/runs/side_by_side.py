"""The audio runs of the grid side by side on one machine, which needs a GPU, PyTorch, NumPy and SciPy, and no more.

`pack` writes the pairs into one file where they can be built. `run` trains elsewhere from that file: every method with
every seed is a process of its own, all on one device. It leaves the records that the grid would; a run whose record is
there is not made again. At the limit of time, or at Ctrl-C, every process finishes its epoch and keeps its checkpoint;
the same command then goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xmlib import methods, paths
from xmlib.data.audio_score import packed
from xmlib.errors import InputError
from xmlib.runs import packed_run, records

NEVER = 1e18  # seconds since 1970
SAY_EVERY = 30.0  # seconds


class Job(NamedTuple):
    """One run: its parameters, where its record goes, and where it says what it does."""

    parameters: dict[str, Any]
    record: Path
    log: Path

    @property
    def name(self) -> str:
        """`ccal_cont, seed 1`."""
        return f"{self.parameters['method']}, seed {self.parameters['seed']}"


def jobs(chosen: dict[str, Any], asked: Sequence[str], seeds: Sequence[int], folder: Path) -> list[Job]:
    """The runs of every method with every seed, in that order of seeds."""
    found = []
    for seed in seeds:
        for method in asked:
            own = chosen | {"method": method, "seed": seed}
            name = Path(records.file_name({"dataset": packed_run.NOTEBOOK} | own))
            found.append(Job(own, folder / name, paths.RUNS / "logs" / name.with_suffix(".log")))
    return found


class Runner:
    """Starts jobs, `at_once` at a time, and waits for them."""

    def __init__(self, file: Path, waiting: list[Job], at_once: int, until: float) -> None:
        self.file, self.waiting, self.at_once, self.until = file, waiting, at_once, until
        self.running: dict[subprocess.Popen, Job] = {}
        self.failed: list[Job] = []
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_: Any) -> None:
        self.asked = True
        self.waiting.clear()
        for process in self.running:  # the second signal ends them at once
            process.terminate()

    def run(self) -> None:
        """Return when every job has ended."""
        said = time.monotonic()
        while self.waiting or self.running:
            while self.waiting and len(self.running) < self.at_once and time.time() < self.until:
                self._start(self.waiting.pop(0))
            if not self.running:
                return
            time.sleep(0.1)
            for process in [p for p in self.running if p.poll() is not None]:
                self._ended(self.running.pop(process), process.returncode)
            if time.monotonic() - said > SAY_EVERY:
                said = time.monotonic()
                for job in self.running.values():
                    print(f"  {job.name}: {last_line(job.log)}", flush=True)

    def _start(self, job: Job) -> None:
        beside = min(self.at_once, len(self.running) + 1 + len(self.waiting))
        work = {"parameters": job.parameters, "record": str(job.record), "until": self.until, "beside": beside}
        threads = str(job.parameters["threads"])
        same = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        same |= {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # or products of matrices on a GPU are not repeated exactly
        job.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "xmlib.runs.side_by_side", "one", str(self.file), json.dumps(work)]
        with job.log.open("a") as log:  # in a session of its own, so that Ctrl-C reaches it through us alone
            process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | same, start_new_session=True)
        self.running[process] = job
        print(f"{job.name}: begun, see {job.log}", flush=True)

    def _ended(self, job: Job, status: int) -> None:
        if job.record.exists():
            print(records.summary(records.load(job.record)), flush=True)
        elif status == 0 or self.asked:
            print(f"{job.name}: stopped, {last_line(job.log)}", flush=True)
        else:
            self.failed.append(job)
            print(f"{job.name}: failed, {last_line(job.log)}", flush=True)


def last_line(log: Path) -> str:
    """The last line of a log, without `error: `."""
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "nothing said yet").removeprefix("error: ")


def run(options: argparse.Namespace) -> int:
    """Make the runs that have no record yet; 0 if none has failed."""
    started, chosen = time.time(), packed_run.asked(options.p)
    if options.processes < 0 or options.minutes < 0:
        raise InputError("--processes and --minutes are counts from 0, which stands for all and for no limit.")
    whole = jobs(chosen, options.methods.split(","), whole_numbers(options.seeds), options.records)
    pairs = packed.head(options.pairs)
    for job in whole:
        packed_run.check(job.parameters, pairs)
    left = [job for job in whole if not job.record.exists()]
    if left:
        packed.unpack(options.pairs)
    usual = len(whole) if methods.device(chosen["device"]).type == "cuda" else os.cpu_count() or 1
    until = started + 60 * options.minutes if options.minutes else NEVER
    runner = Runner(options.pairs, left, options.processes or usual, until)
    runner.run()
    done = sum(job.record.exists() for job in whole)
    more = "" if done == len(whole) else "; the same command goes on from there"
    print(f"{done} of {len(whole)} records are in {options.records}{more}.")
    return 1 if runner.failed else 0


def whole_numbers(text: str) -> list[int]:
    """`1,2,3` as a list."""
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"--seeds {text!r} are no whole numbers from 0: give them as 1,2,3.")
    return [int(part) for part in parts]


def one(file: Path, work: dict[str, Any]) -> int:
    """One run in this process, which `run` started."""
    halt = packed_run.Halt(work["until"])
    finished = packed_run.run(work["parameters"], packed.head(file), Path(work["record"]), halt, work["beside"])
    print("finished" if finished else "its checkpoint is kept")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m xmlib.runs.side_by_side",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="write the pairs into a file, having built them if need be")
    running = commands.add_parser("run", help="make the runs that have no record yet, from that file")
    for command in (packing, running):
        command.add_argument("pairs", type=Path, help="the file of pairs")
        command.add_argument(
            "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
            help="a parameter of the notebook; unless given, profile is full and device is cuda",
        )  # fmt: skip
    add = running.add_argument
    add("--methods", default=",".join(methods.PAPER), help="default: %(default)s")
    add("--seeds", default="1,2,3", help="default: %(default)s")
    add("--processes", type=int, default=0, help="runs at once (default: all on a GPU, otherwise one a core)")
    add("--minutes", type=float, default=0, help="stop before so many have passed (default: no limit)")
    add("--records", type=Path, default=paths.RECORDS, help="folder of the records (default: the book's)")
    single = commands.add_parser("one")
    single.add_argument("pairs", type=Path)
    single.add_argument("work", type=json.loads)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all went well or was stopped, 1 when a run failed, 2 after bad input."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "one":
            return one(options.pairs, options.work)
        if options.command == "run":
            return run(options)
        packed_run.pack(packed_run.asked(options.p), options.pairs)
        print(f"{options.pairs}: {options.pairs.stat().st_size / 2**20:.1f} MiB")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
