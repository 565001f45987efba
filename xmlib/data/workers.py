"""Runs jobs in helper processes, one a core, with a progress bar.

Each helper is a plain `python -c` that reads jobs from its input, so building works alike from a terminal, a notebook
and a script without a main guard. A job that crashes its helper is tried once more in a fresh one, then reported.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tqdm import tqdm

from xmlib import paths

COMMAND = [sys.executable, "-c", "from xmlib.data.workers import serve; serve()"]


def run(call: str, jobs: list[list[Any]], title: str, processes: int = 0) -> list[str]:
    """What went wrong with each job ("" if nothing): `call` ("module:function") on each list of arguments.

    `processes`: how many helpers, 0 for one a core. Arguments must be JSON; results go through files.
    """
    if not jobs:
        return []
    processes = min(processes or len(os.sched_getaffinity(0)), len(jobs))
    local, helpers = threading.local(), []
    with tqdm(total=len(jobs), desc=title, unit="tune", file=sys.stderr, leave=False) as bar:

        def work(job: list[Any]) -> str:
            for _ in range(2):
                if getattr(local, "helper", None) is None:
                    local.helper = _start()
                    helpers.append(local.helper)
                answer = _ask(local.helper, [call, job])
                if answer is not None:
                    break
                local.helper = None
            bar.update()
            return "it crashed its process twice" if answer is None else answer

        pool = ThreadPoolExecutor(processes)
        try:
            return list(pool.map(work, jobs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for helper in helpers:
                _stop(helper)


def _start() -> subprocess.Popen:
    path = os.pathsep.join([str(paths.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **threads, "PYTHONPATH": path}
    return subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _ask(helper: subprocess.Popen, job: list[Any]) -> str | None:
    """The helper's answer; None if it died."""
    try:
        helper.stdin.write(json.dumps(job) + "\n")
        helper.stdin.flush()
        line = helper.stdout.readline()
        return json.loads(line) if line else None
    except (BrokenPipeError, ValueError):
        return None


def _stop(helper: subprocess.Popen) -> None:
    helper.kill()
    helper.wait()
    helper.stdout.close()
    try:
        helper.stdin.close()
    except BrokenPipeError:  # what was still to be written to a dead helper
        pass


def serve() -> None:
    """The helper's life: one JSON job a line in, one answer a line out, until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not pass for an answer
    for line in sys.stdin:
        call, arguments = json.loads(line)
        module, function = call.split(":")
        try:
            getattr(importlib.import_module(module), function)(*arguments)
            answer = ""
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
