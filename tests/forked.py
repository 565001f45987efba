"""Runs command lines of Python, each in a fork of one process that has imported what takes most of their time.

`python forked.py serve SOCKET MODULE…` imports the modules and waits there; who connects sends a line of JSON: the
`arguments` of Python (`-m MODULE …`, `-c CODE` or `FILE …`), the folder `cwd` and the `environment`, and with it the
open files that are to be stdin, stdout and stderr. The answer is the exit status. `Forks` starts it and asks it.
`python forked.py run SOCKET ARGUMENT…` is `python ARGUMENT…` by such a fork, as helpers of a build are started;
`quiet` in place of `run` lets it say nothing, as kernels of notebooks are started, whose program is given by a file.
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
    "torch._dynamo",  # which an optimizer imports late, in two seconds
    "matplotlib.pyplot",
    "seaborn",
    "pandas.io.formats.style",
    "sklearn.decomposition",
    "tabulate",
    "IPython",
]
INLINE = "module://matplotlib_inline.backend_inline"  # figures as in Jupyter


class Forks:
    """In a `with`: `run` is like `subprocess.run` for Python, and as quick as what the modules leave to do.

    `kernels`: variables of the environment with which papermill forks its kernels too, for `env`. `always`: those that
    count when a process starts, for all forks.
    """

    def __init__(self, folder, *modules: str, **always: str) -> None:
        self.said = [str(Path(folder) / name) for name in ("stdout", "stderr")]
        self.address = str(Path(folder) / "door")
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve", self.address, *modules], stdout=subprocess.PIPE, text=True,
            env=os.environ | always,
        )  # fmt: skip
        self.kernels = {"JUPYTER_PATH": str(folder)}
        kernel = Path(folder) / "kernels" / "python3" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        argv = self.command("-m", "ipykernel_launcher", "-f", "{connection_file}", kind="quiet")
        names = {"display_name": "Python 3", "language": "python", "env": {"MPLBACKEND": INLINE}}
        kernel.write_text(json.dumps({"argv": argv} | names))

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error) -> None:
        self.process.terminate()
        self.process.communicate()

    def command(self, *arguments: str, kind="run") -> list[str]:
        """The command line that does by a fork what `python ARGUMENTS` does."""
        return [sys.executable, "-S", __file__, kind, self.address, *arguments]

    def run(self, *arguments, cwd, env) -> subprocess.CompletedProcess:
        """Exit status and what was written of `python ARGUMENTS` in this folder and environment."""
        asked = {"arguments": list(map(str, arguments)), "cwd": str(cwd), "environment": dict(env)}
        with open(os.devnull) as nothing, open(self.said[0], "w") as out, open(self.said[1], "w") as err:
            status = ask(self.address, asked, [file.fileno() for file in (nothing, out, err)])
        return subprocess.CompletedProcess(arguments, status, *(Path(file).read_text("utf-8") for file in self.said))


def ask(address: str, asked: dict, files: list[int]) -> int:
    """The exit status of what is asked for, 1 where its process is gone without a word."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(address)
        line = json.dumps(asked).encode() + b"\n"
        door.sendall(line[socket.send_fds(door, [line], files) :])
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
    line, files = b"", []
    while not line.endswith(b"\n"):
        part, more, *_ = socket.recv_fds(connection, 1 << 16, 3)
        line, files = line + part, files + more
        if not part:
            os._exit(1)
    threading.Thread(target=lambda: connection.recv(1) or os._exit(1), daemon=True).start()
    status = run(json.loads(line), files)
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(str(status).encode())
    os._exit(status)


def run(asked: dict, files: list[int]) -> int:
    """The exit status of a command line, in this process."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)  # or whoever reads would wait for its end
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
        elif first == "-c":
            exec(sys.argv[0], {"__name__": "__main__"})  # noqa: S102  as Python does
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which is meant for the fork
    files = [0, 1, 2] if kind == "run" else [os.open(os.devnull, os.O_RDWR)] * 3
    return ask(address, {"arguments": rest, "cwd": os.getcwd(), "environment": dict(os.environ)}, files)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
