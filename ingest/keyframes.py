"""Holds back what a decoder could not use at the beginning of a live stream."""

import logging

from ingest.clock import Clock
from ingest.metrics import IngestMetrics
from ingest.source import SourcePacket

log = logging.getLogger(__name__)

LONG_S = 10.0  # keyframes are usually one to four seconds apart
NO_KEYFRAME = (
    f"no keyframe for more than {LONG_S:.0f} s, and nothing can be analysed before the first; "
    "set the keyframe interval (GOP, I-frame interval) of the camera to 1 to 2 s"
)


class KeyframeGate:
    """Passes the packets of each connection from the first keyframe on; those before it are counted."""

    def __init__(self, camera_id: str, metrics: IngestMetrics, clock: Clock) -> None:
        self._camera_id = camera_id
        self._dropped = metrics.dropped_frames.labels(camera=camera_id, reason="no_keyframe")
        self._clock = clock
        self._since_s: float | None = None
        self._warned = False

    def begin(self) -> None:
        """Wait for the first keyframe of a new connection."""
        self._since_s = self._clock.monotonic_s()

    def passes(self, packet: SourcePacket) -> bool:
        """Tell whether to send a packet."""
        if self._since_s is None or packet.keyframe:
            self._since_s = None
            return True
        self._dropped.inc()
        if self.cause and not self._warned:
            self._warned = True
            log.warning("camera %s: %s", self._camera_id, NO_KEYFRAME)
        return False

    @property
    def cause(self) -> str:
        """Return why nothing is sent, if the wait is long; else an empty text."""
        since_s = self._since_s
        return NO_KEYFRAME if since_s is not None and self._clock.monotonic_s() - since_s > LONG_S else ""
