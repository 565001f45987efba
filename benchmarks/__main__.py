"""Runs every script of this folder, one after the other, or those named: `python -m benchmarks angular`.

The records go to runs/bench, or with `--keep` to benchmarks/records, which are committed and shown by the book.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from xmlib import paths

FOLDER = Path(__file__).parent
KEPT = FOLDER / "records"
NO_SCRIPTS = ("__init__", "__main__", "common", "released_loop")
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NO_SCRIPTS)
NAMED_ONLY = ("whole",)  # takes too long to be among all of them
USUAL = [script for script in SCRIPTS if script not in NAMED_ONLY]


def run(script: str, folder: Path) -> int:
    """The exit status of a script, which prints its claims and writes its record into the folder."""
    start = time.perf_counter()
    print(f"== {script}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{script}", "--json", str(folder / f"{script}.json")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    status = subprocess.run(command, cwd=paths.ROOT, env=environment, check=False).returncode
    print(f"   {script} took {time.perf_counter() - start:.0f} s\n", flush=True)
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 1 where a script could not measure, and 0 otherwise, whatever goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "scripts",
        nargs="*",
        metavar="SCRIPT",
        help=f"of {', '.join(SCRIPTS)}; default: all but {', '.join(NAMED_ONLY)}",
    )
    parser.add_argument("--keep", action="store_true", help="write the records that the book shows")
    options = parser.parse_args(arguments)
    if unknown := set(options.scripts) - set(SCRIPTS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}: choose from {', '.join(SCRIPTS)}")
    folder = KEPT if options.keep else paths.RUNS / "bench"
    failed = [script for script in options.scripts or USUAL if run(script, folder)]
    for script in failed:
        print(f"error: the benchmark {script} stopped with the error above", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
