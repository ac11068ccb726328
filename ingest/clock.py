"""Clocks: the system clock, continuous presentation times of a stream, and capture times of live streams."""

import threading
import time
from collections import deque
from typing import Protocol

NS = 1_000_000_000
MOST_REORDERED = 16  # frames by which B-frames alone may move presentation times back
REORDER_NS = 2 * NS  # the same of a stream whose rate is stated too high: 16 frames at 8 fps
ANCHOR_NS = 5 * NS  # a live stream that arrives this late has jumped, or had stopped
HOLD_NS = NS // 2
SLEW_PERCENT = 5  # how much faster or slower a live clock may run while it converges on arrival times


class Clock(Protocol):
    """A source of time; tests use a fake one."""

    def now_ns(self) -> int:
        """Return ns since the Unix epoch."""

    def monotonic_s(self) -> float:
        """Return monotonic seconds."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait up to `seconds` for the event; tell whether it is set."""


class SystemClock:
    """The system clock."""

    def now_ns(self) -> int:
        """Return ns since the Unix epoch."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait up to `seconds` for the event; tell whether it is set."""
        return event.wait(seconds)


class Timeline:
    """Makes presentation times start at 0 and continue where a source's timestamps jump, wrap or restart.

    A jump is a decoding time that steps back, or forward by more than `longest_gap_ns`; the first frame after it is
    decoded one frame duration after the last one before it. If decoding times are missing, presentation times, which
    may step back a little, are used instead.
    """

    def __init__(self, frame_ns: int, longest_gap_ns: int) -> None:
        self._frame_ns = frame_ns
        self._longest_gap_ns = longest_gap_ns
        self._reorder_ns = max(REORDER_NS, MOST_REORDERED * frame_ns)
        self._origin: int | None = None
        self._last_dts: int | None = None
        self._newest = 0

    @property
    def newest_ns(self) -> int:
        """Return the latest presentation time so far."""
        return self._newest

    def begin(self, origin_ns: int) -> None:
        """Set the source's time of the first frame shown, for a stream that decodes earlier frames before it."""
        self._origin = origin_ns

    def follow(self) -> int:
        """Return the presentation time in ns of a packet without timestamps: one frame after the newest, or 0."""
        if self._origin is None:
            return self.place(0, None)
        self._newest += self._frame_ns
        return self._newest

    def place(self, pts_ns: int, dts_ns: int | None) -> int:
        """Return the presentation time in ns since the first packet; negative for pictures shown before it."""
        if self._origin is None:
            self._origin = pts_ns
        if dts_ns is None or self._last_dts is None:
            order, last, tolerance = pts_ns - self._origin, self._newest, self._reorder_ns
        else:
            order, last, tolerance = dts_ns - self._origin, self._last_dts, 0
        if not -tolerance <= order - last <= self._longest_gap_ns:
            self._origin += order - last - self._frame_ns
        if dts_ns is not None:
            self._last_dts = dts_ns - self._origin
        placed = pts_ns - self._origin
        self._newest = max(self._newest, placed)
        return placed


class SlidingMaximum:
    """The largest of the values that were added within the last `window_ns`."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._decreasing: deque[tuple[int, int]] = deque()  # (time, value): those that are or may become the largest

    def add(self, time_ns: int, value: int) -> int:
        """Add a value at a time not before the last one; return the largest."""
        while self._decreasing and self._decreasing[-1][1] <= value:
            self._decreasing.pop()
        self._decreasing.append((time_ns, value))
        while time_ns - self._decreasing[0][0] > self._window_ns:
            self._decreasing.popleft()
        return self._decreasing[0][1]

    def clear(self) -> None:
        """Forget every value."""
        self._decreasing.clear()


class LiveClock:
    """Converts presentation times of a live stream into capture times, using the arrival of its packets.

    A connection starts with a burst of buffered packets, so the packets of the first half second are held back and the
    one with the least delay sets the clock. From then on the stream's own spacing is kept: network jitter moves the
    clock by at most 5 % of the elapsed time, so that capture times keep the order of presentation times even across
    16 reordered pictures. Only if packets arrive 5 s late is the clock set again, and never back.

    A stream sent in segments arrives in bursts `burst_ns` apart at most. Of those only the packet with the least delay
    counts: nothing arrives before it was captured.
    """

    def __init__(self, burst_ns: int = 0) -> None:
        self._earliest = SlidingMaximum(burst_ns)
        self._held: list[tuple[int, int]] = []
        self._newest_pts: int | None = None
        self._newest_ns = 0

    def capture_ns(self, pts_ns: int, arrival_ns: int) -> list[int]:
        """Add a packet that arrives now; return the capture times of all packets held so far, or none yet."""
        if self._newest_pts is not None:
            return [self._follow(self._newest_pts, pts_ns, arrival_ns)]
        self._held.append((pts_ns, arrival_ns))
        if arrival_ns - self._held[0][1] < HOLD_NS:
            return []
        return self.release()

    def release(self) -> list[int]:
        """Return the capture times of the packets still held."""
        if not self._held:
            return []
        offset = min(arrival - pts for pts, arrival in self._held)
        for pts, arrival in self._held:
            self._earliest.add(arrival, pts - arrival)
        times = [pts + offset for pts, _ in self._held]
        self._newest_pts = max(pts for pts, _ in self._held)
        self._newest_ns = self._newest_pts + offset
        self._held = []
        return times

    def _follow(self, newest_pts: int, pts_ns: int, arrival_ns: int) -> int:
        passed = pts_ns - newest_pts
        steady = self._newest_ns + passed
        if passed <= 0:
            return steady
        error = pts_ns - self._earliest.add(arrival_ns, pts_ns - arrival_ns) - steady
        slew = passed * SLEW_PERCENT // 100
        steady += error if error > ANCHOR_NS else max(-slew, min(error, slew))
        self._newest_pts, self._newest_ns = pts_ns, steady
        return steady
