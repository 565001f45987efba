"""Runs a target of the Snakefile with one line of progress: `python -m scripts.grid TARGET [options of snakemake]`.

`--cores N` sets how many steps run side by side. With `--dry-run` it only says what is left to make. A grid that was
killed leaves its lock behind, which does not stop this one; what it left unfinished is made again.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import yaml
from snakemake import cli
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from scripts import progress

OPTIONS = ["--nolock", "--rerun-incomplete", "--keep-going"]
# What the last steps made for the site; where one of these files has gone, the steps are made again.
MADE = ("book/_generated/*", "book/results/*.ipynb", "book/assets/explorer/built/**/*", "_build/html/*.html")
MARKS = ("book/_generated/report.done", "_build/explorer.done", "_build/site.done")
LIST = Path("_build/made.json")


def forget_what_is_gone() -> None:
    """Remove the marks of the last steps where a file that they made is missing."""
    try:
        missing = [name for name in json.loads(LIST.read_text()) if not Path(name).exists()]
    except (OSError, ValueError):
        return  # nothing was made, or nobody knows what: the marks decide
    for mark in MARKS if missing else ():
        Path(mark).unlink(missing_ok=True)


def list_what_is_made() -> None:
    """Write down the files that the last steps made."""
    made = sorted(str(path) for pattern in MADE for path in Path().glob(pattern) if path.is_file())
    LIST.parent.mkdir(exist_ok=True)
    LIST.write_text(json.dumps(made, indent=0))


def is_dry(more: Sequence[str]) -> bool:
    """Whether these options of snakemake only ask what is left."""
    return bool({"-n", "--dry-run", "--dryrun"} & set(more))


def run(target: str, cores: int, more: Sequence[str]) -> int:
    """The exit status of snakemake."""
    dry = is_dry(more)
    progress.LogHandler.target, progress.LogHandler.cores = target, cores
    signal.signal(signal.SIGINT, stop)
    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_steps", progress)
    shown = ["--quiet", "host", "reason"] if dry else ["--logger", "steps"]
    if "--profile" not in more:  # what profiles/default says is for other machines than this one
        shown += ["--workflow-profile", "none"]
    try:
        cli.main([*OPTIONS, *shown, "--cores", str(cores), *more, "--", target])
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:
        return 130
    return 0


def lacking(more: Sequence[str]) -> str:
    """What is wrong with the profile that these options name, empty if nothing: its executor may not be installed."""
    for option, value in zip(more, more[1:], strict=False):
        file = Path(value) / "config.yaml"
        if option != "--profile":
            continue
        if not file.is_file():
            found = ", ".join(sorted(str(path.parent) for path in Path("profiles").glob("*/config.yaml")))
            return f"there is no profile {value}: choose one of {found}"
        executor = yaml.safe_load(file.read_text(encoding="utf-8")).get("executor", "local")
        if executor not in ("local", "dryrun") and not find_spec(f"snakemake_executor_plugin_{executor}"):
            package = f"snakemake-executor-plugin-{executor}"
            return f"{value} asks for the executor {executor}, which is not installed: pip install {package}"
    return ""


def stop(*signal_and_frame) -> None:
    """Have Ctrl-C known before snakemake ends what is under way."""
    progress.LogHandler.stopped = True
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.grid", description=__doc__)
    parser.add_argument("target", help="a rule of the Snakefile, such as quick, or a file")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    options, more = parser.parse_known_args(arguments)
    os.chdir(progress.ROOT)
    if problem := lacking(more):
        print(f"error: {problem}", file=sys.stderr)
        return 2
    forget_what_is_gone()
    status = run(options.target, options.cores, more)
    if status == 0 and options.target == "book" and not is_dry(more):
        list_what_is_made()
    return status


if __name__ == "__main__":
    sys.exit(main())
