"""Which chunk a message goes back to, over all services: W3C trace context, level 1 (w3.org/TR/trace-context).

A `traceparent` is `00-TRACE-SPAN-01`, lower-case hexadecimal. TRACE, 32 digits, is the same from a chunk to the
identity events it leads to; SPAN, 16 digits, is the message's own. Both are digests of what they name, not random
numbers, so that a message that is made again after a restart equals the first.
"""

import logging
import re
from hashlib import blake2b

from wire.messages import AnyMessage, FrameChunk, IdentityEvent, Tracklet

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def started(*names: object) -> str:
    """Return the context of what begins a trace: the same for the same names."""
    return f"00-{_digest(16, names)}-{_digest(8, names)}-01"


def continued(traceparent: str, *names: object) -> str:
    """Return the context of a message that follows from another one, whose context is given.

    The trace stays; where the other message has none, or something that is none, the names begin a new one.
    """
    trace = trace_id(traceparent)
    return f"00-{trace}-{_digest(8, names)}-01" if trace else started(*names)


def trace_id(traceparent: str) -> str:
    """Return the 32 digits of the trace; empty when the text is not a valid context."""
    found = _FORM.fullmatch(traceparent)
    return found.group(1) if found else ""


def note(log: logging.Logger, message: AnyMessage | None, what: str, *args: object) -> None:
    """Log at debug level what happens to a message that belongs to a trace; the log record has `trace_id` as a field.

    Args:
        what: A format in the manner of `logging`, with its `args`.
    """
    if log.isEnabledFor(logging.DEBUG) and isinstance(message, FrameChunk | Tracklet | IdentityEvent):
        trace = trace_id(message.traceparent)
        log.debug(f"{what} %s trace=%s", *args, _named(message), trace or "none", extra={"trace_id": trace})


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
