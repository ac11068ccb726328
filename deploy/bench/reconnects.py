"""Lose a camera thousands of times, in every way in which cameras are lost, and watch what is left behind."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from prometheus_client import CollectorRegistry

from deploy.bench.memory import memory_mb
from deploy.errors import RunError
from ingest.camera import Camera
from ingest.config import IngestSettings
from ingest.metrics import IngestMetrics
from ingest.state import CameraJob, State, Surroundings
from wire.bus import FRAMES
from wire.memory import MemoryBus
from wire.messages import CameraSpec

PAUSE_S = 0.001
WARM_UP = 0.2  # of the reconnects: caches and memory pools fill at first
LOOK_S = 0.05
BUS_BYTES = 4 << 20
REQUEST_BYTES = 65536
_HEAD = b"HTTP/1.0 %b\r\nContent-Type: video/mp2t\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Reconnects:
    """What thousands of lost connections leave behind, between the end of the warm-up and the end.

    Attributes:
        reconnects: Connections lost or refused, after as many for warming up as `warm_up` says.
        frames: Frames that arrived.
        per_s: Reconnects per second.
        threads, descriptors: Growth of their numbers.
        rss_mb: Resident memory at the end, MB; `grown_mb` is how much more that is than after the warm-up.
    """

    reconnects: int
    warm_up: int
    frames: int
    per_s: float
    threads: int
    descriptors: int
    rss_mb: float
    grown_mb: float


def measure_reconnects(count: int, url: str | None = None) -> Reconnects:
    """Read a camera until its connection was lost `count` times; by default a web server that fails in turn.

    Raises:
        RunError: No frame arrived.
    """
    with _failing_camera() as own, _reading(url or own) as camera:
        warm_up = round(count * WARM_UP)
        camera.wait_for(warm_up)
        before, began_s, lost = _Holdings.now(), time.monotonic(), camera.reconnects()
        camera.wait_for(count)
        after, took_s = _Holdings.now(), time.monotonic() - began_s
        if not camera.frames():
            raise RunError(f"no frame arrived; the camera's last state: {camera.status()}")
        return Reconnects(
            reconnects=camera.reconnects() - lost,
            warm_up=lost,
            frames=camera.frames(),
            per_s=round((camera.reconnects() - lost) / took_s, 1),
            threads=after.threads - before.threads,
            descriptors=after.descriptors - before.descriptors,
            rss_mb=after.rss_mb,
            grown_mb=round(after.rss_mb - before.rss_mb, 1),
        )


@dataclass(frozen=True, slots=True)
class _Holdings:
    threads: int
    descriptors: int
    rss_mb: float

    @classmethod
    def now(cls) -> "_Holdings":
        return cls(threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), memory_mb())


class _Reader:
    """A camera that reconnects at once, on a bus that is drained."""

    def __init__(self, url: str) -> None:
        self._registry = CollectorRegistry()
        self._bus = MemoryBus(max_bytes=BUS_BYTES)
        self._drained = self._bus.consumer("bench", [FRAMES.name])
        settings = IngestSettings(backoff_first_s=PAUSE_S, backoff_max_s=PAUSE_S)
        spec = CameraSpec(camera_id="bench", site_id="bench", url=url)
        self._camera = Camera(CameraJob(spec, 0), Surroundings(self._bus, settings, IngestMetrics(self._registry)))
        self._camera.start()

    def wait_for(self, count: int) -> None:
        """Wait until so many connections were lost."""
        while self.reconnects() < count and self._camera.status().state is not State.FAILED:
            records = self._drained.poll(1000, LOOK_S)
            self._drained.commit({record.source: record.offset + 1 for record in records})

    def reconnects(self) -> int:
        """Return the number of connections lost or refused."""
        return self._camera.status().reconnects

    def frames(self) -> int:
        """Return the number of frames that arrived."""
        return int(self._registry.get_sample_value("climbtrack_ingest_frames_total", {"camera": "bench"}) or 0)

    def status(self) -> str:
        """Return what the camera is doing, and why."""
        status = self._camera.status()
        return f"{status.state} {status.cause}"

    def close(self) -> None:
        """Stop the camera."""
        self._camera.signal_stop(None)
        self._camera.join()
        self._drained.close()


@contextmanager
def _reading(url: str) -> Iterator[_Reader]:
    reader = _Reader(url)
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def _failing_camera() -> Iterator[str]:
    """Serve a short stream over HTTP, and between two of them one failure of each kind."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/live.ts"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(server: socket.socket) -> None:
    video = _HEAD % b"200 OK" + _short_stream()
    kinds = (
        video,  # twice: it is looked at for JPEG pictures, and then opened
        video,
        _HEAD % b"401 Unauthorized",
        _HEAD % b"404 Not Found",
        b"",
        _HEAD % b"200 OK" + b"no video " * 1000,
        _HEAD % b"200 OK" + b"no video " * 1000,
        video[: len(video) // 2],
        video[: len(video) // 2],
    )
    for answer in cycle(kinds):
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            try:
                client.recv(REQUEST_BYTES)
                client.sendall(answer)
            except OSError:
                continue


def _short_stream() -> bytes:
    sink = BytesIO()
    with av.open(sink, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            image = np.full((48, 64, 3), number * 12, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return sink.getvalue()
