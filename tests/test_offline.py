"""scripts/offline.sh runs a command where this machine alone can be reached, or nothing."""

import os
import subprocess
import sys

import pytest

from xmlib import paths

CONNECT = """
import socket
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(here.getsockname(), timeout=5)
print("here")
socket.create_connection(("192.0.2.1", 80), timeout=5)
"""


def offline(*command, **environment):
    script = str(paths.ROOT / "scripts/offline.sh")
    return subprocess.run([script, *command], capture_output=True, text=True, env=os.environ | environment)


def test_a_command_reaches_this_machine_and_no_other():
    done = offline(sys.executable, "-c", CONNECT)
    if done.returncode == 2:
        pytest.skip(done.stderr)  # only root, or where the kernel lets others, can make a namespace
    assert "\nhere\n" in done.stdout
    assert "Network is unreachable" in done.stderr
    assert done.returncode == 1


def test_nothing_is_run_where_no_namespace_can_be_made(tmp_path):
    (tmp_path / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    done = offline("touch", str(tmp_path / "run"), PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no network namespace can be made here: run this as root")
    assert not (tmp_path / "run").exists()


def test_nothing_is_run_where_an_address_outside_can_still_be_reached(tmp_path):
    (tmp_path / "unshare").write_text('#!/bin/sh\nshift\nexec "$@"\n')  # makes no namespace
    (tmp_path / "ip").write_text("#!/bin/sh\n")
    for name in ("unshare", "ip"):
        (tmp_path / name).chmod(0o755)
    if offline("true", PATH=f"{tmp_path}:{os.environ['PATH']}").returncode == 0:
        pytest.skip("this machine reaches no other anyway")  # so there is nothing that could be noticed
    done = offline("touch", str(tmp_path / "run"), PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert "error: an address outside can be reached; nothing was run" in done.stderr
    assert not (tmp_path / "run").exists()
