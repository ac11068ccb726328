"""Groups packets into chunks: pure and deterministic."""

from dataclasses import dataclass

from ingest.source import VideoFormat
from wire import trace
from wire.messages import MAX_CHUNK_BYTES, MAX_CHUNK_NS, CameraSpec, FrameChunk, Packet
from wire.privacy import Privacy

LIVE_CHUNK_NS = 200_000_000  # filling a chunk is part of the delay after which people are known


@dataclass(frozen=True, slots=True)
class Stream:
    """The fields shared by all chunks of one stream.

    Attributes:
        privacy: What may become of its pictures.
        first_index: Frames of the source before this stream.
    """

    spec: CameraSpec
    stream_id: str
    format: VideoFormat
    privacy: Privacy
    first_index: int = 0


class Chunker:
    """Cuts one stream into chunks of less than half a second and at most 900 kB; of a live camera, a fifth of a second.

    A keyframe starts a new chunk, so that a decoder can start at any group of pictures; JPEG frames, which are all
    keyframes, share chunks. A packet above 900 kB gets a chunk to itself. A live camera's chunk does not wait for the
    packet that no longer fits, but ends with the one before, as far as can be told from the time between packets.

    Attributes:
        next_index: Index in the source of the next frame.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._live = stream.spec.mode_in_use == "latency"
        self._longest_ns = LIVE_CHUNK_NS if self._live else MAX_CHUNK_NS
        self._newest_pts: int | None = None
        self._step_ns = 0  # between the last two packets, in order of presentation
        self._packets: list[Packet] = []
        self._bytes = 0
        self._first_pts = self._last_pts = 0
        self._seq = 0
        self._lost = 0
        self._first_index = self.next_index = stream.first_index

    def add(self, packet: Packet, lost_before: int = 0) -> list[FrameChunk]:
        """Add the next packet in decoding order; return the chunks that are complete by now, in order.

        Frames lost before the packet keep their numbers: `first_index` of the new chunk skips them.
        """
        done = [self._cut()] if self._packets and (lost_before or not self._fits(packet)) else []
        self._lost += lost_before
        self._first_index += lost_before
        self.next_index += lost_before + packet.shown
        if not self._packets:
            self._first_pts = self._last_pts = packet.pts_ns
        self._first_pts = min(self._first_pts, packet.pts_ns)
        self._last_pts = max(self._last_pts, packet.pts_ns)
        self._bytes += len(packet.data)
        self._packets.append(packet)
        self._measure_step(packet)
        if self._live and self._last_pts - self._first_pts + self._step_ns >= self._longest_ns:
            done.append(self._cut())
        return done

    def end(self, reason: str = "") -> FrameChunk:
        """Return the last chunk, with the remaining packets."""
        return self._cut(ended=True, reason=reason)

    def _measure_step(self, packet: Packet) -> None:
        newest = packet.pts_ns if self._newest_pts is None else self._newest_pts
        if packet.pts_ns > newest:
            self._step_ns = packet.pts_ns - newest
        self._newest_pts = max(packet.pts_ns, newest)

    def _fits(self, packet: Packet) -> bool:
        if packet.keyframe and self._stream.format.codec != "mjpeg":
            return False
        span = max(self._last_pts, packet.pts_ns) - min(self._first_pts, packet.pts_ns)
        return span < self._longest_ns and self._bytes + len(packet.data) <= MAX_CHUNK_BYTES

    def _cut(self, *, ended: bool = False, reason: str = "") -> FrameChunk:
        spec, video_format = self._stream.spec, self._stream.format
        chunk = FrameChunk(
            camera_id=spec.camera_id,
            site_id=spec.site_id,
            stream_id=self._stream.stream_id,
            seq=self._seq,
            codec=video_format.codec,
            width=video_format.width,
            height=video_format.height,
            extradata=video_format.extradata,
            packets=tuple(self._packets),
            first_index=self._first_index,
            dropped_before=self._lost,
            ended=ended,
            reason=reason,
            orientation=video_format.orientation,
            analysed_fps=spec.analysed_fps,
            mode=spec.mode_in_use,
            priority=spec.priority,
            detail=spec.detail,
            regions=spec.regions,
            ignore=spec.ignore,
            privacy=self._stream.privacy,
            traceparent=trace.started(spec.camera_id, self._stream.stream_id, self._seq),
        )
        self._seq += 1
        self._first_index = self.next_index
        self._lost = 0
        self._packets = []
        self._bytes = 0
        return chunk
