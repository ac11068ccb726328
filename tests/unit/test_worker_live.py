"""Live cameras and recordings on one worker: who is analysed first, how much of each, and what is said about it."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from reid_worker.handler import Clocks, HandlerOptions, WorkerHandler
from reid_worker.networks import Networks
from reid_worker.pace import PaceOptions
from reid_worker.pipeline import Pipeline
from reid_worker.rounds import Rounds
from reid_worker.stream import StreamOptions
from tests.worker_tools import FakeEmbedder, ScriptedDetector, Video, numbered_image, packets, reporting
from wire import codec
from wire.bus import Record, TopicPartition
from wire.memory import MemoryBus
from wire.messages import AnyMessage, CameraProgress, FrameChunk, Tracklet, WorkerState
from wire.service import Outgoing, Received

FRAMES = 60
FPS = 10
SENT_NS = 5_000_000_000
BUDGET_S = 2.0
PARTITION = TopicPartition("frames", 0)
WALKER = {n: [(10.0 + 2 * n, 18.0, 30.0 + 2 * n, 62.0, 0.9)] for n in range(1, FRAMES + 1)}


class World:
    """A handler whose clocks the test sets; each look at the second one takes `tick_s`."""

    def __init__(
        self,
        bus: MemoryBus | None = None,
        *,
        tick_s: float = 0.0,
        walker: bool = False,
        own_bus_clock: bool = False,
        budget_s: float = BUDGET_S,
    ) -> None:
        self.registry = CollectorRegistry()
        self.detector = ScriptedDetector(WALKER if walker else {})
        self.waited_s = 0.0
        self.tick_s = tick_s
        self.offset = 0
        self._now_s = 0.0
        load, metrics, report = reporting(self.registry)
        self.handler = WorkerHandler(
            Pipeline(self.detector, Networks(FakeEmbedder()), load, metrics, threads=1, embed_batch=2),
            bus or MemoryBus(),
            HandlerOptions(StreamOptions(), 1_000_000_000, PaceOptions(budget_s, floor_fps=2.0)),
            report,
            clocks=None if own_bus_clock else Clocks(lambda: SENT_NS + round(self.waited_s * 1e9), self._monotonic_s),
        )

    def say(self, *chunks: FrameChunk) -> list[AnyMessage]:
        """Run one round of the service loop on chunks that were sent at `SENT_NS`; return what it publishes."""
        items = [
            Received(Record("frames", 0, self.offset + n, c.camera_id, b"", SENT_NS), c) for n, c in enumerate(chunks)
        ]
        self.offset += len(items)
        said = [item.message for item in self.handler.handle(items) if isinstance(item, Outgoing)]
        self.handler.flushed()
        return said

    def _monotonic_s(self) -> float:
        self._now_s += self.tick_s
        return self._now_s


@pytest.fixture(scope="module")
def video() -> Video:
    return packets([numbered_image(n) for n in range(1, FRAMES + 1)], fps=FPS)


def last_progress(said: Sequence[AnyMessage], camera: str) -> CameraProgress:
    """Return the last progress of a camera."""
    return [one for one in said if isinstance(one, CameraProgress) and one.camera_id == camera][-1]


def test_live_cameras_come_first_and_recordings_lose_nothing(video: Video) -> None:
    world = World(tick_s=0.1)
    recorded = video.chunks(camera="file", mode="complete")
    live = video.chunks(camera="door", mode="latency")[:2]

    said = world.say(*recorded, *live)
    first = [one.camera_id for one in said if isinstance(one, CameraProgress)]

    assert first[:2] == ["door", "door"]  # though they came last
    waiting = world.handler.waiting()
    assert 0 < waiting < len(recorded)
    assert world.handler.busy()

    while world.handler.busy():
        said += world.say()
    assert world.handler.waiting() == 0
    last = last_progress(said, "file")
    assert (last.frames, last.analysed, last.dropped, last.ended) == (FRAMES, FRAMES, 0, True)


class StoredJustNow(MemoryBus):
    """A bus by whose clock what was sent at `SENT_NS`, which is years ago by this machine's, was sent just now."""

    def now_ns(self) -> int:
        return SENT_NS


def test_a_worker_whose_clock_is_wrong_goes_by_that_of_the_bus(video: Video) -> None:
    world = World(StoredJustNow(), own_bus_clock=True, budget_s=86_400.0)  # a busy machine may need its time

    last = last_progress(world.say(*video.chunks(camera="door", mode="latency")), "door")

    assert last.analysed == FRAMES


def test_what_waits_is_needed_by_a_restart(video: Video) -> None:
    world = World(tick_s=0.1)
    recorded = video.chunks(camera="file", mode="complete")

    said = world.say(*video.chunks(camera="door", mode="latency")[:1], *recorded)
    states = [one for one in said if isinstance(one, WorkerState) and one.camera_id == "file"]
    done = len([one for one in said if isinstance(one, CameraProgress) and one.camera_id == "file"])
    while world.handler.busy() and not states:
        said = world.say()
        done += len([one for one in said if isinstance(one, CameraProgress)])
        states = [one for one in said if isinstance(one, WorkerState)]

    assert states
    assert world.handler.needed_from()[PARTITION] <= 1 + done  # offset 0 is the door's


def test_recordings_alone_are_processed_at_once(video: Video) -> None:
    world = World(tick_s=0.1)

    said = world.say(*video.chunks(camera="a", mode="complete"), *video.chunks(camera="b", mode="complete"))

    assert not world.handler.busy()
    assert last_progress(said, "a").ended
    assert last_progress(said, "b").ended


def test_what_a_live_camera_shows_is_published_before_the_chunks_behind_it_are_analysed(video: Video) -> None:
    world = World(tick_s=0.3)
    chunks = video.chunks(mode="latency")

    first = [one for one in world.say(*chunks) if isinstance(one, CameraProgress)]

    assert len(first) == 1
    assert world.handler.waiting() == len(chunks) - 1
    assert world.handler.busy()
    rest = [one for _ in chunks[1:] for one in world.say() if isinstance(one, CameraProgress)]
    assert (len(rest), rest[-1].analysed, world.handler.busy()) == (len(chunks) - 1, FRAMES, False)


def short_chunks(mode: str = "latency") -> list[FrameChunk]:
    """Return a video in chunks of two frames, as a live camera sends them."""
    jpegs = packets([numbered_image(n) for n in range(1, FRAMES + 1)], fps=FPS, codec="mjpeg")
    pairs = [jpegs.packets[n : n + 2] for n in range(0, FRAMES, 2)]
    about = {"camera": "door", "stream": "s1", "mode": mode}
    chunks = [jpegs.chunk(pair, 2 * seq, seq=seq, **about) for seq, pair in enumerate(pairs)]
    return [*chunks, jpegs.chunk([], FRAMES, seq=len(chunks), **about)]


def test_chunks_that_have_come_meanwhile_are_processed_as_one_of_at_most_half_a_second() -> None:
    at_once, one_by_one = World(), World()

    said = [one for one in at_once.say(*short_chunks()) if isinstance(one, CameraProgress)]
    each = [one for c in short_chunks() for one in one_by_one.say(c) if isinstance(one, CameraProgress)]

    assert max(later.frames - earlier.frames for earlier, later in pairwise(said)) == 4  # 6 would be half a second
    assert (len(said), len(each)) == (FRAMES / 4 + 1, FRAMES / 2 + 1)
    assert at_once.detector.seen == one_by_one.detector.seen == list(range(1, FRAMES + 1))
    assert (said[-1].frames, said[-1].analysed, said[-1].ended) == (FRAMES, FRAMES, True)
    assert at_once.handler.needed_from() == one_by_one.handler.needed_from() == {}


def test_chunks_of_recordings_and_behind_a_gap_are_not_joined() -> None:
    recorded, live = World(), World()
    chunks = short_chunks()

    said = [one for one in recorded.say(*short_chunks("complete")) if isinstance(one, CameraProgress)]
    behind_gap = [one for one in live.say(chunks[0], *chunks[2:4]) if isinstance(one, CameraProgress)]

    assert len(said) == len(chunks)
    assert len(behind_gap) == 2


def test_chunks_of_revoked_partitions_are_forgotten(video: Video) -> None:
    world = World(tick_s=0.1)
    world.say(*video.chunks(camera="door", mode="latency")[:1], *video.chunks(camera="file", mode="complete"))
    assert world.handler.busy()

    world.handler.revoked({PARTITION})

    assert world.handler.waiting() == 0
    assert world.handler.needed_from() == {}


@pytest.mark.parametrize(
    ("waited_s", "analysed"),
    [
        pytest.param(0.3, FRAMES, id="in time, all of it"),
        pytest.param(1.2 * BUDGET_S, 2 * FRAMES // FPS, id="over the budget, at the floor of 2 frames a second"),
        pytest.param(2.1 * BUDGET_S, 0, id="hopelessly late, nothing"),
    ],
)
def test_how_late_a_live_camera_is_decides_how_much_of_it_is_analysed(
    waited_s: float, analysed: int, video: Video
) -> None:
    world = World()
    world.waited_s = waited_s

    last = last_progress(world.say(*video.chunks(mode="latency")), "door")

    assert abs(last.analysed - analysed) <= 1
    assert len(world.detector.seen) == last.analysed
    assert last.frames == FRAMES


def test_under_load_all_live_cameras_are_thinned_out_alike_and_the_frames_are_evenly_spaced(video: Video) -> None:
    world = World()
    cameras = [video.chunks(camera=name, mode="latency") for name in ("a", "b", "c")]
    world.tick_s = 0.25
    world.waited_s = 0.6  # more than is aimed at, less than the budget
    said: list[AnyMessage] = []
    for wave in zip(*cameras, strict=True):
        said += world.say(*wave)

    analysed = [last_progress(said, name).analysed for name in ("a", "b", "c")]
    assert max(analysed) - min(analysed) <= 1
    assert FRAMES // 10 < analysed[0] < FRAMES // 2
    numbers = sorted({number for number in world.detector.seen if number > FRAMES // 2})
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    assert max(steps) <= 3 * min(steps)


def test_progress_and_metrics_say_that_a_live_camera_is_degraded_and_not_a_recording(video: Video) -> None:
    world = World(tick_s=0.25)
    world.waited_s = 1.0
    live, recorded = video.chunks(mode="latency"), video.chunks(camera="file", mode="complete")
    said: list[AnyMessage] = []
    for chunk in live[:-1]:
        said += world.say(chunk)

    last = last_progress(said, "door")
    assert "cannot keep up" in last.degraded
    assert last.wanted_fps == pytest.approx(FPS, rel=0.05)
    assert last.analysed_fps < 0.8 * FPS
    assert world.registry.get_sample_value("climbtrack_wanted_fps", {"camera": "door"}) == pytest.approx(FPS, rel=0.05)
    saturation = world.registry.get_sample_value("climbtrack_worker_saturation_ratio")
    assert saturation is not None
    assert 0 <= saturation <= 1
    assert last_progress(World().say(*recorded), "file").degraded == ""


def test_a_camera_of_a_dead_worker_is_replayed_whole_though_its_chunks_are_late_by_then(video: Video) -> None:
    bus = MemoryBus()
    bus.ensure_topics()
    chunks = video.chunks(mode="latency")
    first = World(bus)
    (state,) = [one for chunk in chunks[:4] for one in first.say(chunk) if isinstance(one, WorkerState)][-1:]
    bus.producer().send("worker-state", "door", codec.encode(state))
    second = World(bus)
    second.waited_s = 3 * BUDGET_S
    partition = bus.table("worker-state")["door"].partition
    second.handler.assigned({TopicPartition("frames", partition)})
    items = [Received(Record("frames", partition, n, "door", b"", SENT_NS), chunk) for n, chunk in enumerate(chunks)]

    said = [item.message for item in second.handler.handle(items) if isinstance(item, Outgoing)]

    last = last_progress(said, "door")
    assert (last.analysed, last.dropped) == (FRAMES, 0)


def rounds(said: Sequence[AnyMessage]) -> list[tuple[str, int]]:
    """Return camera and round of every report."""
    return [(one.camera_id, one.round_ns) for one in said if isinstance(one, CameraProgress)]


def test_live_cameras_that_were_analysed_together_are_reported_at_one_time(video: Video) -> None:
    """By capture times, everybody would wait for the next chunks of the others."""
    world = World()
    cameras = {name: video.chunks(camera=name, mode="latency") for name in ("a", "b")}
    together = rounds(world.say(cameras["a"][0], cameras["b"][1]))  # one is half a second ahead
    alone = rounds(world.say(cameras["a"][1]))

    assert [name for name, _ in together] == ["a", "b"]
    assert len({round_ns for _, round_ns in together}) == 1
    assert [name for name, _ in alone] == ["a"]
    assert alone[0][1] > together[0][1]


def test_recordings_are_in_no_round(video: Video) -> None:
    said = World().say(*video.chunks(camera="file", mode="complete"), video.chunks(camera="door", mode="latency")[0])
    assert {name: round_ns > 0 for name, round_ns in rounds(said)} == {"door": True, "file": False}


def test_nobody_who_was_found_waits_for_a_camera_of_which_nothing_has_come(video: Video) -> None:
    world = World(walker=True)
    said: list[AnyMessage] = list(world.say(video.chunks(camera="other", mode="latency")[0]))
    for chunk in video.chunks(mode="latency"):
        now = world.say(chunk)
        if any(isinstance(one, Tracklet) for one in now):
            (door, *_), (other, *_) = ([one for one in rounds(now) if one[0] == name] for name in ("door", "other"))
            assert door[1] == other[1]
        else:
            assert "other" not in dict(rounds(now))
        said += now
    assert any(isinstance(one, Tracklet) for one in said)


@pytest.mark.parametrize(
    ("times_ns", "now_ns", "expected_ns"),
    [
        pytest.param([80, 95, 90], 200, 95, id="about the newest picture"),
        pytest.param([80, 3_600], 200, 200, id="a camera whose clock is ahead takes nobody along"),
        pytest.param([20], 200, 51, id="later than any before"),
    ],
)
def test_the_time_of_a_round(times_ns: list[int], now_ns: int, expected_ns: int) -> None:
    counted = Rounds()
    counted.next([50], 60)
    assert counted.next(times_ns, now_ns) == expected_ns
