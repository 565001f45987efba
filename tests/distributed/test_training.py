"""Runs by several processes on toy pairs: one record, whoever is killed, hangs or was started otherwise."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import torch.distributed as dist
import work

from xmlib import paths
from xmlib.distributed import processes, training
from xmlib.errors import InputError
from xmlib.profiles import Settings
from xmlib.runs import packed_run, records

TOY = [("profile", "toy"), ("device", "cpu"), ("d", "8")]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    target = tmp_path_factory.mktemp("packed") / "toy.pairs"
    packed_run.pack(packed_run.asked(TOY), target)
    return target


def arguments(file, folder, *more, parameters=TOY):
    given = [text for pair in parameters for text in ("-p", *pair)]
    return ["-m", "xmlib.distributed", str(file), *given, "--record", str(folder / "one.json"), *more]


def said(started, seconds=900.0):  # a guard against hanging
    """Exit status and last line on stderr of every process, once all have ended within that time."""
    limit = time.monotonic() + seconds
    try:
        outputs = [process.communicate(timeout=max(limit - time.monotonic(), 0.1)) for process in started]
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return [(process.returncode, error.strip()) for process, (_, error) in zip(started, outputs, strict=True)]


def running(folder):
    """Where a test keeps what is trained."""
    return {"XMLIB_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}


@pytest.mark.faults
def test_torchrun_with_one_process_leaves_the_record_of_a_run_without_it(file, tmp_path):
    chosen = packed_run.asked(TOY) | {"method": "ccal_cont"}
    packed_run.run(chosen, packed_run.packed.unpack(file), tmp_path / "alone.json", packed_run.Halt(1e18), 1)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    subprocess.run(
        [*torchrun, *arguments(file, tmp_path)], cwd=paths.ROOT, check=True, env=os.environ | running(tmp_path)
    )
    one, alone = records.load(tmp_path / "one.json"), records.load(tmp_path / "alone.json")
    assert records.differences(one, alone) == []
    assert one["machine"]["processes"] == 1


SLOW = """
import sys
from xmlib import fit
from xmlib.distributed import __main__

fit.SAVE_EVERY = 0
step = fit.Training._training_batch

def announced(training, rows, number):
    print("step", len(training.history), number, flush=True)
    return step(training, rows, number)

fit.Training._training_batch = announced
sys.exit(__main__.main(sys.argv[1:]))
"""


def wait_for(process, epoch):
    """Return when a process is in the middle of an epoch, counted from 0."""
    for line in process.stdout:
        if line.startswith(f"step {epoch} 1"):
            return
    pytest.fail("it never came there: " + process.stderr.read())


@pytest.mark.faults
@pytest.mark.parametrize(("number", "victim"), [(signal.SIGKILL, 0), (signal.SIGKILL, 1), (signal.SIGSTOP, 1)])
def test_where_one_process_is_gone_or_hangs_the_other_says_so_and_a_restart_goes_on(file, tmp_path, number, victim):
    whole = arguments(file, tmp_path, "--timeout", "15")[2:]
    started = work.together(2, "-c", SLOW, *whole, **running(tmp_path))
    for process in started:
        wait_for(process, 2)
    killed, other = started[victim], started[1 - victim]
    killed.send_signal(number)
    ((status, error),) = said([other])
    killed.kill()
    killed.communicate()
    assert status == 1
    assert re.fullmatch(
        rf"error: Process {1 - victim} of 2 stops, since another has ended or has not answered .*", error
    )
    started = work.together(2, "-c", SLOW, *whole, **running(tmp_path))
    (first, _), _ = [process.communicate(timeout=900) for process in started]
    steps = re.findall(r"step (\d+) 0", first)
    assert steps == ["2"], first  # the epochs before it were in the checkpoint
    assert len(records.load(tmp_path / "one.json")["history"]) == 3


@pytest.mark.faults
def test_a_signal_to_one_process_stops_all_after_their_epoch(file, tmp_path):
    started = work.together(2, "-c", SLOW, *arguments(file, tmp_path)[2:], **running(tmp_path))
    wait_for(started[0], 1)
    started[1].send_signal(signal.SIGTERM)
    outputs = [process.communicate(timeout=900) for process in started]
    assert [process.returncode for process in started] == [0, 0], outputs
    assert outputs[0][0].endswith("stopped; its checkpoint is kept\n")


@pytest.mark.faults
def test_processes_with_other_parameters_say_in_what_they_differ(file, tmp_path):
    commands = [arguments(file, tmp_path), arguments(file, tmp_path, "--seed", "2")]
    port = work.free_port()
    started = [
        *work.together(2, *commands[0], only=0, port=port, **running(tmp_path)),
        *work.together(2, *commands[1], only=1, port=port, **running(tmp_path)),
    ]
    assert said(started)[0] == (
        2, "error: Process 0 has seed 1, process 1 has 2: start all of them with the same code, pairs and parameters."
    )  # fmt: skip


def test_a_process_that_was_not_started_with_others_says_how_to(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="^RANK, .* are not set, so this process knows no others: start it by"):
        processes.joined().__enter__()


def test_a_port_in_use_is_named(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for name, value in zip(processes.GIVEN, ("0", "1", "127.0.0.1", port), strict=True):
            monkeypatch.setenv(name, value)
        with pytest.raises(InputError, match=f"^The port of 127.0.0.1:{port} is in use: choose another"):
            processes.joined().__enter__()


def test_a_batch_that_does_not_divide_is_refused_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(dist, "get_world_size", lambda: 3)
    with pytest.raises(InputError, match="^batch = 100 does not divide among 3 processes: take a batch of 102,"):
        training.check_batch(Settings())
