"""Runs command lines of Python, each in a fork of one process that has imported what takes most of their time.

`python forked.py MODULE…` imports the modules. A line of its input is a JSON object: the `arguments` of Python
(`-m MODULE …` or `FILE …`), the folder `cwd`, the `environment` and the files `said`, for stdout and stderr; a line of
its output is the exit status. `Forks` asks it.
"""

import importlib
import json
import os
import runpy
import subprocess
import sys
import traceback
from pathlib import Path


class Forks:
    """In a `with`: `run` is like `subprocess.run` for Python, and as quick as what the modules leave to do."""

    def __init__(self, folder, *modules: str) -> None:
        self.said = [str(Path(folder) / name) for name in ("stdout", "stderr")]
        self.process = subprocess.Popen(
            [sys.executable, __file__, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.process.communicate()

    def run(self, *arguments, cwd, env) -> subprocess.CompletedProcess:
        """Exit status and what was written of `python ARGUMENTS` in this folder and environment."""
        asked = {"arguments": list(map(str, arguments)), "cwd": str(cwd), "environment": dict(env), "said": self.said}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, *(Path(file).read_text("utf-8") for file in self.said))


def run(asked: dict) -> int:
    """The exit status of a command line, in this process."""
    for number, file in enumerate(asked["said"], start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    sys.path[:1] = [asked["cwd"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    first, *sys.argv = asked["arguments"]
    try:
        if first == "-m":
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv.insert(0, first)
            runpy.run_path(first, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = run(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
