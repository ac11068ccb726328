"""Live HLS over real HTTP: joined at its newest segment, followed as it grows, over when the playlist says so."""

import time
from pathlib import Path

import av

from ingest.state import State
from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, spec_of
from tests.servers.live_hls import BEFORE, FPS, broadcasting
from wire.messages import FrameChunk


def pictures(chunks: list[FrameChunk]) -> int:
    return sum(len(chunk.packets) for chunk in chunks)


def test_a_playlist_that_grows_is_joined_at_its_end_and_followed(tmp_path: Path) -> None:
    with broadcasting(tmp_path) as (_, url), IngestWorker(stall_s=0.2) as worker:
        worker.add(spec_of(url))
        states = set()

        def followed() -> bool:
            states.add(worker.state("door"))
            return pictures(worker.reader.of("door")) >= 3 * FPS

        wait_until(followed)
        now_ns = time.time_ns()
        (stream,) = worker.streams("door").values()

    assert State.STALLED not in states, "a pause between segments is no fault"
    times = [packet.time_ns for chunk in stream for packet in chunk.packets]
    assert times == sorted(set(times))
    assert 0 < now_ns - times[-1] < 5e9
    seen = _first_picture_number(tmp_path, stream)
    assert seen >= (BEFORE - 2) * FPS, "not the recording from its beginning"


def test_a_playlist_that_ends_is_over_until_it_grows_again_and_its_recording_is_not_read(tmp_path: Path) -> None:
    with broadcasting(tmp_path) as (camera, url), IngestWorker(backoff_first_s=0.1, backoff_max_s=0.2) as worker:
        worker.add(spec_of(url))
        wait_until(lambda: pictures(worker.reader.of("door")) > FPS)
        camera.end()
        wait_until(lambda: "only its recording is left" in worker.cause("door"))
        (stream,) = worker.streams("door").values()
        camera.resume()
        wait_until(lambda: len(worker.streams("door")) == 2)

    assert stream[-1].ended
    assert stream[-1].reason.startswith("the camera ended the stream; ")


def _first_picture_number(folder: Path, stream: list[FrameChunk]) -> int:
    first = stream[0].packets[0].data
    with av.open(str(folder / "all.m3u8")) as container:
        every = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    return every.index(first)
