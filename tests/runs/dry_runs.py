"""Answers dry runs of snakemake: each is a fork of this process, which has imported what takes most of the time.

A line of its input is a JSON list, the folder and then the arguments; a line of its output is the exit status of that
dry run. What snakemake said is then in the file `said` of the folder.
"""

import json
import os
import sys

import smart_open  # noqa: F401  which snakemake imports late
from snakemake import cli


def dry_run(root: str, arguments: list[str]) -> int:
    """The exit status of `python -m snakemake` in this folder, with its own caches and data."""
    os.chdir(root)
    os.environ |= {"XDG_CACHE_HOME": f"{root}/cache", "XMLIB_DATA": f"{root}/data"}
    sys.path.insert(0, root)
    said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    try:
        cli.main(["--cores", "2", "--nolock", "--dry-run", *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def main() -> None:
    cli.get_argument_parser()  # imports the plug-ins
    for line in sys.stdin:
        root, *arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            status = dry_run(root, arguments)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
