"""The motion gate: where nobody is in sight and nothing moves, the detector does not look; else it does, as ever."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from reid_worker.decode import Frame
from reid_worker.motion import STEP, MotionGate
from reid_worker.networks import Networks
from reid_worker.pipeline import Pipeline, Work
from reid_worker.stream import CameraStream, Emission, StreamOptions
from tests.worker_tools import COLOURS, FakeEmbedder, ScriptedDetector, Video, numbered_image, packets, reporting
from wire.messages import FrameChunk

EMPTY, THERE = 1, 2  # what pictures say
PERSON = (100.0, 18.0, 130.0, 62.0, 0.9)
WHOLE, TILED = (1, 1), (2, 2)
Picture = NDArray[np.uint8]


def frame_at(seconds: float, grey: int = 100, corner: int = 100, size: tuple[int, int] = (720, 1280)) -> Frame:
    """Return a grey picture with a corner of a hundredth of its area in another grey."""
    image = np.full((*size, 3), grey, np.uint8)
    image[: size[0] // 10, : size[1] // 10] = corner
    return Frame(1, round(seconds * 1e9), round(seconds * 1e9), image)


def quiet_gate() -> MotionGate:
    gate = MotionGate()
    gate.next_chunk(quiet=True)
    return gate


def test_of_a_picture_that_stays_as_it_is_one_frame_in_a_second_is_looked_at() -> None:
    gate = quiet_gate()

    looked_at = [n for n in range(25) if gate.lets_pass(frame_at(n / 10), WHOLE)]

    assert looked_at == [0, 10, 20]


@pytest.mark.parametrize(
    ("second", "grid", "expected"),
    [
        pytest.param(frame_at(0.1), WHOLE, False, id="nothing moved"),
        pytest.param(frame_at(0.1, corner=100 + STEP), WHOLE, False, id="noise"),
        pytest.param(frame_at(0.1, corner=101 + STEP), WHOLE, True, id="a corner got lighter"),
        pytest.param(frame_at(0.1, corner=99 - STEP), WHOLE, True, id="a corner got darker"),
        pytest.param(frame_at(0.1), TILED, True, id="it is looked at more closely"),
        pytest.param(frame_at(0.1, size=(360, 640)), WHOLE, True, id="another size"),
    ],
)
def test_a_frame_is_looked_at_if(second: Frame, grid: tuple[int, int], *, expected: bool) -> None:
    gate = quiet_gate()
    assert gate.lets_pass(frame_at(0), WHOLE)

    assert gate.lets_pass(second, grid) is expected


def test_slow_change_counts_from_what_was_looked_at_and_not_from_frame_to_frame() -> None:
    gate = quiet_gate()

    looked_at = [n for n in range(9) if gate.lets_pass(frame_at(n / 10, corner=100 + 3 * n), WHOLE)]

    assert looked_at == [0, 3, 6]


def test_while_somebody_is_in_sight_every_frame_is_looked_at() -> None:
    gate = MotionGate()
    gate.next_chunk(quiet=False)

    assert all(gate.lets_pass(frame_at(n / 10), WHOLE) for n in range(5))


class Room:
    """A worker's pipeline and one stream of it."""

    def __init__(self, stream: CameraStream) -> None:
        self.registry = CollectorRegistry()
        self.detector = ScriptedDetector({THERE: [PERSON]})
        load, metrics, _ = reporting(self.registry)
        embedder = Networks(FakeEmbedder(COLOURS))
        self.pipeline = Pipeline(self.detector, embedder, load, metrics, threads=1, embed_batch=2)
        self.stream = stream

    def watch(self, chunks: Sequence[FrameChunk]) -> list[int]:
        """Analyse chunks; return the frames of the tracklets that are due, after those that are still open."""
        said = [t for chunk in chunks for t in self.pipeline.run([Work(self.stream, self.stream.decode(chunk))])]
        last: list[Emission] = self.stream.close()
        return sorted({int(n) for one in [*said, *(e.tracklet for e in last)] for n in one.frames})


@pytest.fixture(scope="module")
def visit() -> Video:
    """A person who stands in an empty room from frame 24 to 35, counted from 1."""
    says = [EMPTY] * 23 + [THERE] * 12 + [EMPTY] * 25
    images = {number: numbered_image(number) for number in set(says)}
    return packets([images[number] for number in says])


def test_nothing_of_a_visit_to_an_empty_room_is_lost_by_looking_at_it_less(visit: Video) -> None:
    chunks = visit.chunks()
    rooms = [Room(CameraStream.begin(chunks[0], StreamOptions(motion_gate=gate))) for gate in (True, False)]

    gated, plain = (room.watch(chunks) for room in rooms)

    assert gated == plain == list(range(24, 36))
    looks = [len(room.detector.seen) for room in rooms]
    assert looks[1] == 60
    assert looks[0] < 35
    still = rooms[0].registry.get_sample_value("climbtrack_still_frames_total", {"camera": "door"})
    assert still == 60 - looks[0]


def test_a_restored_stream_looks_at_the_same_frames_as_the_saved_one(visit: Video) -> None:
    chunks = visit.chunks()
    saved_before = next(i for i, chunk in enumerate(chunks) if chunk.starts_with_keyframe and i > 2)
    saved = Room(CameraStream.begin(chunks[0], StreamOptions()))
    for chunk in chunks[:saved_before]:
        saved.pipeline.run([Work(saved.stream, saved.stream.decode(chunk))])
    restart = saved.stream.restart_decoder(chunks[saved_before].first_index)
    saved.pipeline.run([Work(saved.stream, restart)])
    again = Room(CameraStream.restored(saved.stream.save(chunks[saved_before]), StreamOptions()))
    saved.detector.seen.clear()

    frames = [room.watch(chunks[saved_before:]) for room in (saved, again)]

    assert frames[0] == frames[1] == list(range(24, 36))
    assert saved.detector.seen == again.detector.seen
