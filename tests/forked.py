"""Runs command lines of Python, each in a fork of one process that has imported what takes most of their time.

`python forked.py serve SOCKET MODULE…` imports the modules and waits there; who connects sends a line of JSON: the
`arguments` of Python (`-m MODULE …` or `FILE …`), the folder `cwd`, the `environment` and the files `said`, for stdout
and stderr. The answer is the exit status. `Forks` starts it and asks it. `python forked.py run SOCKET ARGUMENT…` is
`python ARGUMENT…` by such a fork: as kernels of notebooks are started, whose program is given by a file.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path

# papermill, kernels, and what notebooks import from elsewhere
OF_NOTEBOOKS = [
    "papermill.cli",
    "ipykernel.kernelapp",
    "torch",
    "matplotlib.pyplot",
    "seaborn",
    "pandas",
    "sklearn",
    "IPython",
]
INLINE = "module://matplotlib_inline.backend_inline"  # figures as in Jupyter


class Forks:
    """In a `with`: `run` is like `subprocess.run` for Python, and as quick as what the modules leave to do.

    `kernels`: variables of the environment with which papermill forks its kernels too, for `env`.
    """

    def __init__(self, folder, *modules: str) -> None:
        self.said = [str(Path(folder) / name) for name in ("stdout", "stderr")]
        self.address = str(Path(folder) / "door")
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve", self.address, *modules], stdout=subprocess.PIPE, text=True
        )
        self.kernels = {"JUPYTER_PATH": str(folder)}
        kernel = Path(folder) / "kernels" / "python3" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        argv = [sys.executable, __file__, "run", self.address, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        names = {"display_name": "Python 3", "language": "python", "env": {"MPLBACKEND": INLINE}}
        kernel.write_text(json.dumps({"argv": argv} | names))

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error) -> None:
        self.process.terminate()
        self.process.communicate()

    def run(self, *arguments, cwd, env) -> subprocess.CompletedProcess:
        """Exit status and what was written of `python ARGUMENTS` in this folder and environment."""
        asked = {"arguments": list(map(str, arguments)), "cwd": str(cwd), "environment": dict(env), "said": self.said}
        status = ask(self.address, asked)
        return subprocess.CompletedProcess(arguments, status, *(Path(file).read_text("utf-8") for file in self.said))


def ask(address: str, asked: dict) -> int:
    """The exit status of what is asked for, 1 where its process is gone without a word."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(address)
        door.sendall(json.dumps(asked).encode() + b"\n")
        return int(door.makefile().read() or 1)


def serve(address: str, modules: list[str]) -> None:
    gc.disable()
    for module in modules:
        importlib.import_module(module)
    gc.freeze()  # no fork looks for garbage in what was imported, nor copies its pages for that
    gc.enable()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        print("ready", flush=True)
        while True:
            connection, _ = door.accept()
            if os.fork() == 0:
                door.close()
                answer(connection)
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def answer(connection: socket.socket) -> None:
    """Do what is asked for in this process, and end it; end it at once where nobody waits any longer."""
    asked = json.loads(connection.makefile().readline())
    threading.Thread(target=lambda: connection.recv(1) or os._exit(1), daemon=True).start()
    status = run(asked)
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(str(status).encode())
    os._exit(status)


def run(asked: dict) -> int:
    """The exit status of a command line, in this process."""
    for number, file in enumerate(asked["said"], start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    if matplotlib := sys.modules.get("matplotlib"):
        matplotlib.rcParams["backend"] = os.environ.get("MPLBACKEND", "agg")  # which it reads when it is imported
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


def main(kind: str, address: str, *rest: str) -> int:
    if kind == "serve":
        serve(address, list(rest))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which is meant for the kernel
    said = ["/dev/null", "/dev/null"]
    return ask(address, {"arguments": rest, "cwd": os.getcwd(), "environment": dict(os.environ), "said": said})


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
