"""Ends a read of libav at once when its camera is stopped.

libav asks a callback several times a second whether to go on. PyAV's callback compares `time.monotonic()` with the
timeout of the container, and there is no other way to reach it, neither while a connection is opened nor while it is
read. So PyAV's container module gets a clock of its own, which leaps far ahead in a thread whose stop event is set: a
read then exceeds its timeout. If PyAV no longer asked this clock, reads would end by their real timeouts.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import av.container.core

LEAP_S = 1e6  # longer than any timeout
AGAIN_S = 0.005  # between two questions to a driver that has no picture yet: well below the time between two pictures

_current = threading.local()


class _LeapingClock:
    """Stands in for the module `time` inside PyAV, which calls nothing but `monotonic`."""

    @staticmethod
    def monotonic() -> float:
        """Return monotonic seconds, each time `LEAP_S` further ahead once the thread's event is set."""
        if not interrupted() and getattr(_current, "asks_again", False):
            pause(AGAIN_S)
        if not interrupted():
            return time.monotonic()
        _current.leaps += 1
        return time.monotonic() + LEAP_S * float(_current.leaps)


@contextmanager
def interrupted_by(stop: threading.Event) -> Iterator[None]:
    """End every read of libav in this thread, those that open a source included, as soon as the event is set."""
    _current.stop, _current.leaps = stop, 0
    try:
        yield
    finally:
        _current.stop = None


@contextmanager
def asked_again() -> Iterator[None]:
    """Let libav, which asks a driver that does not block without a pause between, pause whenever it asks to go on."""
    _current.asks_again = True
    try:
        yield
    finally:
        _current.asks_again = False


def pause(seconds: float) -> None:
    """Wait, but no longer than until this thread's camera is stopped."""
    stop: threading.Event | None = getattr(_current, "stop", None)
    if stop is None:
        time.sleep(seconds)
    else:
        stop.wait(seconds)


def interrupted() -> bool:
    """Tell whether reads in this thread are ended because its camera is stopped."""
    stop: threading.Event | None = getattr(_current, "stop", None)
    return stop is not None and stop.is_set()


av.container.core.time = _LeapingClock
