"""One line on what the grid is making, how many steps of how many, and the time left: a log handler for snakemake.

On a terminal the line is rewritten in place; elsewhere every step has one line, as it begins. A step that fails shows
the end of its log at once. The time left comes from what each rule took the last time it ran on this machine, before
that from DURATIONS, corrected by what the finished steps of this run took.
"""

import heapq
import json
import logging
import re
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from book.show.units import duration

ROOT = Path(__file__).resolve().parent.parent
DURATIONS = ROOT / "scripts" / "durations.json"  # target → rule → seconds on one of two cores
REMEMBERED = ROOT / "runs" / "durations.json"  # the same, as measured here
STAGES = (
    ("pairs",),
    (),
    ("report", "explorer"),
    ("site",),
)  # one after the other; () are all other rules, side by side
PRIOR = 120.0  # seconds that count as gone as expected, so that one short step does not decide the correction
END_OF_LOG = 30  # lines that are shown of the log of a step that failed
# What snakemake says besides of a step that failed, and of one that Ctrl-C ended.
REPEATED = ("CalledProcessError in file", "At least one job did not complete", "Exiting because a job execution failed")


@dataclass
class Step:
    """A step under way: its rule, what is said of it, its log and when it began."""

    rule: str
    title: str
    log: str
    start: float


@dataclass
class Plan:
    """What is done, under way and waiting, and how long each rule is expected to take, in seconds."""

    expected: Mapping[str, float]
    cores: int
    waiting: Counter = field(default_factory=Counter)  # rule → steps
    running: dict[int, Step] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)  # rule → seconds of its finished steps
    failed: dict[int, Step] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        """How many steps are done."""
        return sum(map(len, self.took.values()))

    @property
    def total(self) -> int:
        """How many steps there are, those that cannot be made any more among them."""
        return self.finished + len(self.failed) + len(self.running) + self.waiting.total()

    def begin(self, number: int, step: Step) -> None:
        """A waiting step begins, or one that has failed is tried again."""
        if self.failed.pop(number, None) is None:
            self.waiting[step.rule] -= 1
        self.running[number] = step

    def end(self, number: int, now: float) -> None:
        """A step under way is done."""
        step = self.running.pop(number)
        self.took.setdefault(step.rule, []).append(now - step.start)

    def fail(self, number: int) -> Step:
        """The step that has failed."""
        self.failed[number] = self.running.pop(number)
        return self.failed[number]

    def seconds(self, rule: str) -> float:
        """How long a step of that rule takes, as far as this run shows."""
        if rule in self.took:
            return sum(self.took[rule]) / len(self.took[rule])
        done = sum(map(sum, self.took.values()))
        hoped = sum(len(took) * self.expected.get(rule, 0) for rule, took in self.took.items())
        return self.expected.get(rule, 60) * (PRIOR + done) / (PRIOR + hoped)

    def time_left(self, now: float) -> float:
        """Seconds until all is made: the steps go to the core that is free first, the longest first, stage by stage."""
        free = [max(self.seconds(s.rule) - (now - s.start), self.seconds(s.rule) / 20) for s in self.running.values()]
        free += [0.0] * (self.cores - len(free))
        named = {rule for stage in STAGES for rule in stage}
        for stage in STAGES:
            rules = stage or sorted(set(self.waiting) - named, key=self.seconds, reverse=True)
            heapq.heapify(free)
            for rule in rules:
                for _ in range(self.waiting[rule]):
                    heapq.heapreplace(free, free[0] + self.seconds(rule))
            free = [max(free)] * len(free) if any(self.waiting[rule] for rule in rules) else free
        return max(free)


def expected(target: str) -> dict[str, float]:
    """Rule → seconds for a target: what was measured here, else the committed table, else that of the book."""
    committed = json.loads(DURATIONS.read_text(encoding="utf-8"))
    return {**committed["book"], **committed.get(target, {}), **_remembered().get(target, {})}


def remember(target: str, took: Mapping[str, Sequence[float]]) -> None:
    """Keep the mean duration of each rule for the next run."""
    all_targets = _remembered()
    all_targets.setdefault(target, {}).update({rule: round(sum(s) / len(s), 1) for rule, s in took.items()})
    REMEMBERED.parent.mkdir(parents=True, exist_ok=True)
    REMEMBERED.write_text(json.dumps(all_targets, indent=1), encoding="utf-8")


def _remembered() -> dict[str, dict[str, float]]:
    try:
        return dict(json.loads(REMEMBERED.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # the first time, or a file cut short: only estimates come from it
        return {}


def within(log: str) -> str:
    """How far a step is by the last count of a bar in its log, `(7/16)` or `(7 epochs)`; empty where it has none."""
    try:
        with open(log, "rb") as file:
            file.seek(max(file.seek(0, 2) - 2000, 0))
            counts = re.findall(r"(\d+/\d+|\d+ epochs) \[", file.read().decode(errors="replace"))
    except OSError:
        return ""
    return f"({counts[-1]})" if counts else ""


def end_of(log: str) -> str:
    """The last lines of a log, without bars, indented."""
    try:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").replace("\r", "\n").splitlines()
    except OSError:
        return "    (there is no such file)"
    kept = [line for line in lines if line.strip() and not re.search(r"\d+%\|", line)]
    return "\n".join(f"    {line}" for line in kept[-END_OF_LOG:]) or "    (it is empty)"


class LogHandler(LogHandlerBase):
    """Events as lines on standard error; `scripts.grid` sets `target`, `cores` and, at Ctrl-C, `stopped`."""

    target, cores, stopped = "", 1, False
    writes_to_stream, writes_to_file = True, False
    has_filter, has_formatter, needs_rulegraph = True, True, False

    def __post_init__(self) -> None:
        self.plan = Plan(expected(self.target), self.cores)
        self.began = time.time()  # as in the records
        self.live = sys.stderr.isatty()
        self.known = False  # whether there is anything to do
        self.closed = threading.Event()
        if self.live:
            threading.Thread(target=self._tick, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Act on one event; of what is no event only warnings and errors are shown."""
        event = getattr(record, "event", None)
        act = {
            LogEvent.RUN_INFO: self._planned,
            LogEvent.JOB_INFO: self._begun,
            LogEvent.JOB_FINISHED: self._finished,
            LogEvent.JOB_ERROR: self._failed,
        }.get(event)
        if act:
            act(record)
        elif event in (None, LogEvent.ERROR) and record.levelno >= logging.WARNING:
            text = record.getMessage()
            if not any(known in text for known in REPEATED):
                self._say(text.strip())

    def _planned(self, record) -> None:
        counts = {rule: n for rule, n in record.stats.items() if rule not in ("total", self.target)}
        self.plan.waiting, self.known = Counter(counts), True

    def _begun(self, record) -> None:
        if record.rule_name == self.target:
            return None
        step = Step(record.rule_name, record.rule_msg or record.rule_name, next(iter(record.log), ""), record.created)
        again = ", tried again" if record.jobid in self.plan.failed else ""
        self.plan.begin(record.jobid, step)
        if self.live:
            return self._draw()
        number = self.plan.total - self.plan.waiting.total()
        left = duration(self.plan.time_left(record.created))
        log = f" ({step.log})" if step.log else ""
        return self._say(f"{number:3} of {self.plan.total}: {step.title}{again}{log}; about {left} left")

    def _finished(self, record) -> None:
        if record.job_id in self.plan.running:
            self.plan.end(record.job_id, record.created)
            remember(self.target, self.plan.took)

    def _failed(self, record) -> None:
        time.sleep(0.2)  # Ctrl-C ends the steps too, sometimes before it gets here
        if self.stopped:
            return
        step = self.plan.fail(record.jobid)
        self._say(f"error: {step.title} failed. The end of {step.log}:\n{end_of(step.log)}")

    def close(self) -> None:
        """The last line: all done, or what failed."""
        if self.closed.is_set():
            return super().close()
        self.closed.set()
        plan, names = self.plan, "; ".join(step.title for step in self.plan.failed.values())
        if plan.failed:
            self._say(
                f"error: {len(plan.failed)} of {plan.total} steps failed ({names}), and what needs them was not made. "
                "Mend what the end of the log says and run the same command again: finished steps are kept."
            )
        elif plan.finished == plan.total and self.known:
            self._say(f"{plan.finished} steps made in {duration(time.time() - self.began)}.")
        elif self.known:
            self._say(f"Stopped after {plan.finished} of {plan.total} steps: the same command goes on from here.")
        return super().close()

    def _tick(self) -> None:
        while not self.closed.wait(1):
            with self.lock:
                self._draw()

    def _draw(self) -> None:
        """Rewrite the line of a terminal."""
        plan = self.plan
        if not plan.running or self.closed.is_set():
            return
        titles = [" ".join(filter(None, (step.title, within(step.log)))) for step in list(plan.running.values())]
        left = f"about {duration(plan.time_left(time.time()))} left"
        head = f"{plan.finished} of {plan.total} done, {left}: "
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\033[K{head}{'; '.join(titles)}"[: width + 4])
        sys.stderr.flush()

    def _say(self, text: str) -> None:
        sys.stderr.write(f"\r\033[K{text}\n" if self.live else f"{text}\n")
        sys.stderr.flush()
