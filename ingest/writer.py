"""From a source's packets to chunks on the bus: streams are named, times stamped, and ends announced exactly once."""

import logging
import threading
from hashlib import blake2b
from uuid import uuid4

from ingest.chunker import Chunker, Stream
from ingest.metrics import IngestMetrics
from ingest.outbox import Outbox
from ingest.source import UNKNOWN_FORMAT, SourcePacket, VideoFormat
from wire.bus import MAX_RECORD_BYTES
from wire.messages import CameraSpec, Packet

log = logging.getLogger(__name__)

LOCK_S = 5.0
TOO_LARGE = (
    f"larger than the {MAX_RECORD_BYTES >> 20} MiB that can be sent at once; "
    "let the camera, or whatever writes the pictures, use a lower resolution or stronger compression"
)
MAX_FRAME_BYTES = MAX_RECORD_BYTES - 256 * 1024  # what a chunk says besides, decoder configuration included, is less


class StreamWriter:
    """Writes one camera's streams, one after the other; thread-safe, because ending may come from elsewhere.

    Attributes:
        written: Frames since `begin` that were sent on.
        too_large: Frames since `begin` that no record can hold.
    """

    def __init__(self, spec: CameraSpec, outbox: Outbox, metrics: IngestMetrics) -> None:
        self._spec = spec
        self._outbox = outbox
        self._frames = metrics.frames.labels(camera=spec.camera_id)
        self._bytes = metrics.bytes.labels(camera=spec.camera_id)
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
        """Take the name of the streams that follow: each change of format makes another one, `name-0`, `name-1`..."""
        with self._lock:
            self._name = name
            self._part = 0
            self._next_index = 0
            self._lost = 0
            self.written = self.too_large = 0

    def write(self, packet: SourcePacket, time_ns: int) -> None:
        """Send a packet on, untouched."""
        self._frames.inc()
        self._bytes.inc(len(packet.data))
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
            chunk = self._chunker.add(sent, self._lost)
            self._lost = 0
            self.written += 1
            if chunk is not None:
                self._outbox.put(chunk)

    def end(self, reason: str = "") -> None:
        """Announce the end of the stream, if there is one."""
        with self._lock:
            self._end(reason)

    def finish(self, reason: str = "") -> None:
        """Announce the end, also of a stream that never began, and wait until everything is safe on the bus."""
        with self._lock:
            if self._chunker is None and not self._closed and self._part == 0:
                self._chunker = Chunker(Stream(self._spec, f"{self._name}-none", UNKNOWN_FORMAT))
            self._end(reason)
            self._outbox.deliver()

    def close(self, farewell: str | None) -> None:
        """Send nothing from now on; a farewell is the reason of a last chunk, without one the stream is left open."""
        if not self._lock.acquire(timeout=LOCK_S):
            log.warning("camera %s: the bus does not let go of it; its end is not announced", self._spec.camera_id)
            self._closed = True
            return
        try:
            if not self._closed and farewell is not None and self._chunker is not None:
                self._outbox.farewell(self._chunker.end(farewell))
            if not self._closed:
                self._closed = True
                self._outbox.close()
        finally:
            self._lock.release()

    def waiting(self) -> int:
        """Return the number of chunks that are not sent."""
        return self._outbox.waiting()

    def _next_stream(self, look: VideoFormat) -> Chunker:
        self._end("the picture format changed")
        stream_id = f"{self._name}-{self._part}"
        self._part += 1
        self._format = look
        return Chunker(Stream(self._spec, stream_id, look, self._next_index))

    def _leave_out(self, packet: SourcePacket) -> None:
        """Count a frame that no record can hold; it keeps its number."""
        if not self.too_large:
            log.warning("camera %s: a frame of %d bytes is %s", self._spec.camera_id, len(packet.data), TOO_LARGE)
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
    """Return the stream name of a file: the same for the same camera, URL, start and turn of a loop."""
    text = f"{spec.camera_id}\n{spec.url}\n{start_ns}\n{turn}"
    return blake2b(text.encode(), digest_size=6).hexdigest()


def name_of_connection() -> str:
    """Return a stream name that no other connection has."""
    return uuid4().hex[:12]
