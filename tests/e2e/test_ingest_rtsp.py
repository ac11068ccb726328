"""Cameras over real RTSP: GStreamer's server, our reader."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import av
import pytest

from ingest.state import State
from tests.conftest import need, wait_until
from tests.ingest_tools import IngestWorker, Recipe, make_video, spec_of
from wire.messages import FrameChunk

pytestmark = pytest.mark.rtsp

PYTHON = "/usr/bin/python3"  # the system's, which has GStreamer's bindings
SERVER = Path(__file__).parent / "rtsp_server.py"
PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
VIDEO = Recipe(frames=45, fps=30)  # a second and a half
LONG_VIDEO = Recipe(frames=1800, fps=30)


@pytest.fixture(scope="module", autouse=True)
def _gstreamer() -> None:
    probe = [PYTHON, "-c", PROBE]
    found = Path(PYTHON).exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    need(found=found, what="GStreamer's RTSP server for the system's Python")


class RtspServer:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def url(self, user: str = "") -> str:
        """Return the camera's URL."""
        return f"rtsp://{user}127.0.0.1:{self.port}/camera"


@contextmanager
def serving(video: Path, *options: str) -> Iterator[RtspServer]:
    command = [PYTHON, str(SERVER), str(video), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield RtspServer(process)
        finally:
            process.kill()


@pytest.fixture
def worker() -> Iterator[IngestWorker]:
    with IngestWorker(backoff_first_s=0.1, connect_timeout_s=5, read_timeout_s=2, stall_s=0.5) as made:
        yield made


@pytest.fixture
def long_video(tmp_path: Path) -> Path:
    return make_video(tmp_path / "long.mp4", LONG_VIDEO)


def decoded(chunks: list[FrameChunk]) -> int:
    """Return how many pictures come out of a fresh decoder."""
    decoder = av.CodecContext.create(chunks[0].codec, "r")
    if chunks[0].extradata:
        decoder.extradata = chunks[0].extradata
    frames = [frame for chunk in chunks for packet in chunk.packets for frame in decoder.decode(av.Packet(packet.data))]
    return len(frames) + len(decoder.decode(None))


def test_a_stream_arrives_whole_and_comes_back_when_it_stops(worker: IngestWorker, tmp_path: Path) -> None:
    with serving(make_video(tmp_path / "a.mp4", VIDEO)) as server:
        worker.add(spec_of(server.url()))
        wait_until(lambda: len(worker.streams("door")) >= 2, timeout_s=60)

    first, second = list(worker.streams("door").values())[:2]
    assert decoded(first) == 45
    assert first[-1].reason == "the camera ended the stream"
    assert (first[0].codec, first[0].width, first[0].height) == ("h264", 64, 48)
    assert first[0].starts_with_keyframe
    assert second[0].starts_with_keyframe
    times = [packet.time_ns for chunk in first for packet in chunk.packets]
    assert times == sorted(set(times))


def test_a_server_that_dies_ends_the_stream_and_one_that_returns_starts_another(
    worker: IngestWorker, long_video: Path, free_port: Callable[[], int]
) -> None:
    port = str(free_port())
    with serving(long_video, "--port", port) as server:
        worker.add(spec_of(server.url()))
        wait_until(lambda: bool(worker.streams("door")), timeout_s=30)
    wait_until(lambda: "cannot be reached" in worker.cause("door"), timeout_s=30)
    assert worker.state("door") in {State.BACKING_OFF, State.CONNECTING}
    assert next(iter(worker.streams("door").values()))[-1].ended

    with serving(long_video, "--port", port):
        wait_until(lambda: len(worker.streams("door")) == 2, timeout_s=30)


def test_a_server_that_freezes_is_seen_as_stalled_and_given_up(worker: IngestWorker, long_video: Path) -> None:
    with serving(long_video) as server, ExitStack() as thaw:
        worker.add(spec_of(server.url()))
        wait_until(lambda: bool(worker.streams("door")), timeout_s=30)
        os.kill(server.process.pid, signal.SIGSTOP)
        thaw.callback(os.kill, server.process.pid, signal.SIGCONT)

        wait_until(lambda: worker.state("door") is State.STALLED, timeout_s=30)
        wait_until(lambda: worker.reader.ended("door"), timeout_s=30)

    assert "no data for" in worker.reader.of("door")[-1].reason


def test_the_right_password_lets_us_in_and_a_wrong_one_is_named_as_such(
    worker: IngestWorker, long_video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with serving(long_video, "--user", "viewer", "--password", "s3cret") as server:
        worker.add(spec_of(server.url("viewer:s3cret@"), "right"))
        worker.add(spec_of(server.url("viewer:wr0ng@"), "wrong"))
        worker.add(spec_of(server.url(), "none"))
        wait_until(lambda: bool(worker.streams("right")), timeout_s=30)
        for camera_id in ("wrong", "none"):
            wait_until(lambda name=camera_id: worker.cause(name) == "user or password refused", timeout_s=30)  # type: ignore[misc]

    assert "user or password refused" in caplog.text
    assert "s3cret" not in caplog.text
    assert "wr0ng" not in caplog.text


def test_a_path_that_is_not_served_is_told_apart_from_a_server_that_is_not_there(
    worker: IngestWorker, long_video: Path, free_port: Callable[[], int]
) -> None:
    with serving(long_video) as server:
        worker.add(spec_of(server.url() + "/elsewhere", "path"))
        worker.add(spec_of(f"rtsp://127.0.0.1:{free_port()}/camera", "port"))
        wait_until(lambda: "no such stream" in worker.cause("path"), timeout_s=30)
        wait_until(lambda: "cannot be reached" in worker.cause("port"), timeout_s=30)
