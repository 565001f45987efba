"""The line that says what the grid is making, how many steps of how many, and how long it will still take."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import yaml

from scripts import grid, progress
from xmlib import paths

SNAKEFILE = """
rule toy:
    input: "a", "b", "c"
rule first:
    output: touch("a")
    message: "The first step"
    log: "a.log"
    shell: "seq 100 > {log}; printf '7/16 [00:01\\r' >> {log}"
rule second:
    output: "b"
    message: "The second step"
    log: "b.log"
    shell: "(seq 100; printf ' 50%%|xx\\r') > {log}; COMMAND"
rule third:
    input: "b"
    output: touch("c")
    message: "The third step"
    log: "c.log"
    shell: "true"
"""


@pytest.fixture
def copy(tmp_path):
    """A repository that has the scripts and a grid of three steps, of which the third needs the second."""
    shutil.copytree(paths.ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def start(root, second, **streams):
    (root / "Snakefile").write_text(SNAKEFILE.replace("COMMAND", second))
    command = [sys.executable, "-m", "scripts.grid", "toy", "--cores", "1"]
    found = os.pathsep.join(map(str, (root, paths.ROOT)))  # scripts there, book here
    environment = os.environ | {"PYTHONPATH": found, "XDG_CACHE_HOME": str(root / "cache"), "COLUMNS": "200"}
    return subprocess.Popen(command, cwd=root, env=environment, **streams)


def plan(cores=2, running=None, took=None, **waiting):
    expected = {"long": 100, "short": 10, "site": 5}
    return progress.Plan(expected, cores, Counter(waiting), running or {}, took or {})


# ---- the time left ---------------------------------------------------------------------------------------------


def test_steps_are_shared_among_the_cores():
    assert plan(long=4).time_left(0) == 200
    assert plan(long=1, short=5).time_left(0) == 100
    assert plan(cores=1, long=1, short=5).time_left(0) == 150


def test_the_site_comes_after_everything_else():
    assert plan(long=1, site=1).time_left(0) == 105


def test_a_step_under_way_counts_with_what_is_left_of_it_and_with_a_little_when_it_is_late():
    step = progress.Step("long", "A long step", "", start=0)
    assert plan(running={1: step}).time_left(30) == 70
    assert plan(running={1: step}).time_left(300) == 5


def test_a_rule_that_has_run_takes_as_long_as_it_took():
    assert plan(took={"long": [40, 60]}, long=1).time_left(0) == 50


def test_other_rules_are_stretched_by_what_this_machine_needed_so_far():
    slow = plan(took={"short": [10 + progress.PRIOR]}, long=1)  # hoped for 10
    assert slow.time_left(0) == pytest.approx(100 * (10 + 2 * progress.PRIOR) / (10 + progress.PRIOR))


def grid_rows():
    return yaml.safe_load((paths.NOTEBOOKS / "grid.yml").read_text())


def test_every_rule_of_the_snakefile_that_makes_something_has_a_duration():
    snakefile = (paths.ROOT / "Snakefile").read_text()
    rules = set(re.findall(r"^rule (\w+)", snakefile, re.M))
    rules |= {
        f"{name}_runs" for name, row in grid_rows().items() if row["notebook"] == "image_text" and "methods" in row
    }
    rules |= {f"{name}_mirrored_runs" for name, row in grid_rows().items() if "mirrored" in row}
    table = json.loads(progress.DURATIONS.read_text())
    assert rules - {*table, "quick"} == set().union(*table.values())


# ---- what is shown ---------------------------------------------------------------------------------------------


def test_without_a_terminal_every_step_is_one_line_with_its_number_and_the_time_left(copy):
    run = start(copy, "touch b", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, said = run.communicate()
    assert (run.returncode, out) == (0, "")
    *steps, last = said.splitlines()
    form = r" *\d of 3: (The \w+ step) \(\w\.log\); about \d+ \w+ left"
    assert sorted(re.fullmatch(form, s)[1] for s in steps) == ["The first step", "The second step", "The third step"]
    assert [int(s.split()[0]) for s in steps] == [1, 2, 3]
    assert re.fullmatch(r"3 steps made in \d+ s\.", last)


def test_what_a_step_took_is_kept_for_the_next_estimate(copy):
    start(copy, "touch b", stderr=subprocess.DEVNULL).wait()
    assert set(json.loads((copy / "runs/durations.json").read_text())["toy"]) == {"first", "second", "third"}


def test_a_step_that_fails_shows_the_end_of_its_log_and_the_others_go_on(copy):
    run = start(copy, "exit 3", stderr=subprocess.PIPE, text=True)
    said = run.communicate()[1]
    assert run.returncode == 1
    assert "error: The second step failed. The end of b.log:\n    71\n" in said
    assert "    100\n" in said
    assert "%|" not in said
    assert said.count("error:") == 2
    assert "CalledProcessError" not in said
    assert said.splitlines()[-1].startswith("error: 1 of 3 steps failed (The second step), and what needs them was not")
    assert (copy / "a").exists()
    assert not (copy / "c").exists()


def test_on_a_terminal_there_is_one_line_that_is_rewritten(copy):
    ours, theirs = pty.openpty()
    run = start(copy, "sleep 2 && touch b", stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # the other end is closed: the grid has ended
        pass
    assert run.wait() == 0
    lines = said.decode().rstrip().split("\n")
    assert len(lines) == 1
    shown = lines[0].split("\r\033[K")
    assert any(re.fullmatch(r"\d of 3 done, about \d+ \w+ left: The second step", s) for s in shown)
    assert re.fullmatch(r"3 steps made in \d+ s\.", shown[-1])


@pytest.mark.faults
def test_ctrl_c_is_no_failure_of_a_step_and_says_how_to_go_on(copy):
    run = start(copy, "touch here; sleep 600", stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (copy / "here").exists() and run.poll() is None:
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    said = run.communicate()[1]
    assert run.returncode != 0
    assert "error" not in said.lower()
    assert re.search(r"^Stopped after \d of 3 steps: the same command goes on from here\.$", said, re.M)


def test_a_grid_that_cannot_begin_says_why(copy):
    run = start(copy, '"\nnonsense\n"', stderr=subprocess.PIPE, text=True)
    assert "NameError in file" in run.communicate()[1]
    assert run.returncode == 1


@pytest.mark.parametrize(("log", "shown"), [
    ("pieces: 43%|##  | 7/16 [00:01<00:02]", "(7/16)"), ("epochs: 3 epochs [00:23]", "(3 epochs)"), ("none", ""),
])  # fmt: skip
def test_how_far_a_step_is_comes_from_the_last_bar_in_its_log(tmp_path, log, shown):
    (tmp_path / "log").write_text(f"pieces: 1/16 [00:00\r{log}" if shown else log)
    assert progress.within(str(tmp_path / "log")) == shown


def test_durations_that_cannot_be_read_do_no_harm(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "REMEMBERED", tmp_path / "durations.json")
    before = progress.expected("book")
    progress.REMEMBERED.write_text('{"book": {"site"')
    assert progress.expected("book") == before
    progress.remember("book", {"site": [1, 3]})
    assert progress.expected("book")["site"] == 2


# ---- files that have gone --------------------------------------------------------------------------------------


def made(folder):
    for name in (*grid.MARKS, "book/_generated/curves.md", "_build/html/index.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    grid.list_what_is_made()


def test_what_was_made_and_has_gone_is_made_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(tmp_path)
    grid.forget_what_is_gone()
    assert all((tmp_path / mark).exists() for mark in grid.MARKS)
    (tmp_path / "book/_generated/curves.md").unlink()
    grid.forget_what_is_gone()
    assert not any((tmp_path / mark).exists() for mark in grid.MARKS)
