"""Up to when everything that cameras have seen is decided, so that somebody who was not seen is gone. Pure."""

from collections.abc import Mapping, Sequence

from gallery.store.store import StoredProgress
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone

ALWAYS_NS = 2**62
SILENT_NS = 60 * 10**9  # a camera elsewhere that has reported nothing for so long is not waited for
ENDED_NS = 5 * 10**9  # after its last report, everything that a stream has shown is decided


def settled_ns(rule: Rule, zones: Sequence[Zone], progress: Mapping[str, StoredProgress], now_ns: int) -> int:
    """Return the capture time up to which a rule's place is decided; a camera without progress shows nothing.

    Windows wait for all cameras, so a camera elsewhere that lags holds up this one; but a camera of the place that has
    gone silent is always waited for: nobody knows whom it would have seen.
    """
    until = [
        _reached(stored, now_ns)
        for camera, stored in progress.items()
        if rule.concerns(camera, zones) or now_ns - stored.sent_ns <= SILENT_NS
    ]
    return min(until, default=ALWAYS_NS)


def _reached(stored: StoredProgress, now_ns: int) -> int:
    if stored.progress.ended and now_ns - stored.sent_ns >= ENDED_NS:
        return ALWAYS_NS
    return stored.progress.time_ns
