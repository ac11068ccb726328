"""Decodes the pictures of a stream that cannot be passed through unchanged."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

import av

from ingest.clock import NS
from ingest.sources.demux import Demuxer, nanoseconds


def pictures(demuxer: Demuxer) -> Iterator[tuple[Any, int]]:
    """Yield every decoded picture and its presentation time in ns; None in place of a broken one."""
    times = _DecodingTimes(demuxer) if demuxer.is_avi else _StatedTimes(demuxer)
    context = demuxer.stream.codec_context
    for packet in chain(demuxer.packets(), [None]):
        if packet is not None:
            times.read(packet)
            if packet.has_sidedata("new_extradata"):
                context = _context(context.name, bytes(packet.get_sidedata("new_extradata")))
        try:
            frames = context.decode(packet)
        except av.FFmpegError:
            yield None, 0
            times.broken()
            continue
        for frame in frames:
            yield frame, times.of(frame)


class _StatedTimes:
    """Presentation times as stated by the pictures, or else derived from their number."""

    def __init__(self, demuxer: Demuxer) -> None:
        self._demuxer = demuxer
        self._base: Fraction | None = None  # of the packets: pictures flushed from a decoder have none
        self._count = 0

    def read(self, packet: Any) -> None:
        """Note the time base."""
        self._base = packet.time_base

    def broken(self) -> None:
        """Skip the number of a broken picture."""
        self._count += 1

    def of(self, frame: Any) -> int:
        """Return the presentation time of the next picture, ns."""
        stated_ns = nanoseconds(frame.pts, self._base)
        pts_ns = round(self._count * NS / self._demuxer.rate) if stated_ns is None else stated_ns
        self._count += 1
        return self._demuxer.timeline.place(pts_ns, pts_ns)  # decoders sort: a step back, however short, is a restart


class _DecodingTimes:
    """Decoding times of packets, assigned to pictures in presentation order."""

    def __init__(self, demuxer: Demuxer) -> None:
        self._demuxer = demuxer
        self._times: deque[int] = deque()
        self._last_ns = 0

    def read(self, packet: Any) -> None:
        """Note the time of a packet."""
        self._times.append(self._demuxer.decoded_ns(packet))

    def broken(self) -> None:
        """Forget the time of the latest packet."""
        if self._times:
            self._times.pop()

    def of(self, _: Any) -> int:
        """Return the presentation time of the next picture, ns."""
        if self._times:
            self._last_ns = self._times.popleft()
        return self._last_ns


def _context(name: str, extradata: bytes) -> Any:
    context = av.CodecContext.create(name, "r")
    context.extradata = extradata
    return context
