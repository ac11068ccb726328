"""Reads a recording a second time, exactly as ingest and worker did, so that frame numbers mean the same."""

from collections.abc import Iterator
from contextlib import closing

from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ingest.config import IngestSettings
from ingest.errors import SourceError
from ingest.metrics import IngestMetrics
from ingest.sources.opening import open_source
from ingest.writer import StreamWriter
from reid_worker.decode import DecoderState, Frame, StreamDecoder
from reid_worker.stream_state import StreamInfo
from wire.messages import CameraSpec, FrameChunk

EVERY_FRAME = 240.0  # frames per second: more than any camera sends


class _Chunks:
    """An outbox that keeps chunks until they are taken."""

    def __init__(self) -> None:
        self._chunks: list[FrameChunk] = []

    def put(self, chunk: FrameChunk) -> None:
        self._chunks.append(chunk)

    def deliver(self) -> None:
        """Do nothing: what was put is here."""

    def send_last(self, chunk: FrameChunk) -> None:
        self.put(chunk)

    def waiting(self) -> int:
        return 0

    def close(self) -> None:
        """Do nothing: what was put stays until it is taken."""

    def taken(self) -> list[FrameChunk]:
        """Return the chunks so far, and forget them."""
        chunks, self._chunks = self._chunks, []
        return chunks


def frames_of(spec: CameraSpec, settings: IngestSettings) -> Iterator[Frame]:
    """Yield every frame of a recording, upright, with the number that it had in the run; half a second is in memory.

    It ends where the recording cannot be read any further, as the run did.

    Raises:
        SourceError: It cannot be opened any more.
    """
    wanted = replace(spec, analysed_fps=EVERY_FRAME)
    decoder: StreamDecoder | None = None
    stream_id = ""
    with closing(open_source(wanted, settings)) as source:
        outbox = _Chunks()
        writer = StreamWriter(wanted, outbox, IngestMetrics(CollectorRegistry()), settings.privacy)
        writer.begin(spec.camera_id)
        packets = source.packets()
        while True:
            try:
                packet = next(packets, None)
            except SourceError:
                packet = None
            if packet is None:
                writer.finish()
            else:
                writer.write(packet, (spec.start_ns or 0) + packet.pts_ns)
            for chunk in outbox.taken():
                if decoder is None or chunk.stream_id != stream_id:
                    stream_id = chunk.stream_id
                    decoder = StreamInfo.of(chunk).decoder(DecoderState(frames=chunk.first_index))
                yield from decoder.decode(chunk)
            if packet is None:
                return
