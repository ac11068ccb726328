"""Writes a source's packets to the bus as chunks: names streams, and announces the end of each exactly once."""

import logging
import threading
from hashlib import blake2b
from uuid import uuid4

from ingest.chunker import Chunker, Stream
from ingest.metrics import IngestMetrics
from ingest.outbox import Outbox
from ingest.source import UNKNOWN_FORMAT, SourcePacket, VideoFormat
from ingest.sources.address import has_end
from wire.bus import MAX_RECORD_BYTES
from wire.messages import CameraSpec, Packet
from wire.privacy import Privacy

log = logging.getLogger(__name__)

TOO_LARGE = f"larger than the {MAX_RECORD_BYTES >> 20} MiB that can be sent at once"
SMALLER = "set the camera, or the program that writes the pictures, to a lower resolution or stronger compression"
DAMAGED = "parts of frames are lost on the way; use a wired connection, a lower bit rate or a larger network buffer"
DAMAGED_FILE = "parts of frames are missing, and these pictures are damaged; copy the file again, or record it again"
MAX_FRAME_BYTES = MAX_RECORD_BYTES - 256 * 1024  # the other fields of a chunk, extradata included, take less


class StreamWriter:
    """Writes the streams of one camera in turn; thread-safe, because another thread may end a stream.

    Attributes:
        written: Frames since `begin` that were sent.
        too_large: Frames since `begin` that do not fit into a record.
    """

    def __init__(self, spec: CameraSpec, outbox: Outbox, metrics: IngestMetrics, privacy: Privacy) -> None:
        self._spec = spec
        self._privacy = spec.privacy or privacy
        self._outbox = outbox
        self._frames = metrics.frames.labels(camera=spec.camera_id)
        self._bytes = metrics.bytes.labels(camera=spec.camera_id)
        self._damaged = metrics.damaged_frames.labels(camera=spec.camera_id)
        self._told_damage = False
        self._too_large = metrics.dropped_frames.labels(camera=spec.camera_id, reason="too_large")
        self._lock = threading.Lock()
        self._closed = False
        self._name = ""
        self._part = 0
        self._next_index = 0
        self._lost = 0
        self.written = self.too_large = 0
        self._format: VideoFormat | None = None
        self._chunker: Chunker | None = None

    def begin(self, name: str) -> None:
        """Set the name of the following streams: each change of format starts another one, `name-0`, `name-1`..."""
        with self._lock:
            self._name = name
            self._part = 0
            self._next_index = 0
            self._lost = 0
            self.written = self.too_large = 0

    def write(self, packet: SourcePacket, time_ns: int) -> None:
        """Send a packet unchanged."""
        self._frames.inc()
        self._bytes.inc(len(packet.data))
        if packet.damaged:
            self._count_damage()
        with self._lock:
            if self._closed:
                return
            self._lost += packet.lost_before
            if len(packet.data) > MAX_FRAME_BYTES:
                self._leave_out(packet)
                return
            if self._chunker is None or packet.format is not self._format:
                self._chunker = self._next_stream(packet.format)
            sent = Packet(packet.pts_ns, time_ns, packet.keyframe, packet.data, packet.shown)
            chunks = self._chunker.add(sent, self._lost)
            self._lost = 0
            self.written += 1
            for chunk in chunks:
                self._outbox.put(chunk)

    def end(self, reason: str = "") -> None:
        """Announce the end of the current stream, if any."""
        with self._lock:
            self._end(reason)

    def finish(self, reason: str = "") -> None:
        """Announce the end, even of a stream that never began, and wait until everything is stored on the bus."""
        with self._lock:
            if self._chunker is None and not self._closed and self._part == 0:
                self._chunker = Chunker(Stream(self._spec, f"{self._name}-none", UNKNOWN_FORMAT, self._privacy))
            self._end(reason)
            self._outbox.deliver()

    def close(self, end_reason: str | None, patience_s: float) -> None:
        """Send nothing from now on.

        Args:
            end_reason: Reason in a last chunk; None leaves the stream open.
            patience_s: How long to wait for another thread that is sending.
        """
        if not self._lock.acquire(timeout=patience_s):
            log.warning("camera %s: the bus is blocked; the end of its stream is not announced", self._spec.camera_id)
            self._closed = True
            return
        try:
            if not self._closed and end_reason is not None and self._chunker is not None:
                self._outbox.send_last(self._chunker.end(end_reason))
            if not self._closed:
                self._closed = True
                self._outbox.close()
        finally:
            self._lock.release()

    def waiting(self) -> int:
        """Return the number of chunks that have not been sent."""
        return self._outbox.waiting()

    def _next_stream(self, video_format: VideoFormat) -> Chunker:
        self._end("the picture format changed")
        stream_id = f"{self._name}-{self._part}"
        self._part += 1
        self._format = video_format
        return Chunker(Stream(self._spec, stream_id, video_format, self._privacy, self._next_index))

    def _count_damage(self) -> None:
        self._damaged.inc()
        if not self._told_damage:
            self._told_damage = True
            what = DAMAGED_FILE if has_end(self._spec.url) else DAMAGED
            log.warning("camera %s: %s", self._spec.camera_id, what)

    def _leave_out(self, packet: SourcePacket) -> None:
        """Count a frame that does not fit into a record; its frame number stays reserved."""
        if not self.too_large:
            log.warning(
                "camera %s: a frame of %d bytes is %s; %s", self._spec.camera_id, len(packet.data), TOO_LARGE, SMALLER
            )
        self.too_large += 1
        self._lost += packet.shown
        self._too_large.inc()

    def _end(self, reason: str) -> None:
        if self._chunker is not None:
            self._next_index = self._chunker.next_index
        if self._chunker is not None and not self._closed:
            self._outbox.put(self._chunker.end(reason))
        self._chunker = None


def name_of_file(spec: CameraSpec, start_ns: int, turn: int) -> str:
    """Return the stream name of a file, determined by camera, URL, start and turn of a loop."""
    text = f"{spec.camera_id}\n{spec.url}\n{start_ns}\n{turn}"
    return blake2b(text.encode(), digest_size=6).hexdigest()


def name_of_connection() -> str:
    """Return a unique stream name for a connection."""
    return uuid4().hex[:12]
