"""Live cameras of one worker that cannot analyse all of them: equal cameras get equal shares."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from threading import Lock

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from reid_worker.detectors.detection import Detections
from reid_worker.handler import Clocks, HandlerOptions, WorkerHandler
from reid_worker.networks import Networks
from reid_worker.pace import PaceOptions
from reid_worker.pipeline import Pipeline
from reid_worker.stream import StreamOptions
from tests.worker_tools import START_NS, FakeEmbedder, Video, numbered_image, packets, reporting
from wire import codec
from wire.bus import FRAMES
from wire.memory import MemoryBus
from wire.messages import CameraProgress, FrameChunk
from wire.service import Outgoing, Received

FPS = 10
SECONDS = 30
CHUNK_FRAMES = 2  # as ingest fills them for live cameras
SETTLED_S = 10.0


class Clock:
    """A time that only the test's work takes."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._lock = Lock()

    def advance(self, seconds: float) -> None:
        """Let time pass; the detector's thread and the worker's would lose some of each other's without a lock."""
        with self._lock:
            self.now_s += seconds

    def ns(self) -> int:
        """Return the time since the Unix epoch."""
        return START_NS + round(self.now_s * 1e9)


class SlowDetector:
    """Sees nobody, and takes its time for every frame."""

    name = "slow"

    def __init__(self, clock: Clock, cost_s: float) -> None:
        self._clock = clock
        self._cost_s = cost_s

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return no boxes."""
        self._clock.advance(self._cost_s * len(frames))
        return [Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) for _ in frames]


class Site:
    """Live cameras, a bus, and a worker that needs `cost_s` to look at a frame and `overhead_s` for a round."""

    def __init__(self, names: Sequence[str], *, cost_s: float, overhead_s: float = 0.01) -> None:
        self.clock = Clock()
        self.bus = MemoryBus()
        self.overhead_s = overhead_s
        load, metrics, report = reporting(CollectorRegistry())
        pipeline = Pipeline(
            SlowDetector(self.clock, cost_s), Networks(FakeEmbedder()), load, metrics, threads=1, embed_batch=2
        )
        options = HandlerOptions(StreamOptions(), 10_000_000_000, PaceOptions())
        clocks = Clocks(self.clock.ns, lambda: self.clock.now_s)
        self.handler = WorkerHandler(pipeline, self.bus, options, report, clocks=clocks)
        self.analysed: dict[str, list[tuple[float, int]]] = {name: [] for name in names}
        self.latest: dict[str, int] = {}

    def run(self, sent: Iterator[tuple[float, FrameChunk]]) -> None:
        """Publish each chunk when its time has come, and let the worker work in between."""
        consumer = self.bus.consumer("worker", [FRAMES.name], on_assigned=self.handler.assigned)
        consumer.poll(1, 0.0)
        producer = self.bus.producer()
        times: dict[tuple[int, int], int] = {}
        ends: dict[int, Iterator[int]] = {}
        due = next(sent, None)
        while due is not None:
            while due is not None and due[0] <= self.clock.now_s:
                part = self.bus.topic(FRAMES.name).partition_of(due[1].camera_id)
                times[part, next(ends.setdefault(part, count()))] = START_NS + round(due[0] * 1e9)
                producer.send(FRAMES.name, due[1].camera_id, codec.encode(due[1]))
                due = next(sent, None)
            records = consumer.poll(self.handler.wanted(), 0.0)
            batch = [
                Received(replace(one, time_ns=times[one.partition, one.offset]), codec.decode(one.value or b""))
                for one in records
            ]
            for said in self.handler.handle(batch):
                if isinstance(said, Outgoing) and isinstance(said.message, CameraProgress):
                    self._heard(said.message)
            self.handler.flushed()
            self.clock.advance(self.overhead_s)
        consumer.close()

    def shares(self) -> dict[str, float]:
        """Return what share of its frames each camera was analysed at, once the rate had settled."""
        shares = {}
        for name, said in self.analysed.items():
            since = [analysed for at_s, analysed in said if at_s >= SETTLED_S]
            shares[name] = (since[-1] - since[0]) / (FPS * (SECONDS - SETTLED_S))
        return shares

    def _heard(self, progress: CameraProgress) -> None:
        self.analysed[progress.camera_id].append((self.clock.now_s, progress.analysed))


@pytest.fixture(scope="module")
def video() -> Video:
    return packets([numbered_image(n) for n in range(1, FPS * SECONDS + 1)], fps=FPS, codec="mjpeg")


def names_that_share(cameras: int, partitions: int) -> list[str]:
    """Return the names of so many cameras whose chunks go to so few partitions."""
    topic = MemoryBus().topic(FRAMES.name)
    names = (f"camera-{n}" for n in count())
    parts: dict[int, None] = {}
    found: list[str] = []
    while len(found) < cameras:
        name = next(names)
        part = topic.partition_of(name)
        if part not in parts and len(parts) < partitions:
            parts[part] = None
            found.append(name)
        elif part in parts and len(parts) == partitions:
            found.append(name)
    return found


def sent(
    video: Video, names: Sequence[str], *, late_s: dict[str, float] | None = None
) -> Iterator[tuple[float, FrameChunk]]:
    """Return the chunks of cameras that begin one after the other, and when each is sent; some come late at first."""
    chunks = []
    for number, name in enumerate(names):
        phase_s = number * CHUNK_FRAMES / FPS / len(names)
        for seq in range(len(video.packets) // CHUNK_FRAMES):
            first = seq * CHUNK_FRAMES
            group = video.packets[first : first + CHUNK_FRAMES]
            chunk = video.chunk(group, first, seq=seq, camera=name, stream="s", mode="latency")
            at_s = phase_s + (first + CHUNK_FRAMES) / FPS
            chunks.append((max(at_s, (late_s or {}).get(name, 0.0)), chunk))
    return iter(sorted(chunks, key=lambda one: one[0]))


@pytest.mark.parametrize("cameras", [4, 12, 24])
@pytest.mark.parametrize("overload", [1.5, 3.0])
def test_cameras_that_are_too_many_are_analysed_alike_also_where_some_share_a_partition(
    cameras: int, overload: float, video: Video
) -> None:
    names = names_that_share(cameras, cameras - 2)
    site = Site(names, cost_s=overload / (FPS * cameras))

    site.run(sent(video, names))

    shares = site.shares()
    assert min(shares.values()) > 0.5 / overload
    assert max(shares.values()) / min(shares.values()) < 1.15, shares


def test_a_camera_that_came_late_catches_up_with_the_others(video: Video) -> None:
    names = [f"camera-{n}" for n in range(12)]
    site = Site(names, cost_s=2.0 / (FPS * len(names)))

    site.run(sent(video, names, late_s={names[3]: 5.0, names[7]: 2.5}))

    shares = site.shares()
    assert max(shares.values()) / min(shares.values()) < 1.15, shares
