"""Every kind of live source against a real server: it connects, is timed rightly, comes back when lost, and stops.

Bad cameras are named, tried again, and read once they are well, and one beside them is read meanwhile. The tables in
docs/cameras.md state this; HLS and USB cameras have tests of their own (`test_ingest_hls.py`, `test_ingest_webcam.py`).
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, make_video, spec_of
from tests.servers.scenes import BAD, GOOD, BadScene, Scene, certify
from wire.messages import FrameChunk

EARLY_NS = 1_000_000_000  # a frame is timed no further after its capture than this
LATE_NS = 10_000_000_000  # it is read no later: the last ones wait until the camera is given up, on a busy machine
SETTINGS: dict[str, Any] = {"backoff_first_s": 0.1, "backoff_max_s": 0.2, "read_timeout_s": 1.2, "connect_timeout_s": 8}
NEED_RTSP = {"nobody answers", "another password"}


def rtsp_marks(name: str) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.rtsp,) if name.startswith("RTSP") or name in NEED_RTSP else ()


@pytest.mark.parametrize("scene", [pytest.param(GOOD[name], id=name, marks=rtsp_marks(name)) for name in GOOD])
def test_a_camera_connects_is_timed_rightly_comes_back_and_stops(
    scene: Scene, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    trusted = certify(tmp_path)
    with ExitStack() as stack:
        url = stack.enter_context(scene(tmp_path, free_port()))
        worker = stack.enter_context(IngestWorker(tls_ca_file=trusted, **SETTINGS))
        shifted_ms = -3_600_000.0
        worker.add(spec_of(url, clock_offset_ms=shifted_ms))
        delays: list[int] = []

        def returned() -> bool:
            seen = len(worker.reader.chunks)
            now_ns = time.time_ns() + round(shifted_ms * 1e6)
            delays.extend(now_ns - chunk.packets[-1].time_ns for chunk in worker.reader.read()[seen:] if chunk.packets)
            return len(worker.streams("door")) >= 2

        wait_until(returned)
        first = next(iter(worker.streams("door").values()))

    assert times_of(first) == sorted(set(times_of(first)))
    assert all(-EARLY_NS < delay < LATE_NS for delay in delays)
    assert first[0].starts_with_keyframe
    assert first[-1].ended
    assert not [thread for thread in threading.enumerate() if thread.name == "camera-door"]


@pytest.mark.parametrize(
    ("scene", "cause"), [pytest.param(*BAD[name], id=name, marks=rtsp_marks(name)) for name in BAD]
)
def test_a_bad_camera_is_named_tried_again_and_read_once_it_is_well(
    scene: BadScene, cause: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    well = threading.Event()
    other = make_video(tmp_path / "other.mp4")
    settings = SETTINGS | {"connect_timeout_s": 1.2}
    with scene(tmp_path, free_port(), well) as url, IngestWorker(**settings) as worker:
        worker.add(spec_of(url))
        worker.add(spec_of(other, "beside", mode="complete"))
        wait_until(lambda: cause in worker.cause("door") and worker.reconnects("door") >= 2)
        wait_until(lambda: worker.reader.ended("beside"))
        assert worker.reader.of("door") == []

        well.set()
        wait_until(lambda: bool(worker.streams("door")))

    assert sum(len(chunk.packets) for chunk in worker.reader.of("beside")) == 30
    assert not [thread for thread in threading.enumerate() if thread.name == "camera-door"]


def times_of(stream: list[FrameChunk]) -> list[int]:
    return [packet.time_ns for chunk in stream for packet in chunk.packets]
