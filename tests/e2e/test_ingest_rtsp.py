"""Cameras over real RTSP: GStreamer's server, our reader."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ingest.state import State
from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, Recipe, make_video, spec_of
from tests.servers.redis_server import make_certificates
from tests.servers.rtsp import ClockProxy, need_rtsp_server, serving
from wire.messages import FrameChunk

pytestmark = pytest.mark.rtsp

VIDEO = Recipe(frames=45, fps=30)  # a second and a half
LONG_VIDEO = Recipe(frames=1800, fps=30)


@pytest.fixture(scope="module", autouse=True)
def _gstreamer() -> None:
    need_rtsp_server()


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
        wait_until(lambda: len(worker.streams("door")) >= 2)

    first, second = list(worker.streams("door").values())[:2]
    assert decoded(first) == 45
    assert first[-1].reason.startswith("the camera ended the stream; ")
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
        wait_until(lambda: bool(worker.streams("door")))
    wait_until(lambda: "cannot be reached" in worker.cause("door"))
    assert worker.state("door") in {State.BACKING_OFF, State.CONNECTING}
    assert next(iter(worker.streams("door").values()))[-1].ended

    with serving(long_video, "--port", port):
        wait_until(lambda: len(worker.streams("door")) == 2)


def test_a_server_that_freezes_is_seen_as_stalled_and_given_up(worker: IngestWorker, long_video: Path) -> None:
    with serving(long_video) as server, ExitStack() as thaw:
        worker.add(spec_of(server.url()))
        wait_until(lambda: bool(worker.streams("door")))
        os.kill(server.process.pid, signal.SIGSTOP)
        thaw.callback(os.kill, server.process.pid, signal.SIGCONT)

        wait_until(lambda: worker.state("door") is State.STALLED)
        wait_until(lambda: worker.reader.ended("door"))

    assert "no data for" in worker.reader.of("door")[-1].reason


def test_the_right_password_lets_us_in_and_a_wrong_one_is_named_as_such(
    worker: IngestWorker, long_video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with serving(long_video, "--user", "viewer", "--password", "s3cret") as server:
        worker.add(spec_of(server.url("viewer:s3cret@"), "right"))
        worker.add(spec_of(server.url("viewer:wr0ng@"), "wrong"))
        worker.add(spec_of(server.url(), "none"))
        wait_until(lambda: bool(worker.streams("right")))
        for camera_id in ("wrong", "none"):
            wait_until(lambda name=camera_id: worker.cause(name).startswith("user or password refused; "))  # type: ignore[misc]

    assert "user or password refused" in caplog.text
    assert "s3cret" not in caplog.text
    assert "wr0ng" not in caplog.text


def test_a_path_that_is_not_served_is_told_apart_from_a_server_that_is_not_there(
    worker: IngestWorker, long_video: Path, free_port: Callable[[], int]
) -> None:
    with serving(long_video) as server:
        worker.add(spec_of(server.url() + "/elsewhere", "path"))
        worker.add(spec_of(f"rtsp://127.0.0.1:{free_port()}/camera", "port"))
        wait_until(lambda: "no such stream" in worker.cause("path"))
        wait_until(lambda: "cannot be reached" in worker.cause("port"))


def test_over_udp_a_stream_arrives_whole_and_a_camera_without_tcp_is_named(
    worker: IngestWorker, tmp_path: Path
) -> None:
    with serving(make_video(tmp_path / "a.mp4", VIDEO), "--transport", "udp") as server:
        worker.add(spec_of(server.url() + "#transport=udp", "asked"))
        worker.add(spec_of(server.url() + "#transport=tcp", "refused"))
        wait_until(lambda: worker.reader.ended("asked"))
        wait_until(lambda: "remove #transport=" in worker.cause("refused"))

    chunks = next(iter(worker.streams("asked").values()))
    times_s = np.array([packet.pts_ns for chunk in chunks for packet in chunk.packets]) / 1e9
    assert decoded(chunks) == len(times_s)
    assert len(times_s) in {44, 45}  # the last one may go with the end of the stream
    assert np.diff(times_s).max() < 1.5 / VIDEO.fps


def test_packets_lost_on_the_way_cost_pictures_and_not_the_stream(worker: IngestWorker, long_video: Path) -> None:
    with serving(long_video, "--transport", "udp", "--loss", "0.05") as server:
        worker.add(spec_of(server.url()))
        wait_until(lambda: sum(len(chunk.packets) for chunk in worker.reader.of("door")) >= 60)
        (stream,) = worker.streams("door").values()

    times = [packet.time_ns for chunk in stream for packet in chunk.packets]
    assert times == sorted(set(times))
    assert decoded(stream) > 30


def test_a_camera_of_which_nothing_arrives_over_udp_is_named_with_the_remedy(long_video: Path) -> None:
    with (
        serving(long_video, "--loss", "1") as server,
        IngestWorker(connect_timeout_s=0.5, read_timeout_s=0.5) as worker,
    ):
        worker.add(spec_of(server.url() + "#transport=udp"))
        wait_until(lambda: "a firewall may block UDP" in worker.cause("door"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rtsps") / "certificates"
    make_certificates(folder)
    for name in ("server", "other"):
        (folder / f"{name}-both.pem").write_text(
            (folder / f"{name}.pem").read_text() + (folder / f"{name}.key").read_text()
        )
    return folder


@pytest.mark.parametrize(
    ("certificate", "settings", "refusal"),
    [
        pytest.param("other", {"tls_verify": False}, "", id="anyone's, if nothing is checked"),
        pytest.param("server", {}, "as a PEM file for ingest.tls_ca_file", id="signed by an unknown authority"),
        pytest.param("other", {"tls_ca_file": "ca.pem"}, "with the name in the certificate", id="of another host"),
    ],
)
def test_a_camera_with_tls_must_show_a_certificate_that_is_trusted(
    certificate: str, settings: dict[str, Any], refusal: str, certificates: Path, long_video: Path
) -> None:
    given = {key: certificates / value if key == "tls_ca_file" else value for key, value in settings.items()}
    with (
        serving(long_video, "--tls", str(certificates / f"{certificate}-both.pem")) as server,
        IngestWorker(backoff_first_s=0.1, connect_timeout_s=5, **given) as worker,
    ):
        worker.add(spec_of(server.url().replace("rtsp:", "rtsps:")))
        wait_until(lambda: bool(worker.cause("door") or worker.streams("door")))

        assert refusal in worker.cause("door")
        assert bool(worker.streams("door")) is not bool(refusal)


def offset_s(worker: IngestWorker) -> float | None:
    return worker.registry.get_sample_value("climbtrack_camera_clock_offset_seconds", {"camera": "door"})


def test_a_camera_whose_clock_is_wrong_or_jumps_is_timed_by_arrival_and_named(
    worker: IngestWorker, long_video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(long_video) as server, ExitStack() as closing:
        proxy = ClockProxy(server.port, 0)
        closing.callback(proxy.close)
        began_ns = time.time_ns()
        worker.add(spec_of(proxy.url))
        wait_until(lambda: abs(offset_s(worker) or 1.0) < 0.5)
        proxy.ahead_s = 3600
        wait_until(lambda: (offset_s(worker) or 0.0) > 3000)
        seen = len(worker.reader.of("door"))
        wait_until(lambda: len(worker.reader.of("door")) > seen + 2)
        ended_ns = time.time_ns()
        (stream,) = worker.streams("door").values()

    times = [packet.time_ns for chunk in stream for packet in chunk.packets]
    assert times == sorted(set(times))
    assert began_ns - 5e9 < times[0] < times[-1] < ended_ns
    assert "camera door: its clock was set 3600.0 s forward" in caplog.text
    assert "its clock is 3600.0 s ahead of this machine's" in caplog.text
