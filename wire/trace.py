"""Traces a message back to its chunk across services: W3C trace context, level 1 (w3.org/TR/trace-context).

A `traceparent` is `00-TRACE-SPAN-01` in lower-case hexadecimal. TRACE, 32 digits, is shared by a chunk and all identity
events it leads to; SPAN, 16 digits, identifies the message. Both are digests of what they name rather than random
numbers, so that a message recreated after a restart equals the original.
"""

import logging
import re
from hashlib import blake2b

from wire.messages import AnyMessage, FrameChunk, IdentityEvent, Tracklet

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def started(*names: object) -> str:
    """Return the context that starts a trace: the same for the same names."""
    return f"00-{_digest(16, names)}-{_digest(8, names)}-01"


def continued(traceparent: str, *names: object) -> str:
    """Return the context of a message caused by another one, whose context is given.

    The trace stays the same; if the other message has no valid context, the names start a new one.
    """
    trace = trace_id(traceparent)
    return f"00-{trace}-{_digest(8, names)}-01" if trace else started(*names)


def trace_id(traceparent: str) -> str:
    """Return the 32 digits of the trace; empty if the text is not a valid context."""
    found = _FORM.fullmatch(traceparent)
    return found.group(1) if found else ""


def note(log: logging.Logger, message: AnyMessage | None, what: str, *args: object) -> None:
    """Log at debug level what happens to a traced message; the log record has `trace_id`, `camera` and `tracklet`.

    Args:
        what: A `logging` format string for `args`.
    """
    if log.isEnabledFor(logging.DEBUG) and isinstance(message, FrameChunk | Tracklet | IdentityEvent):
        trace = trace_id(message.traceparent)
        log.debug(f"{what} %s trace=%s", *args, _named(message), trace or "none", extra=_fields(message, trace))


def _fields(message: FrameChunk | Tracklet | IdentityEvent, trace: str) -> dict[str, str]:
    tracklet = {} if isinstance(message, FrameChunk) else {"tracklet": message.tracklet_id}
    return {"trace_id": trace, "camera": message.camera_id, **tracklet}


def _named(message: FrameChunk | Tracklet | IdentityEvent) -> str:
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
