"""A camera stops within two seconds whatever it is doing: `join` waits no longer, and no thread is left behind."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ingest.camera import Camera
from ingest.config import IngestSettings
from ingest.metrics import IngestMetrics
from ingest.state import CameraJob, State, Surroundings
from ingest.supervisor import Supervisor
from tests.conftest import wait_until
from tests.ingest_tools import FakeSource, Recipe, make_video, opens, packets, spec_of
from tests.servers.rtsp import need_rtsp_server, serving
from tests.servers.transport import frames_of, sending
from wire.memory import MemoryBus


@dataclass
class Scene:
    """What a test arranges around its camera; `closing` clears it away."""

    folder: Path
    port: int
    closing: ExitStack
    settings: dict[str, float] = field(default_factory=dict)

    def silent(self) -> int:
        """Return the port of a server that accepts and says nothing."""
        server = self.closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        return int(server.getsockname()[1])


def silent(scheme: str, scene: Scene) -> tuple[str, Callable[[Camera], bool]]:
    port = scene.silent()
    return f"{scheme}://127.0.0.1:{port}/x", lambda camera: camera.status().state is State.CONNECTING


def nobody_sends(scene: Scene) -> tuple[str, Callable[[Camera], bool]]:
    return f"udp://@:{scene.port}", lambda camera: camera.status().state is State.CONNECTING


def back_off(scene: Scene) -> tuple[str, Callable[[Camera], bool]]:
    scene.settings["backoff_first_s"] = 60
    return f"rtsp://127.0.0.1:{scene.port}/x", lambda camera: camera.status().state is State.BACKING_OFF


def no_keyframe(scene: Scene) -> tuple[str, Callable[[Camera], bool]]:
    scene.closing.enter_context(sending(("127.0.0.1", scene.port), frames_of(30, keyframes=False)))
    return f"udp://@:{scene.port}", lambda camera: camera.status().state is State.CONNECTING


def frozen(scene: Scene) -> tuple[str, Callable[[Camera], bool]]:
    need_rtsp_server()
    scene.settings["stall_s"] = 0.3
    video = make_video(scene.folder / "a.mp4", Recipe(frames=900, fps=30))
    server = scene.closing.enter_context(serving(video))
    scene.closing.callback(os.kill, server.process.pid, signal.SIGCONT)

    def stalled(camera: Camera) -> bool:
        if camera.status().state is State.LIVE:
            os.kill(server.process.pid, signal.SIGSTOP)
        return camera.status().state is State.STALLED

    return server.url(), stalled


@pytest.fixture
def scene(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Scene]:
    with ExitStack() as closing:
        yield Scene(tmp_path, free_port(), closing)


@pytest.mark.parametrize(
    "arrange",
    [
        pytest.param(partial(silent, "rtsp"), id="an RTSP server that accepts and says nothing"),
        pytest.param(partial(silent, "rtsps"), id="one with TLS that does"),
        pytest.param(partial(silent, "http"), id="a web server that does"),
        pytest.param(nobody_sends, id="a port that nobody sends to"),
        pytest.param(no_keyframe, id="a stream without keyframes"),
        pytest.param(back_off, id="a pause of a minute before the next attempt"),
        pytest.param(frozen, id="a camera that froze", marks=pytest.mark.rtsp),
    ],
)
def test_a_camera_stops_at(arrange: Callable[[Scene], tuple[str, Callable[[Camera], bool]]], scene: Scene) -> None:
    url, there = arrange(scene)
    settings = IngestSettings(connect_timeout_s=120, read_timeout_s=120, **scene.settings)  # type: ignore[arg-type]
    camera = Camera(CameraJob(spec_of(url), 0), Surroundings(MemoryBus(), settings, IngestMetrics(CollectorRegistry())))
    camera.start()
    wait_until(lambda: there(camera))

    camera.signal_stop("the camera was removed")
    camera.join()

    assert camera.status().state is State.STOPPED
    assert camera_threads() == []


class BlockedBus(MemoryBus):
    """A bus that takes nothing and answers nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Semaphore(0)
        self.released = threading.Event()

    def producer(self) -> "BlockedProducer":  # type: ignore[override]
        return BlockedProducer(self)


class BlockedProducer:
    def __init__(self, bus: BlockedBus) -> None:
        self._bus = bus

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        self._bus.reached.release()
        self._bus.released.wait()

    def flush(self, timeout_s: float) -> None:
        self._bus.released.wait()

    def close(self) -> None:
        """Have nothing to let go of."""


def test_many_cameras_stop_together_though_the_bus_blocks_them_all() -> None:
    bus = BlockedBus()
    names = [f"door{number}" for number in range(8)]
    opener = opens(*(FakeSource(packets(30)) for _ in names))
    supervisor = Supervisor(Surroundings(bus, IngestSettings(), IngestMetrics(CollectorRegistry()), opener=opener))
    for name in names:
        supervisor.apply(CameraJob(spec_of("a.mp4", name), 0))
    for _ in names:
        bus.reached.acquire()

    supervisor.stop(names, "the cameras were removed")

    assert len(camera_threads()) == len(names), "stop returned before the bus did"
    bus.released.set()
    wait_until(lambda: camera_threads() == [])
    assert supervisor.ids() == frozenset()


def camera_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("camera-door")]
