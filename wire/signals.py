"""Stopping on signals: the first one stops after the work in progress, a second one ends the process."""

import _thread
import logging
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

log = logging.getLogger(__name__)

SAME_WISH_S = 0.5


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; later ones, and all after leaving, go to the previous handlers.

    So does SIGHUP, which a terminal sends when it is closed, unless it is ignored, as by `nohup`.

    A signal directly after the first is the same wish to stop: `timeout` signals the process and its group.
    """
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]
    first_s: list[float] = []

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask_to_stop(reason: signal.Signals) -> None:
        log.info("stopping on %s", reason.name)
        stop.set()

    def on_signal(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _leave_terminal()
        first_s.append(time.monotonic())
        if len(first_s) == 1:
            # Not here: the thread that this interrupts may hold the lock of the event, or of the log, just now.
            _thread.start_new_thread(ask_to_stop, (signal.Signals(number),))
        elif first_s[-1] - first_s[0] > SAME_WISH_S:
            restore()
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()


def _leave_terminal() -> None:
    """Let what is printed from now on go nowhere: writing to a terminal that is gone fails, and would end the stop."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        with suppress(OSError):  # of a stream that is closed
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(nowhere, stream)
    os.close(nowhere)
