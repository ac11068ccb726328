"""Capture times: for files, a start time plus their timestamps; for live streams, the camera's clock or the arrival."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.camera_clock import CameraClock
from ingest.clock import Clock, LiveClock
from ingest.errors import SourceError
from ingest.source import Source, SourcePacket


@dataclass(frozen=True, slots=True)
class Stamped:
    """A packet and its capture time."""

    packet: SourcePacket
    time_ns: int


@dataclass(slots=True)
class FileTime:
    """Progress through a file over the turns of a loop.

    Attributes:
        start_ns: Capture time of the first frame of the first turn.
        began_s: Monotonic time when that frame was read.
        length_ns: Total duration of the finished turns.
    """

    start_ns: int
    began_s: float
    length_ns: int = 0
    turn: int = 0

    def stamped(self, source: Source) -> Iterator[Stamped]:
        """Yield every packet of one turn; the next turn continues where this one ends."""
        end_ns = 0
        for packet in source.packets():
            end_ns = max(end_ns, packet.pts_ns + source.frame_ns)
            yield Stamped(packet, self.start_ns + self.length_ns + packet.pts_ns)
        self.length_ns += end_ns
        self.turn += 1

    def paced(self, items: Iterator[Stamped], clock: Clock, stop: threading.Event) -> Iterator[Stamped]:
        """Hold packets back until they are due; a reordered picture may leave late, but never early."""
        newest_ns = self.start_ns
        for item in items:
            newest_ns = max(newest_ns, item.time_ns)
            due_s = self.began_s + (newest_ns - self.start_ns) / 1e9
            clock.wait(stop, max(0.0, due_s - clock.monotonic_s()))
            yield item


def stamped_live(source: Source, clock: Clock, camera: CameraClock) -> Iterator[Stamped]:
    """Yield every packet with a capture time by the camera's clock or its arrival; see `CameraClock`, `LiveClock`."""
    capture = LiveClock(source.burst_ns)
    camera.reconnected()
    held: deque[SourcePacket] = deque()
    try:
        for packet in source.packets():
            held.append(packet)
            reference_ns = camera.reference_ns(packet.pts_ns, packet.camera_ns, clock.now_ns())
            for time_ns in capture.capture_ns(packet.pts_ns, reference_ns):
                yield Stamped(held.popleft(), time_ns)
    except SourceError:  # not kept in a variable: its traceback would keep the connection until Python finds the cycle
        yield from _rest(held, capture)
        raise
    yield from _rest(held, capture)


def _rest(held: deque[SourcePacket], capture: LiveClock) -> Iterator[Stamped]:
    for time_ns in capture.release():
        yield Stamped(held.popleft(), time_ns)
