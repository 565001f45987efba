"""Runs jobs in helper processes, one a core, with a progress bar.

Each helper is a plain `python -c` that reads jobs from its input, so building works alike from a terminal, a notebook
and a script without a main guard. A job that crashes its helper is tried once more in a fresh one, then reported.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from xmlib import paths
from xmlib.errors import InputError

FATAL = (OSError, ImportError, MemoryError)  # not the fault of one job
# A helper keeps memory that it has freed. glibc would give it back after every layer of a network and have it zeroed
# again; `benchmarks/picture_features.py` measures how long that takes.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "100000000", "MALLOC_MMAP_THRESHOLD_": "33554432"}
COMMAND = [sys.executable, "-c", "from xmlib.data.workers import serve; serve()"]


def run(call: str, jobs: list[list[Any]], title: str, processes: int = 0, unit: str = "tune") -> list[str]:
    """What went wrong with each job ("" if nothing): `call` ("module:function") on each list of arguments.

    `processes`: how many helpers, 0 for one a core; `unit`: what the progress bar calls a job. Arguments must be JSON;
    results go through files. Raises OSError when a job fails for a reason that is not its own: a full disk, a package
    that cannot be imported.
    """
    if type(processes) is not int or processes < 0:
        raise InputError(f"processes = {processes!r} is not a count; give a whole number, 0 for one a core.")
    if not jobs:
        return []
    from tqdm import tqdm

    processes = min(processes or cores(), len(jobs))
    helpers = [Helper() for _ in range(processes)]
    free, lock = list(helpers), threading.Lock()

    def work(job: list[Any]) -> str:
        with lock:
            helper = free.pop()
        answer = helper.ask([call, job])
        with lock:
            free.append(helper)
            bar.update()
        return answer

    with tqdm(total=len(jobs), desc=title, unit=unit, file=sys.stderr, leave=False) as bar:
        pool = ThreadPoolExecutor(processes)
        try:
            return list(pool.map(work, jobs))  # in the order of the jobs, whoever is first
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for helper in helpers:
                helper.stop()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Helper:
    """One helper process, started when first asked and again after a crash."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.stopped = False
        self.lock = threading.Lock()

    def ask(self, job: list[Any]) -> str:
        """The answer to a job; what happened, if it crashed the process twice."""
        for _ in range(2):
            try:
                process = self._running()
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = ""
            if answer:
                problem, fatal = json.loads(answer)
                if fatal:
                    raise OSError(None, problem)
                return problem
            self._end()  # an empty answer or a broken pipe: the process is gone
        return "it crashed its process twice"

    def stop(self) -> None:
        """End the process for good."""
        with self.lock:
            self.stopped = True
        self._end()

    def _running(self) -> subprocess.Popen[str]:
        with self.lock:
            if self.stopped:
                raise BrokenPipeError
            if self.process is None:
                self.process = _start()
            return self.process

    def _end(self) -> None:
        with self.lock:
            process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):  # what was still to be written to a dead process
                    pipe.close()


def _start() -> subprocess.Popen[str]:
    """A new helper; in its own session, so that Ctrl-C is left to the parent (it ends when its input does)."""
    path = os.pathsep.join([str(paths.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **single, **KEEP_MEMORY, "PYTHONPATH": path}
    pipe = subprocess.PIPE
    return subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, text=True, env=environment, start_new_session=True)


def serve() -> None:
    """The helper's life: one JSON job a line in, one answer a line out, until the input ends."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what a library prints must not pass for an answer
        for line in sys.stdin:
            call, arguments = json.loads(line)
            module, function = call.split(":")
            try:
                getattr(importlib.import_module(module), function)(*arguments)
                answer = "", False
            except Exception as error:
                answer = f"{type(error).__name__}: {error}", isinstance(error, FATAL)
            with contextlib.suppress(BrokenPipeError):  # the parent is gone; so will the input be
                print(json.dumps(answer), file=answers, flush=True)
