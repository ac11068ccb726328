"""One stateful decoder per camera stream: takes compressed packets, returns frames to analyse with their numbers.

The number of a frame is its position in presentation order among everything the camera sent, so that it is right
despite B-frames, dropped packets and broken frames: the presentation times of all packets wait in a heap, and a decoded
frame counts every one up to its own.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import av
import av.error
import msgspec
import numpy as np
from numpy.typing import NDArray

from reid_worker.colours import BgrConverter
from reid_worker.decode_device import DecoderOpener
from reid_worker.upright import upright
from wire.messages import Codec, FrameChunk, Packet
from wire.orientation import UPRIGHT, display_matrices, of_matrix

SPARSE_NS = 1_000_000_000
SAME_NS = 1_000  # less than frames are ever apart: ingest lets those that state the same time differ by 1 ns
UNKNOWN = 0  # before the first picture
MIRRORED_VERTICALLY = 4  # the one orientation besides upright without rotation


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
    """State of a `Sampler`, ns: time of the last frame, when the next is due, mean frame interval of the source."""

    last_ns: int | None = None
    due_ns: int = 0
    step_ns: int = 0


class Sampler:
    """Selects at most `fps` frames per second, each as close as possible to its due time."""

    def __init__(self, fps: float, state: SamplerState | None = None) -> None:
        self._interval_ns = round(1e9 / fps)
        self.state = SamplerState() if state is None else state

    def pace(self, fps: float) -> None:
        """Select at most `fps` frames per second from now on."""
        self._interval_ns = round(1e9 / fps)

    def wants(self, pts_ns: int) -> bool:
        """Tell whether to analyse the frame with this presentation time; times must increase from call to call.

        A frame is selected if the next one would be farther from the due time. From a source slower than `fps`, or as
        fast with a little jitter, every frame is selected.
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
    """State of a `StreamDecoder` that survives a restart: its attributes, and the sampler's state."""

    frames: int = 0
    decoded: int = 0
    broken: int = 0
    time_ns: int = 0
    sampler: SamplerState = SamplerState()


class StreamDecoder:
    """Decodes one stream of one camera; not thread-safe.

    Pictures are rotated upright: by the orientation of the container, `stated`, or else by that of the bitstream, which
    may change at any picture and is reset by a keyframe that states none (H.264 annex D, display orientation).

    Attributes:
        frames: Frames of the stream so far, decoded or lost.
        decoded: How many of them were decoded.
        keyframes_only: Whether all frames but one keyframe a second are left out; then decoding goes on at a keyframe.
        broken: Packets that the decoder rejected; `fault` is what it said of the last one.
        time_ns: Capture time of the latest decoded frame, 0 before the first.
    """

    def __init__(
        self,
        codec: Codec,
        extradata: bytes,
        fps: float,
        state: DecoderState,
        stated: int = UPRIGHT,
        opener: DecoderOpener | None = None,
    ) -> None:
        self.frames = state.frames
        self.decoded = state.decoded
        self.broken = state.broken
        self.fault = ""
        self.time_ns = state.time_ns
        self._sampler = Sampler(fps, state.sampler)
        self._stated = stated
        self._bitstream_orientation = UNKNOWN
        self._reads_bitstream = stated == UPRIGHT and codec != "mjpeg"  # ingest has read the EXIF of JPEG
        self._open = partial((opener or DecoderOpener()).open, codec, extradata)
        self._context = self._open()
        self._converter = BgrConverter()
        self._pending: list[tuple[int, int]] = []  # (pts_ns, time_ns) of packets whose frame was not decoded yet
        self._next_index = state.frames
        self._newest_pts = -1
        self._not_shown: set[int] = set()
        self._reordered = False
        self._waiting = True
        self._sent_pts = -SPARSE_NS  # of the latest packet that was decoded
        self.keyframes_only = False

    def decode(self, chunk: FrameChunk) -> Iterator[Frame]:
        """Yield the frames to analyse that this chunk completes; all remaining ones if it ends the stream.

        After a gap before the chunk, and at the start of the stream, everything up to the next keyframe is skipped. A
        broken packet is counted and skipped.
        """
        if chunk.packets and chunk.first_index != self._next_index:
            yield from self.restart(chunk.first_index)
        for packet in chunk.packets:
            self._expect(packet)
            self._reordered = self._reordered or packet.pts_ns < self._newest_pts
            self._newest_pts = max(self._newest_pts, packet.pts_ns)
            self._waiting = self._is_left_out(packet)
            if not self._waiting:
                self._sent_pts = packet.pts_ns
                yield from self._send(packet)
        if chunk.ended:
            yield from self.restart(self._next_index)

    def restart(self, next_index: int | None = None) -> Iterator[Frame]:
        """Yield the frames still in the decoder, then start afresh before packet `next_index` of the stream."""
        yield from self._send(None)
        self._next_index = self._next_index if next_index is None else next_index
        self.frames = self._next_index
        self._pending.clear()
        self._not_shown.clear()
        self._reordered = False
        self._context = self._open()
        self._waiting = True

    @property
    def next_index(self) -> int:
        """Index in the source of the first packet that was not taken yet."""
        return self._next_index

    def pace(self, fps: float) -> None:
        """Select at most `fps` frames per second from now on."""
        self._sampler.pace(fps)

    def source_fps(self) -> float:
        """Return the rate of the frames that the camera sends, 0 before the second."""
        step_ns = self._sampler.state.step_ns
        return 1e9 / step_ns if step_ns else 0.0

    def save(self) -> DecoderState:
        """Return the state that a decoder needs to start before the next packet."""
        return DecoderState(self.frames, self.decoded, self.broken, self.time_ns, self._sampler.state)

    def _is_left_out(self, packet: Packet) -> bool:
        if self.keyframes_only and packet.keyframe:
            return 0 <= packet.pts_ns - self._sent_pts < SPARSE_NS
        return not packet.keyframe and (self._waiting or self.keyframes_only)

    def _expect(self, packet: Packet) -> None:
        if packet.shown:
            self._next_index += 1
            heapq.heappush(self._pending, (packet.pts_ns, packet.time_ns))
        else:
            self._not_shown.add(packet.pts_ns)

    def _send(self, packet: Packet | None) -> Iterator[Frame]:
        try:
            ready = self._context.decode(None if packet is None else _to_av(packet))
        except av.error.FFmpegError as error:
            self._reject(error.strerror or type(error).__name__)
            return
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises costs its own camera a few pictures at most
            self._reject(f"{type(error).__name__}: {error}")
            self._context = self._open()
            self._waiting = True
            return
        for decoded in ready:
            frame = self._take(decoded)
            if frame is not None:
                yield frame

    def _reject(self, fault: str) -> None:
        self.broken += 1
        self.fault = fault

    def _take(self, decoded: av.VideoFrame) -> Frame | None:
        orientation = self._orientation(decoded)
        if decoded.pts in self._not_shown:
            self._not_shown.discard(decoded.pts)
            return None
        pts = self._count(decoded.pts)
        last = self._sampler.state.last_ns
        if pts is None or (last is not None and pts <= last):
            return None  # a repeated or late time: the frame was already counted
        self.decoded += 1
        if not self._sampler.wants(pts):
            return None
        try:
            return Frame(self.frames, pts, self.time_ns, upright(self._converter.of(decoded), orientation))
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            self._reject(f"{type(error).__name__}: {error}")
            return None

    def _orientation(self, decoded: av.VideoFrame) -> int:
        if not self._reads_bitstream:
            return self._stated
        # A frame whose side data was read stays in memory until the garbage collector runs. The rotation costs nothing;
        # it is 0 for one orientation besides upright, so the side data are read only if that orientation is possible.
        if decoded.rotation or (decoded.key_frame and self._bitstream_orientation in {UNKNOWN, MIRRORED_VERTICALLY}):
            matrices = display_matrices(decoded)
            self._bitstream_orientation = of_matrix(matrices[-1]) if matrices else UPRIGHT
        elif decoded.key_frame:
            self._bitstream_orientation = UPRIGHT
        return self._bitstream_orientation or UPRIGHT

    def _count(self, pts: int | None) -> int | None:
        """Count a decoded frame and the lost ones before it; return its presentation time."""
        counted: int | None = None
        # Raw streams have no times and get them in decoding order: there only the decoder knows the order of frames.
        if pts is None or (self._context.has_b_frames and not self._reordered):
            pts = self._pending[0][0] if self._pending else -1
        while self._pending and self._pending[0][0] < pts + SAME_NS:
            counted, self.time_ns = heapq.heappop(self._pending)
            self.frames += 1
            if counted > pts - SAME_NS:  # of several with the same time, the decoder gives one after the other
                break
        return counted


def _to_av(packet: Packet) -> av.Packet:
    converted = av.Packet(packet.data)
    converted.pts = packet.pts_ns
    converted.is_keyframe = packet.keyframe
    return converted
