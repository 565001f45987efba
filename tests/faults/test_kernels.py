"""A kernel does not outlive the process that started it."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest


@pytest.mark.faults
def test_the_kernel_ends_when_papermill_is_killed(tmp_path, record_property):
    code = f"import os, time; open({str(tmp_path / 'kernel')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)], metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "a.ipynb")
    command = [sys.executable, "-m", "papermill", str(tmp_path / "a.ipynb"), str(tmp_path / "b.ipynb")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path) as papermill:
        while not (tmp_path / "kernel").exists() or not (tmp_path / "kernel").read_text():
            assert papermill.poll() is None
            time.sleep(0.1)
        process = psutil.Process(int((tmp_path / "kernel").read_text()))
        os.kill(papermill.pid, signal.SIGKILL)
    try:
        process.wait(timeout=300)  # a guard: it looks for its parent every second
    finally:
        if process.is_running():
            process.kill()
    record_property("kills", 1)
