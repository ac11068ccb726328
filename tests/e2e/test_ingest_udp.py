"""Transport streams over real UDP: damaged on the way, changed in the middle, without keyframes, or not there."""

from collections.abc import Callable, Iterator

import av
import pytest

from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, spec_of
from tests.servers.transport import Damage, flipping, frames_of, losing, sending, swapping
from wire.messages import FrameChunk

LONG = frames_of(30)
LOSSY = losing(0.03)


@pytest.fixture
def worker() -> Iterator[IngestWorker]:
    with IngestWorker(backoff_first_s=0.1, connect_timeout_s=8, read_timeout_s=2) as made:
        yield made


def frames(worker: IngestWorker) -> int:
    return sum(len(chunk.packets) for chunk in worker.reader.of("door"))


def damaged(worker: IngestWorker) -> float | None:
    return worker.registry.get_sample_value("climbtrack_ingest_damaged_frames_total", {"camera": "door"})


def decoded(chunks: list[FrameChunk]) -> int:
    decoder = av.CodecContext.create("h264", "r")
    found = 0
    for packet in [packet for chunk in chunks for packet in chunk.packets]:
        try:
            found += len(decoder.decode(av.Packet(packet.data)))
        except av.FFmpegError:
            continue
    return found


def test_a_multicast_group_is_joined(worker: IngestWorker, free_port: Callable[[], int]) -> None:
    port = free_port()
    with sending(("239.255.7.1", port), LONG):
        worker.add(spec_of(f"udp://@239.255.7.1:{port}?localaddr=127.0.0.1"))
        wait_until(lambda: frames(worker) >= 20)

    (stream,) = worker.streams("door").values()
    assert (stream[0].codec, stream[0].width, stream[0].height) == ("h264", 320, 240)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(LOSSY, id="datagrams are lost"),
        pytest.param(swapping, id="datagrams arrive in another order"),
        pytest.param(flipping(0.1), id="bytes are changed"),
    ],
)
def test_a_stream_goes_on_where(damage: Damage, worker: IngestWorker, free_port: Callable[[], int]) -> None:
    port = free_port()
    with sending(("127.0.0.1", port), LONG, damage):
        worker.add(spec_of(f"udp://@:{port}"))
        wait_until(lambda: frames(worker) >= 40)

    for stream in worker.streams("door").values():
        times = [packet.time_ns for chunk in stream for packet in chunk.packets]
        assert times == sorted(times)
    assert (damaged(worker) or 0) > 0 or damage is not LOSSY
    assert decoded([chunk for stream in worker.streams("door").values() for chunk in stream])


def test_a_change_of_resolution_starts_another_stream(worker: IngestWorker, free_port: Callable[[], int]) -> None:
    port = free_port()
    with sending(("127.0.0.1", port), [*frames_of(2), *frames_of(10, size=(160, 120), first=60)]):
        worker.add(spec_of(f"udp://@:{port}"))
        wait_until(lambda: len(worker.streams("door")) == 2)

    first, second = worker.streams("door").values()
    assert (first[0].width, second[0].width) == (320, 160)
    assert second[0].starts_with_keyframe
    assert first[-1].reason == "the picture format changed"


def test_nothing_at_the_port_is_named_with_what_to_check(free_port: Callable[[], int]) -> None:
    with IngestWorker(backoff_first_s=0.1, connect_timeout_s=0.5) as worker:
        worker.add(spec_of(f"udp://@:{free_port()}"))
        wait_until(lambda: "nothing that can be read arrives at this port" in worker.cause("door"))


def test_a_stream_without_keyframes_is_counted_and_not_sent(free_port: Callable[[], int]) -> None:
    port = free_port()
    with sending(("127.0.0.1", port), frames_of(30, keyframes=False)), IngestWorker(connect_timeout_s=1) as worker:
        worker.add(spec_of(f"udp://@:{port}"))
        wait_until(lambda: (held_back(worker) or 0) > 10)

        assert frames(worker) == 0


def held_back(worker: IngestWorker) -> float | None:
    labels = {"camera": "door", "reason": "no_keyframe"}
    return worker.registry.get_sample_value("climbtrack_ingest_dropped_frames_total", labels)
