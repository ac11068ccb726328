"""What the tests of ingest share: small videos made on the spot, sources that do as told, and a reader of chunks."""

import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from ingest.config import IngestSettings
from ingest.errors import SourceError
from ingest.handler import build_service
from ingest.metrics import IngestMetrics
from ingest.source import Opener, Source, SourcePacket, VideoFormat
from ingest.state import CameraStatus, State, Surroundings
from wire import codec
from wire.bus import CAMERAS, Bus
from wire.health import ServiceMonitor
from wire.memory import MemoryBus
from wire.messages import CameraSpec, FrameChunk
from wire.metrics import ServiceMetrics

H264 = VideoFormat("h264", 64, 48, b"")
FRAME_NS = 100_000_000
QUIET_X265 = {"x265-params": "log-level=none:keyint=10"}


def picture(number: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """Return a BGR picture that differs from those of other numbers."""
    image = np.full((height, width, 3), number * 7 % 256, np.uint8)
    image[:, number % width] = 255
    return image


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a video is made; `container` None follows the file's suffix."""

    encoder: str = "libx264"
    frames: int = 30
    width: int = 64
    height: int = 48
    fps: int = 10
    container: str | None = None
    options: dict[str, str] = field(default_factory=lambda: {"g": "10", "bf": "0", "x264-params": "scenecut=0"})


def make_video(path: Path, recipe: Recipe = Recipe()) -> Path:
    """Write a video."""
    muxing = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", format=recipe.container, container_options=muxing) as container:
        stream = container.add_stream(recipe.encoder, rate=recipe.fps, options=dict(recipe.options))
        stream.width, stream.height = recipe.width, recipe.height
        stream.pix_fmt = "yuvj420p" if recipe.encoder == "mjpeg" else "yuv420p"
        for number in range(recipe.frames):
            image = picture(number, recipe.width, recipe.height)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def jpeg_of(number: int, width: int = 64, height: int = 48) -> bytes:
    """Return a picture as JPEG."""
    return bytes(cv2.imencode(".jpg", picture(number, width, height))[1])


def spec_of(url: str | Path, camera_id: str = "door", **fields: Any) -> CameraSpec:
    """Return a camera of site `site`."""
    return CameraSpec(camera_id=camera_id, site_id="site", url=str(url), **fields)


class FakeClock:
    """Time that passes only in `wait`, which returns at once; `pauses` are the seconds waited for."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.pauses: list[float] = []
        self.on_wait: Callable[[], None] = lambda: None

    def now_ns(self) -> int:
        """Return ns."""
        return round(self.seconds * 1e9)

    def monotonic_s(self) -> float:
        """Return seconds."""
        return self.seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let time pass."""
        self.on_wait()
        if event.is_set():
            return True
        self.pauses.append(seconds)
        self.seconds += seconds
        return event.is_set()


@dataclass
class FakeSource:
    """Yields its packets, lets time pass as they say, and then fails or ends."""

    given: Sequence[SourcePacket]
    finite: bool = True
    error: SourceError | None = None
    clock: FakeClock | None = None
    before_end: Callable[[], object] = lambda: None
    frame_ns: int = FRAME_NS
    burst_ns: int = 0
    closed: bool = False

    def packets(self) -> Iterator[SourcePacket]:
        """Yield what was given."""
        for packet in self.given:
            if self.clock is not None:
                self.clock.seconds += self.frame_ns / 1e9
            yield packet
        self.before_end()
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def packets(count: int, *, every: int = 10, look: VideoFormat = H264, size: int = 100) -> list[SourcePacket]:
    """Return packets at 10 fps, each `every`th a keyframe."""
    return [
        SourcePacket(number * FRAME_NS, keyframe=number % every == 0, data=bytes([number % 256]) * size, format=look)
        for number in range(count)
    ]


def opens(*results: Source | SourceError) -> Opener:
    """Return an opener that gives these, one after the other."""
    left = list(results)

    def opener(spec: CameraSpec, settings: IngestSettings) -> Source:
        result = left.pop(0)
        if isinstance(result, SourceError):
            raise result
        return result

    return opener


def around(bus: Bus, clock: FakeClock, opener: Opener, registry: CollectorRegistry | None = None) -> Surroundings:
    """Return surroundings without chance."""
    metrics = IngestMetrics(registry or CollectorRegistry())
    return Surroundings(bus, IngestSettings(), metrics, clock, opener, jitter=lambda ceiling: ceiling)


class ChunkReader:
    """Reads everything on `frames`, as the group of workers."""

    def __init__(self, bus: Bus, group: str = "reid_worker") -> None:
        self._consumer = bus.consumer(group, ["frames"])
        self._closed = False
        self.chunks: list[FrameChunk] = []

    def close(self) -> None:
        """Leave the group; what was read stays."""
        self._closed = True
        self._consumer.close()

    def read(self) -> list[FrameChunk]:
        """Return all chunks so far, of all cameras."""
        while not self._closed and (records := self._consumer.poll(1000, 0.05)):
            for record in records:
                assert record.value is not None
                chunk = codec.decode(record.value)
                assert isinstance(chunk, FrameChunk)
                self.chunks.append(chunk)
            self._consumer.commit({record.source: record.offset + 1 for record in records})
        return self.chunks

    def of(self, camera_id: str) -> list[FrameChunk]:
        """Return one camera's chunks so far."""
        return [chunk for chunk in self.read() if chunk.camera_id == camera_id]

    def ended(self, camera_id: str) -> bool:
        """Tell whether the camera's last stream is over."""
        chunks = self.of(camera_id)
        return bool(chunks) and chunks[-1].ended


def data_of(chunks: Sequence[FrameChunk]) -> list[bytes]:
    """Return the bytes of every packet, in order."""
    return [packet.data for chunk in chunks for packet in chunk.packets]


class IngestWorker:
    """An ingest service on a memory bus, in a thread of its own."""

    def __init__(self, bus: Bus | None = None, **settings: Any) -> None:
        self.bus: Bus = bus or MemoryBus()
        self._producer = self.bus.producer()
        self.registry = CollectorRegistry()
        metrics = ServiceMetrics(self.registry)
        monitor = ServiceMonitor("ingest", metrics)
        self.service = build_service(IngestSettings(**settings), self.bus, metrics, self.registry, monitor=monitor)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.service.run, args=(self._stop,))
        self._causes: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Stop, and return when it has."""
        self._stop.set()
        self._thread.join()
        self._producer.close()

    def add(self, spec: CameraSpec) -> None:
        """Let a camera run."""
        self._producer.send(CAMERAS.name, spec.camera_id, codec.encode(spec))
        self._producer.flush(30)

    @cached_property
    def reader(self) -> ChunkReader:
        """Return the one reader of its bus; another worker's would share the chunks with it."""
        return ChunkReader(self.bus)

    @property
    def cameras(self) -> frozenset[str]:
        """Return the cameras it has."""
        return self.service.supervisor.ids()

    def state(self, camera_id: str) -> State | None:
        """Return what a camera is doing; None before it is known."""
        return next((status.state for status in self._statuses() if status.camera_id == camera_id), None)

    def cause(self, camera_id: str) -> str:
        """Return why a camera last left its way."""
        for status in self._statuses():
            if status.cause:
                self._causes[status.camera_id] = status.cause
        return self._causes.get(camera_id, "")

    def reconnects(self, camera_id: str) -> int:
        """Return how often a camera's connection was lost or refused."""
        return sum(status.reconnects for status in self._statuses() if status.camera_id == camera_id)

    def streams(self, camera_id: str) -> dict[str, list[FrameChunk]]:
        """Return a camera's chunks so far, by stream."""
        found: dict[str, list[FrameChunk]] = {}
        for chunk in self.reader.of(camera_id):
            found.setdefault(chunk.stream_id, []).append(chunk)
        return found

    def _statuses(self) -> tuple[CameraStatus, ...]:
        return self.service.supervisor.statuses()


def is_shared_out(everything: AbstractSet[str], one: AbstractSet[str], other: AbstractSet[str]) -> bool:
    """Tell whether each of two workers has some cameras, and exactly one has each; the first to join had all."""
    return bool(one and other) and not one & other and one | other == everything
