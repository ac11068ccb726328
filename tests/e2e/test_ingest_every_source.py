"""Every kind of live source against a real server: it connects, is timed rightly, comes back when lost, and stops.

The table in docs/cameras.md states this; HLS and USB cameras have tests of their own.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, Recipe, jpeg_of, make_video, spec_of
from tests.servers.redis_server import make_certificates
from tests.servers.rtsp import need_rtsp_server, serving
from tests.servers.transport import frames_of, sending
from wire.messages import FrameChunk

EARLY_NS = 1_000_000_000  # a frame is timed no further after its capture than this
LATE_NS = 10_000_000_000  # it is read no later: the last ones wait until the camera is given up, on a busy machine
SETTINGS: dict[str, Any] = {"backoff_first_s": 0.1, "backoff_max_s": 0.2, "read_timeout_s": 1.2, "connect_timeout_s": 8}
Scene = Callable[[Path, int], AbstractContextManager[str]]


def rtsp(*options: str, suffix: str = "", scheme: str = "rtsp") -> Scene:
    """Return a camera whose stream ends after a second, and that answers again at once."""

    @contextmanager
    def scene(folder: Path, _: int) -> Iterator[str]:
        need_rtsp_server()
        given = [option.format(folder) for option in options]
        with serving(make_video(folder / "a.mp4", Recipe(frames=30, fps=30)), *given) as server:
            yield server.url().replace("rtsp:", f"{scheme}:") + suffix

    return scene


@contextmanager
def transport(_: Path, port: int) -> Iterator[str]:
    """Run a camera that sends for a second, falls silent until it is given up, and sends again."""
    stop = threading.Event()
    frames = frames_of(10)

    def send() -> None:
        while not stop.is_set():
            with sending(("127.0.0.1", port), frames):
                stop.wait(1.2)
            stop.wait(2.0)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield f"udp://@:{port}"
    finally:
        stop.set()
        thread.join()


@contextmanager
def motion_jpeg(_: Path, port: int) -> Iterator[str]:
    """Run a camera that sends a second of JPEG pictures to everybody who asks."""

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for number in range(20):
                data = jpeg_of(number)
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + data + b"\r\n")
                stop.wait(0.05)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            """Say nothing."""

    stop = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", port), Camera)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/video.mjpg"
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(rtsp(), id="RTSP over TCP", marks=pytest.mark.rtsp),
        pytest.param(rtsp(suffix="#transport=udp"), id="RTSP over UDP", marks=pytest.mark.rtsp),
        pytest.param(rtsp("--transport", "udp"), id="RTSP that refuses TCP", marks=pytest.mark.rtsp),
        pytest.param(rtsp("--tls", "{}/both.pem", scheme="rtsps"), id="RTSPS", marks=pytest.mark.rtsp),
        pytest.param(transport, id="a transport stream over UDP"),
        pytest.param(motion_jpeg, id="motion JPEG over HTTP"),
    ],
)
def test_a_camera_connects_is_timed_rightly_comes_back_and_stops(
    scene: Scene, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    make_certificates(tmp_path / "tls")
    (tmp_path / "both.pem").write_text(
        (tmp_path / "tls/server.pem").read_text() + (tmp_path / "tls/server.key").read_text()
    )
    with ExitStack() as stack:
        url = stack.enter_context(scene(tmp_path, free_port()))
        worker = stack.enter_context(IngestWorker(tls_ca_file=tmp_path / "tls/ca.pem", **SETTINGS))
        shifted_ms = -3_600_000.0
        worker.add(spec_of(url, clock_offset_ms=shifted_ms))
        delays: list[int] = []

        def returned() -> bool:
            seen = len(worker.reader.chunks)
            now_ns = time.time_ns() + round(shifted_ms * 1e6)
            delays.extend(now_ns - chunk.packets[-1].time_ns for chunk in worker.reader.read()[seen:] if chunk.packets)
            return len(worker.streams("door")) >= 2

        wait_until(returned, timeout_s=30)
        first = next(iter(worker.streams("door").values()))

    assert times_of(first) == sorted(set(times_of(first)))
    assert all(-EARLY_NS < delay < LATE_NS for delay in delays)
    assert first[0].starts_with_keyframe
    assert first[-1].ended
    assert not [thread for thread in threading.enumerate() if thread.name == "camera-door"]


def times_of(stream: list[FrameChunk]) -> list[int]:
    return [packet.time_ns for chunk in stream for packet in chunk.packets]
