"""The whole way of a video in tests: files with numbered pictures, and what the worker's decoder gives of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from prometheus_client import CollectorRegistry

from ingest.config import IngestSettings
from ingest.errors import SourceError
from ingest.metrics import IngestMetrics
from ingest.source import Source
from ingest.sources.opening import open_source
from ingest.writer import StreamWriter
from reid_worker.decode import DecoderState, Frame
from reid_worker.stream_state import StreamInfo
from tests.ingest_tools import spec_of
from tests.worker_tools import number_of, numbered_image
from wire.messages import CameraSpec, FrameChunk

EVERY_FRAME = 240.0
CLOSED = {"g": "10", "bf": "2", "x264-params": "scenecut=0:b-adapt=0:open-gop=0"}


class ChunkList:
    """An outbox that keeps what it is given."""

    def __init__(self) -> None:
        self.chunks: list[FrameChunk] = []

    def put(self, chunk: FrameChunk) -> None:
        """Keep a chunk."""
        self.chunks.append(chunk)

    def deliver(self) -> None:
        """Have nothing to wait for."""

    def send_last(self, chunk: FrameChunk) -> None:
        """Keep a last chunk."""
        self.chunks.append(chunk)

    def waiting(self) -> int:
        """Return 0."""
        return 0

    def close(self) -> None:
        """Have nothing to let go of."""


@dataclass(slots=True)
class Seen:
    """What comes out of a source at the other end; `error` is what ended it."""

    frames: list[Frame] = field(default_factory=list)
    chunks: list[FrameChunk] = field(default_factory=list)
    error: SourceError | None = None

    @property
    def shown(self) -> list[int]:
        """Return the numbers that the pictures show."""
        return [number_of(frame.image) for frame in self.frames]

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the frames."""
        return [frame.number for frame in self.frames]

    @property
    def times_s(self) -> list[float]:
        """Return the presentation times, to the millisecond."""
        return [round(frame.pts_ns / 1e9, 3) for frame in self.frames]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Return width and height of the pictures, each once in a row."""
        sizes = [(frame.image.shape[1], frame.image.shape[0]) for frame in self.frames]
        return [size for i, size in enumerate(sizes) if i == 0 or size != sizes[i - 1]]


def see(url: Path | str, **fields: Any) -> Seen:
    """Read a source as ingest does, and decode it as the worker does."""
    spec = spec_of(url, analysed_fps=EVERY_FRAME, **fields)
    try:
        source = open_source(spec, IngestSettings())
    except SourceError as error:
        return Seen(error=error)
    try:
        return see_source(source, spec)
    finally:
        source.close()


def see_source(source: Source, spec: CameraSpec) -> Seen:
    """Do the same with an open source."""
    seen, outbox = Seen(), ChunkList()
    writer = StreamWriter(spec, outbox, IngestMetrics(CollectorRegistry()), "full")
    writer.begin("s")
    try:
        for packet in source.packets():
            writer.write(packet, packet.pts_ns)
    except SourceError as error:
        seen.error = error
    writer.finish()
    seen.chunks = outbox.chunks
    seen.frames = list(_decoded(seen.chunks))
    return seen


def write_numbered(
    path: Path,
    numbers: Iterable[int],
    encoder: str = "libx264",
    *,
    size: tuple[int, int] = (320, 64),
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    container: str | None = None,
) -> Path:
    """Write a video of ten pictures a second that show these numbers."""
    with av.open(str(path), "w", format=container, container_options=muxing or {}) as opened:
        stream = opened.add_stream(encoder, rate=10, options=CLOSED if options is None else options)
        stream.width, stream.height = size
        stream.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24", "gif": "rgb8"}.get(encoder, "yuv420p")
        for place, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(numbered_image(number, *size), format="bgr24")
            frame.pts = place
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return path


def _decoded(chunks: Iterable[FrameChunk]) -> Iterator[Frame]:
    name, decoder = "", None
    for chunk in chunks:
        if chunk.stream_id != name or decoder is None:
            name, decoder = chunk.stream_id, StreamInfo.of(chunk).decoder(DecoderState(frames=chunk.first_index))
        yield from decoder.decode(chunk)
