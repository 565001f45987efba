"""Ctrl-C while something is made that is worth keeping: once to keep the best so far, twice to end at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPPED = 130  # exit status after Ctrl-C
SAID = b"\nstopping: the best model so far is being kept; another Ctrl-C ends at once without it\n"


class Stopping:
    """`asked`: whether Ctrl-C was pressed. `raises`: whether that interrupts what is going on, by `training.Halted`."""

    def __init__(self) -> None:
        self.asked, self.raises = False, True

    def __call__(self, *_: Any) -> None:
        from xmlib.retriever.training import Halted

        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.asked = True
        os.write(2, SAID)  # printing is refused to a handler that came in the middle of printing
        if self.raises:
            raise Halted


@contextmanager
def gently() -> Iterator[Stopping]:
    """In a `with`: the first Ctrl-C raises `Halted` or is only noted, the next ends the command."""
    stopping, before = Stopping(), signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # of a process in the background that Ctrl-C is not meant for
        signal.signal(signal.SIGINT, stopping)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, before)
