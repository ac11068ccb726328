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

_current = threading.local()


class _LeapingClock:
    """Stands in for the module `time` inside PyAV, which calls nothing but `monotonic`."""

    @staticmethod
    def monotonic() -> float:
        """Return monotonic seconds, each time `LEAP_S` further ahead once the thread's event is set."""
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


def interrupted() -> bool:
    """Tell whether reads in this thread are ended because its camera is stopped."""
    stop: threading.Event | None = getattr(_current, "stop", None)
    return stop is not None and stop.is_set()


av.container.core.time = _LeapingClock
