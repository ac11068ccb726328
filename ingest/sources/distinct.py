"""Gives every picture a time of its own, where a source states one time for several.

Recorders whose clock is coarse, or stands still, do: in whole seconds, twice the same, or always 0. Whoever orders
pictures by their times, as the worker does, would see one of them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ingest.clock import MOST_REORDERED, NS
from ingest.errors import SourceError
from ingest.source import SourcePacket

FASTEST_FPS = 240  # above, what a source states is no rate but the ticks of its clock
USUAL_FPS = 25
MOST_HELD = 100  # pictures of one time that wait for the next time; of a live stream, none may wait


class DistinctTimes:
    """Moves the pictures of one time apart.

    In a stream without B-frames, they are spread until the next time, but no farther apart than the frames of the
    source. With B-frames, only a decoder knows which of them is shown first, so they are 1 ns apart: different, and
    recognisable as the same.
    """

    def __init__(self, frame_ns: int, *, reordered: bool, live: bool) -> None:
        self._step_ns = frame_ns if frame_ns * FASTEST_FPS >= NS else NS // USUAL_FPS
        self._most_held = 1 if live else MOST_HELD
        self._reordered = reordered
        self._recent: deque[int] = deque(maxlen=MOST_REORDERED)
        self._held: list[SourcePacket] = []
        self._stated: int | None = None  # of the newest picture
        self._placed = 0

    def place(self, packets: Iterable[SourcePacket]) -> Iterator[SourcePacket]:
        """Yield every packet, in the same order, none with the time of another."""
        try:
            for packet in packets:
                yield from self._apart(packet) if self._reordered else self._spread(packet)
        except SourceError:
            yield from self._release(None)
            raise
        yield from self._release(None)

    def _apart(self, packet: SourcePacket) -> Iterator[SourcePacket]:
        time_ns = packet.pts_ns
        while time_ns in self._recent:
            time_ns += 1
        self._recent.append(time_ns)
        yield _at(packet, time_ns)

    def _spread(self, packet: SourcePacket) -> Iterator[SourcePacket]:
        if packet.pts_ns == self._stated:
            self._held.append(packet)
            if len(self._held) >= self._most_held:
                yield from self._release(None)
        elif self._stated is None or packet.pts_ns > self._stated:
            yield from self._release(packet.pts_ns)
            self._placed = packet.pts_ns if self._stated is None else max(packet.pts_ns, self._placed + 1)
            self._stated = packet.pts_ns
            yield _at(packet, self._placed)
        else:  # a B-frame that the beginning of the stream did not announce
            yield from self._release(None)
            yield packet

    def _release(self, until_ns: int | None) -> Iterator[SourcePacket]:
        """Yield what is held; `until_ns` is the time of the next picture, if it is known."""
        held, self._held = self._held, []
        step_ns = self._step_ns
        if until_ns is not None:
            step_ns = min(step_ns, max(1, (until_ns - self._placed) // (len(held) + 1)))
        for packet in held:
            self._placed += step_ns
            yield _at(packet, self._placed)


def _at(packet: SourcePacket, time_ns: int) -> SourcePacket:
    return packet if packet.pts_ns == time_ns else replace(packet, pts_ns=time_ns)
