"""Compares the clock of a camera with that of this machine, and decides which of them gives the capture times."""

import logging

from ingest.clock import NS, SlidingMaximum
from ingest.drift import STEADY, UNSTEADY, Drift

log = logging.getLogger(__name__)

WINDOW_NS = 10 * NS  # the least delayed packet of this time shows the difference between the clocks
HOUR_S = 3600
JUMP_NS = NS // 2  # reports are exact to milliseconds: such a step is somebody setting the clock


class CameraClock:
    """The clock of one camera, followed over all of its connections.

    Nothing arrives before it was captured, so the largest difference between capture time, by the camera's clock, and
    arrival is the offset of the camera's clock, less the shortest delay. While it is below `limit_ns`, the camera's
    capture times are taken as they are: they show the delay of each packet, and are exact where cameras follow one NTP
    server. Otherwise the camera's clock is wrong, and the arrival counts.

    Attributes:
        offset_ns: How far the camera's clock is ahead of this machine's; None until the camera states its time.
        complaint: That it drifts, and the remedy; empty while it does not.
    """

    def __init__(self, camera_id: str, limit_ns: int) -> None:
        self.offset_ns: int | None = None
        self.complaint = ""
        self._drift = Drift()
        self._camera_id = camera_id
        self._limit_ns = limit_ns
        self._recent = SlidingMaximum(WINDOW_NS)
        self._base: int | None = None
        self._wrong = False

    @property
    def drift_ratio(self) -> float | None:
        """Return the seconds that the camera's clock gains in a second of this machine's; None if not known."""
        return self._drift.ratio

    def reconnected(self) -> None:
        """Forget what belongs to the previous connection."""
        self._recent.clear()
        self._base = None

    def reference_ns(self, pts_ns: int, camera_ns: int | None, arrival_ns: int) -> int:
        """Return the time to set the capture time of a packet by: the camera's if it is trusted, else the arrival's."""
        if camera_ns is None:
            return arrival_ns
        self._notice_jump(camera_ns - pts_ns, camera_ns - arrival_ns)
        self.offset_ns = self._recent.add(arrival_ns, camera_ns - arrival_ns)
        if self._drift.add(arrival_ns, camera_ns - arrival_ns):
            self._notice_drift(self._drift.ratio or 0.0)
        wrong = abs(self.offset_ns) >= self._limit_ns
        if wrong != self._wrong and self._limit_ns:
            self._wrong = wrong
            self._say(self.offset_ns)
        return arrival_ns if wrong else camera_ns

    def _notice_jump(self, base: int, offset: int) -> None:
        """Start afresh if the camera's clock was set: its times step against the stream's, and against arrival."""
        before = self._base
        self._base = base
        if before is None or self.offset_ns is None:
            return
        step = base - before
        if abs(step) > JUMP_NS and abs(offset - self.offset_ns) > JUMP_NS:
            self._recent.clear()
            self._drift.clear()
            log.warning("camera %s: its clock was set %s", self._camera_id, _forward(step))

    def _notice_drift(self, ratio: float) -> None:
        if not self.complaint and abs(ratio) >= UNSTEADY:
            does, seconds = "gains" if ratio > 0 else "loses", abs(ratio) * HOUR_S
            self.complaint = (
                f"its clock {does} {seconds:.1f} s an hour on this machine's; set the same NTP server in the camera "
                "and on this machine"
            )
            log.warning("camera %s: %s", self._camera_id, self.complaint)
        elif self.complaint and abs(ratio) <= STEADY:
            self.complaint = ""
            log.info("camera %s: its clock runs like this machine's again", self._camera_id)

    def _say(self, offset: int) -> None:
        if not self._wrong:
            log.info("camera %s: its clock is right again, and gives the capture times", self._camera_id)
            return
        log.warning(
            "camera %s: its clock is %.1f s %s this machine's; frames are timed by their arrival instead; set the same "
            "NTP server in the camera and on this machine",
            self._camera_id,
            abs(offset) / NS,
            "ahead of" if offset > 0 else "behind",
        )


def _forward(step_ns: int) -> str:
    return f"{abs(step_ns) / NS:.1f} s {'forward' if step_ns > 0 else 'back'}"
