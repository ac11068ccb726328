"""Traces a message back to its chunk across services: W3C trace context, level 1 (w3.org/TR/trace-context).

A `traceparent` is `00-TRACE-SPAN-FLAGS` in lower-case hexadecimal. TRACE, 32 digits, is shared by a chunk and all
identity events it leads to; SPAN, 16 digits, identifies the message. Both are digests of what they name rather than
random numbers, so that a message recreated after a restart equals the original. FLAGS are 01 if the trace is exported
(`wire.tracing`), which ingest chooses by the number of the trace.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Protocol

from wire.bus import Record
from wire.messages import AnyMessage, FrameChunk, IdentityEvent, Tracklet

Traced = FrameChunk | Tracklet | IdentityEvent

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_SAMPLED = 1  # a bit of the flags
_DECIDING = 14  # digits at the end of a trace that decide whether it is exported


class Observer(Protocol):
    """Takes note of messages whose trace is exported."""

    def read(self, service: str, topic: str, message: Traced, sent_ns: int) -> None:
        """Take note of a message that a service read, and when it had been sent."""

    def sent(self, service: str, topic: str, message: Traced) -> None:
        """Take note of a message that a service sends."""


_observers: list[tuple[Observer, float]] = []  # at most one: a process exports its traces to one place


@contextmanager
def observed(observer: Observer, ratio: float) -> Iterator[None]:
    """Let an observer know of messages during the block; this share of the traces started meanwhile is exported."""
    _observers.append((observer, ratio))
    try:
        yield
    finally:
        _observers.clear()


def started(*names: object) -> str:
    """Return the context that starts a trace: the same for the same names and the same share of exported traces."""
    trace = _digest(16, names)
    chosen = any(int(trace[-_DECIDING:], 16) < ratio * 16**_DECIDING for _, ratio in _observers)
    return f"00-{trace}-{_digest(8, names)}-{_SAMPLED if chosen else 0:02x}"


def continued(traceparent: str, *names: object) -> str:
    """Return the context of a message caused by another one, whose context is given.

    The trace stays the same; if the other message has no valid context, the names start a new one.
    """
    found = _FORM.fullmatch(traceparent)
    return f"00-{found[1]}-{_digest(8, names)}-{found[2]}" if found else started(*names)


def trace_id(traceparent: str) -> str:
    """Return the 32 digits of the trace; empty if the text is not a valid context."""
    found = _FORM.fullmatch(traceparent)
    return found.group(1) if found else ""


def note_read(log: logging.Logger, service: str, record: Record, message: AnyMessage | None) -> None:
    """Log at debug level that a service read a traced message, with `trace_id`, `camera` and `tracklet`."""
    if isinstance(message, Traced):
        _log(log, message, "%s: read %s", service, record.place)
        for observer in _observers_of(message):
            observer.read(service, record.topic, message, record.time_ns)


def note_sent(log: logging.Logger, service: str, topic: str, message: AnyMessage) -> None:
    """Log at debug level that a service sends a traced message, as `note_read`."""
    if isinstance(message, Traced):
        _log(log, message, "%s: publishes to %s", service, topic)
        for observer in _observers_of(message):
            observer.sent(service, topic, message)


def _observers_of(message: Traced) -> Iterator[Observer]:
    if _observers and (found := _FORM.fullmatch(message.traceparent)) and int(found[2], 16) & _SAMPLED:
        yield from (observer for observer, _ in _observers)


def _log(log: logging.Logger, message: Traced, what: str, *args: object) -> None:
    if log.isEnabledFor(logging.DEBUG):
        trace = trace_id(message.traceparent)
        log.debug(f"{what} %s trace=%s", *args, _named(message), trace or "none", extra=_fields(message, trace))


def _fields(message: Traced, trace: str) -> dict[str, str]:
    tracklet = {} if isinstance(message, FrameChunk) else {"tracklet": message.tracklet_id}
    return {"trace_id": trace, "camera": message.camera_id, **tracklet}


def _named(message: Traced) -> str:
    match message:
        case FrameChunk():
            return f"chunk {message.camera_id}/{message.stream_id}#{message.seq}"
        case Tracklet():
            return f"tracklet {message.tracklet_id} revision {message.revision}"
        case IdentityEvent():
            return f"event {message.event_id}"


def _digest(size: int, names: tuple[object, ...]) -> str:
    text = "\n".join(map(str, names))
    return blake2b(text.encode(errors="surrogatepass"), digest_size=size, person=b"climbtrack").hexdigest()
