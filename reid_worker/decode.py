"""One stateful decoder per camera stream: compressed packets in, the frames to analyse out, with their true numbers.

The number of a frame is its place in presentation order, counted over everything the camera sent, so that it survives
B-frames, dropped packets and broken frames: presentation times of all packets wait in a heap, and a frame that comes
out of the decoder counts every one up to its own.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import av
import av.error
import msgspec
import numpy as np
from numpy.typing import NDArray

from reid_worker.upright import upright
from wire.messages import Codec, FrameChunk, Packet
from wire.orientation import UPRIGHT, display_matrices, of_matrix

UNKNOWN = 0  # before the first picture
UNROTATED = 4  # mirrored top to bottom


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame to analyse.

    Attributes:
        number: 1-based, in presentation order, over all frames of the source.
        pts_ns: Presentation time since the start of the stream.
        time_ns: Capture time.
        image: `(h, w, 3)` uint8, BGR, upright.
    """

    number: int
    pts_ns: int
    time_ns: int
    image: NDArray[np.uint8]


class SamplerState(msgspec.Struct, frozen=True, array_like=True):
    """What a `Sampler` remembers, ns: time of the last frame, when the next is due, mean interval of the source."""

    last_ns: int | None = None
    due_ns: int = 0
    step_ns: int = 0


class Sampler:
    """Chooses the frames that keep at most `fps` frames a second, each as near as possible to its due time."""

    def __init__(self, fps: float, state: SamplerState | None = None) -> None:
        self._interval_ns = round(1e9 / fps)
        self.state = SamplerState() if state is None else state

    def wants(self, pts_ns: int) -> bool:
        """Tell whether the frame of this presentation time is analysed; times must grow from call to call.

        A frame is taken when the next one would be farther from the due time. A source that is slower than `fps`, or
        exactly as fast and a little irregular, is taken whole.
        """
        last, due, step = self.state.last_ns, self.state.due_ns, self.state.step_ns
        if last is None:
            self.state = SamplerState(pts_ns, pts_ns + self._interval_ns)
            return True
        latest = min(pts_ns - last, self._interval_ns, 2 * step or self._interval_ns)
        step = step + (latest - step) // 8 if step else latest
        if 2 * pts_ns + step < 2 * due:
            self.state = SamplerState(pts_ns, due, step)
            return False
        paused = pts_ns > due + self._interval_ns
        following = (
            pts_ns + self._interval_ns if paused else max(due, pts_ns - self._interval_ns // 2) + self._interval_ns
        )
        self.state = SamplerState(pts_ns, following, step)
        return True


class DecoderState(msgspec.Struct, frozen=True, array_like=True):
    """What a `StreamDecoder` remembers over a restart; its attributes, and the sampler's state."""

    frames: int = 0
    decoded: int = 0
    broken: int = 0
    time_ns: int = 0
    sampler: SamplerState = SamplerState()


class StreamDecoder:
    """Decodes one stream of one camera; not thread-safe.

    Pictures are turned to stand upright: as the container says, in `stated`, else as the bitstream says, which may
    change its mind at any picture and says nothing at a keyframe to take it back (H.264 annex D, display orientation).

    Attributes:
        frames: Frames of the stream so far, seen or lost.
        decoded: How many of them came out of the decoder.
        broken: Packets that the decoder refused.
        time_ns: Capture time of the latest frame that came out, 0 before the first.
    """

    def __init__(self, codec: Codec, extradata: bytes, fps: float, state: DecoderState, stated: int = UPRIGHT) -> None:
        self.frames = state.frames
        self.decoded = state.decoded
        self.broken = state.broken
        self.time_ns = state.time_ns
        self._sampler = Sampler(fps, state.sampler)
        self._stated = stated
        self._said = UNKNOWN
        self._listens = stated == UPRIGHT and codec != "mjpeg"  # of JPEG, ingest has read all that there is
        self._open = (codec, extradata)
        self._context = _context(codec, extradata)
        self._pending: list[tuple[int, int]] = []  # (pts_ns, time_ns) of packets whose frame has not come out
        self._next_index = state.frames
        self._newest_pts = -1
        self._hidden: set[int] = set()
        self._reordered = False
        self._waiting = True

    def decode(self, chunk: FrameChunk) -> Iterator[Frame]:
        """Yield the frames to analyse that become ready with this chunk; all that are left when it ends the stream.

        A gap in front of the chunk, like the start of the stream, is followed by waiting for a keyframe. A packet that
        is broken is counted and survived.
        """
        if chunk.packets and chunk.first_index != self._next_index:
            yield from self.restart(chunk.first_index)
        for packet in chunk.packets:
            self._expect(packet)
            self._reordered = self._reordered or packet.pts_ns < self._newest_pts
            self._newest_pts = max(self._newest_pts, packet.pts_ns)
            self._waiting = self._waiting and not packet.keyframe
            if not self._waiting:
                yield from self._send(packet)
        if chunk.ended:
            yield from self.restart(self._next_index)

    def restart(self, next_index: int | None = None) -> Iterator[Frame]:
        """Yield what the decoder still holds, then be as new in front of packet `next_index` of the stream."""
        yield from self._send(None)
        self._next_index = self._next_index if next_index is None else next_index
        self.frames = self._next_index
        self._pending.clear()
        self._hidden.clear()
        self._reordered = False
        self._context = _context(*self._open)
        self._waiting = True

    def save(self) -> DecoderState:
        """Return what a decoder that starts in front of the next packet must know."""
        return DecoderState(self.frames, self.decoded, self.broken, self.time_ns, self._sampler.state)

    def _expect(self, packet: Packet) -> None:
        if packet.shown:
            self._next_index += 1
            heapq.heappush(self._pending, (packet.pts_ns, packet.time_ns))
        else:
            self._hidden.add(packet.pts_ns)

    def _send(self, packet: Packet | None) -> Iterator[Frame]:
        try:
            ready = self._context.decode(None if packet is None else _to_av(packet))
        except av.error.FFmpegError:
            self.broken += 1
            return
        for decoded in ready:
            frame = self._take(decoded)
            if frame is not None:
                yield frame

    def _take(self, decoded: av.VideoFrame) -> Frame | None:
        orientation = self._orientation(decoded)
        if decoded.pts in self._hidden:
            self._hidden.discard(decoded.pts)
            return None
        pts = self._count(decoded.pts)
        last = self._sampler.state.last_ns
        if pts is None or (last is not None and pts <= last):
            return None  # a repeated or late time: the frame has been counted already
        self.decoded += 1
        if not self._sampler.wants(pts):
            return None
        try:
            image = upright(decoded.to_ndarray(format="bgr24"), orientation)
            return Frame(self.frames, pts, self.time_ns, image)
        except (av.error.FFmpegError, ValueError):
            self.broken += 1
            return None

    def _orientation(self, decoded: av.VideoFrame) -> int:
        if not self._listens:
            return self._stated
        # A frame whose side data was looked at stays in memory until it is collected. The rotation costs nothing; it is
        # 0 for one orientation besides upright, so the data are looked at only where that one can be.
        if decoded.rotation or (decoded.key_frame and self._said in {UNKNOWN, UNROTATED}):
            matrices = display_matrices(decoded)
            self._said = of_matrix(matrices[-1]) if matrices else UPRIGHT
        elif decoded.key_frame:
            self._said = UPRIGHT
        return self._said or UPRIGHT

    def _count(self, pts: int | None) -> int | None:
        """Count the frame that came out, and those in front of it that never will; return its presentation time."""
        counted: int | None = None
        # Raw streams have no times, and get them in decoding order: there the decoder alone knows the order of frames.
        if pts is None or (self._context.has_b_frames and not self._reordered):
            pts = self._pending[0][0] if self._pending else -1
        while self._pending and self._pending[0][0] <= pts:
            counted, self.time_ns = heapq.heappop(self._pending)
            self.frames += 1
        return counted


def _context(codec: Codec, extradata: bytes) -> av.VideoCodecContext:
    context = av.CodecContext.create(codec, "r")
    if extradata:
        context.extradata = extradata
    context.thread_count = 1  # cameras are decoded side by side; frame threads would add a delay of frames
    return context


def _to_av(packet: Packet) -> av.Packet:
    converted = av.Packet(packet.data)
    converted.pts = packet.pts_ns
    converted.is_keyframe = packet.keyframe
    return converted
