"""Presentation times for formats without them: raw H.264 and HEVC with B-frames, and AVI (decoding order only)."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import av

MAX_PENDING = 48  # more than any decoder reorders, so a packet that waits longer has no picture


class PresentationOrder:
    """Assigns presentation times to packets in decoding order.

    Only a decoder knows the presentation order of such streams, so one runs alongside; packets leave in decoding order,
    each as soon as its picture was decoded. The times are those of the packets, assigned in presentation order: the
    first picture shown gets the first time.
    """

    def __init__(self, stream_context: Any) -> None:
        self._decoder = av.CodecContext.create(stream_context.name, "r")
        self._decoder.thread_count = 1
        self._decoder.options = {"skip_loop_filter": "all"}  # only the order of the pictures is used
        if stream_context.extradata:
            self._decoder.extradata = stream_context.extradata
        self._times: deque[int] = deque()
        self._pending: deque[tuple[int, Any]] = deque()
        self._shown: dict[int, int] = {}

    def place(self, timed: Iterable[tuple[Any, int]]) -> Iterator[tuple[Any, int]]:
        """Yield each packet with its presentation time; one without a picture takes the next time.

        `timed` holds packets and their decoding times in ns, which never decrease.
        """
        for index, (packet, time_ns) in enumerate(timed):
            self._times.append(time_ns)
            self._pending.append((index, packet))
            self._decode(index, packet)
            yield from self._ready(MAX_PENDING)
        self._decode(None, None)
        yield from self._ready(0)

    def _decode(self, index: int | None, packet: Any) -> None:
        probe = None
        if packet is not None:
            probe = av.Packet(bytes(packet))
            probe.pts = probe.dts = index
        try:
            frames = self._decoder.decode(probe)
        except av.FFmpegError:
            return  # the packet stays in the queue without a picture
        for frame in frames:
            waits = bool(self._pending) and frame.pts is not None and frame.pts >= self._pending[0][0]
            if waits and frame.pts not in self._shown:
                self._shown[frame.pts] = self._times.popleft()

    def _ready(self, most: int) -> Iterator[tuple[Any, int]]:
        while self._pending and (self._pending[0][0] in self._shown or len(self._pending) > most):
            index, packet = self._pending.popleft()
            shown_ns = self._shown.pop(index, None)
            yield packet, self._times.popleft() if shown_ns is None else shown_ns
