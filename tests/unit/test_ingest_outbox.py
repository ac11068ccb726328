"""How chunks reach a bus that is full, away or far behind."""

import threading

import pytest
from prometheus_client import CollectorRegistry

from ingest import outbox
from ingest.chunker import Chunker, Stream
from ingest.config import IngestSettings
from ingest.metrics import IngestMetrics
from ingest.outbox import LatestOutbox, Link, PatientOutbox
from tests.ingest_tools import H264, FakeClock, packets, spec_of
from wire import codec
from wire.errors import BusFull, PermanentError, TransientError
from wire.memory import MemoryBus
from wire.messages import FrameChunk, Packet

MIB = 1024 * 1024


class FakeBus(MemoryBus):
    """Takes records while there is room, and says how far the workers are behind."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 1000
        self.sent: list[FrameChunk] = []
        self.backlogs = [0]
        self.refuses: list[Exception] = []
        self.flush_fails: list[Exception] = []

    def producer(self) -> "FakeBus":  # type: ignore[override]
        return self

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        assert value is not None
        if self.refuses:
            raise self.refuses.pop(0)
        if self.room == 0:
            raise BusFull("no room")
        self.room -= 1
        chunk = codec.decode(value)
        assert isinstance(chunk, FrameChunk)
        self.sent.append(chunk)

    def flush(self, timeout_s: float) -> None:
        if self.flush_fails:
            raise self.flush_fails.pop(0)

    def backlog(self, topic: str, group: str, key: str) -> int:
        return self.backlogs.pop(0) if len(self.backlogs) > 1 else self.backlogs[0]

    @property
    def numbers(self) -> list[int]:
        return [chunk.seq for chunk in self.sent]


class Bench:
    """A link to a fake bus."""

    def __init__(self) -> None:
        self.bus = FakeBus()
        self.clock = FakeClock()
        self.registry = CollectorRegistry()
        self.stop = threading.Event()
        self.paused = threading.Event()
        settings = IngestSettings(outbox_bytes=2 * MIB, max_backlog_chunks=5)
        self.link = Link(
            "door",
            self.bus,
            self.bus,
            settings,
            IngestMetrics(self.registry),
            self.clock,
            self.stop,
            self.paused,
        )

    def dropped(self, reason: str) -> float:
        labels = {"camera": "door", "reason": reason}
        return self.registry.get_sample_value("climbtrack_ingest_dropped_frames_total", labels) or 0


@pytest.fixture
def bench() -> Bench:
    return Bench()


def chunks(count: int, *, keyframe_every: int, size: int = 100) -> list[FrameChunk]:
    """Return chunks of five frames; every `keyframe_every`th starts with a keyframe."""
    chunker = Chunker(Stream(spec_of("x"), "s-0", H264, "full"))
    sent = packets(count * 5 + 1, every=5 * keyframe_every, size=size)
    return [chunk for p in sent for chunk in chunker.add(Packet(p.pts_ns, p.pts_ns, p.keyframe, p.data))]


def test_a_live_camera_keeps_what_the_bus_has_no_room_for_and_sends_it_later(bench: Bench) -> None:
    box = LatestOutbox(bench.link)
    first, second, third = chunks(3, keyframe_every=1)

    box.put(first)
    bench.bus.room = 0
    box.put(second)
    assert box.waiting() == 1
    bench.bus.room = 10
    bench.clock.seconds += 1
    box.put(third)

    assert bench.bus.numbers == [0, 1, 2]
    assert bench.dropped("bus_full") == 0


def test_a_live_camera_drops_its_oldest_chunk_and_counts_its_frames(bench: Bench) -> None:
    box = LatestOutbox(bench.link)
    bench.bus.room = 0

    for chunk in chunks(6, keyframe_every=1, size=100_000):  # 500 kB each: four fit
        box.put(chunk)
    bench.bus.room = 10
    bench.clock.seconds += 1
    box.deliver()

    assert bench.bus.numbers == [2, 3, 4, 5]
    assert [chunk.dropped_before for chunk in bench.bus.sent] == [10, 0, 0, 0]
    assert bench.bus.sent[0].first_index == 10
    assert bench.dropped("bus_full") == 10


def test_what_does_not_decode_behind_a_gap_is_dropped_up_to_the_next_keyframe(bench: Bench) -> None:
    box = LatestOutbox(bench.link)
    bench.bus.room = 0

    for chunk in chunks(8, keyframe_every=3, size=100_000):
        box.put(chunk)
    bench.bus.room = 10
    bench.clock.seconds += 1
    box.deliver()

    assert bench.bus.numbers == [6, 7]
    assert bench.dropped("bus_full") == 10  # chunks 0 and 3
    assert bench.dropped("no_keyframe") == 20  # chunks 1, 2, 4 and 5
    assert bench.bus.sent[0].dropped_before == 30


def test_a_camera_that_never_sends_keyframes_goes_on_after_a_while(bench: Bench) -> None:
    box = LatestOutbox(bench.link)
    many = chunks(outbox.MAX_WITHOUT_KEYFRAME + 8, keyframe_every=1000, size=100_000)
    bench.bus.room = 0
    for chunk in many[:5]:
        box.put(chunk)
    bench.bus.room = 1000
    bench.clock.seconds += 1

    for chunk in many[5:]:
        box.put(chunk)

    assert bench.bus.numbers == [many[-3].seq, many[-2].seq, many[-1].seq]


def test_a_full_bus_is_not_asked_again_at_once(bench: Bench) -> None:
    box = LatestOutbox(bench.link)
    first, second, third = chunks(3, keyframe_every=1)
    bench.bus.refuses = [BusFull("no room")]

    box.put(first)
    box.put(second)
    assert bench.bus.numbers == []
    bench.clock.seconds += 1
    box.put(third)

    assert bench.bus.numbers == [0, 1, 2]


def test_a_chunk_that_can_never_be_sent_is_counted_and_the_rest_goes_on(bench: Bench) -> None:
    box = PatientOutbox(bench.link)
    bench.bus.refuses = [PermanentError("too large")]

    for chunk in chunks(2, keyframe_every=1):
        box.put(chunk)

    assert bench.bus.numbers == [1]
    assert bench.dropped("rejected") == 5


def test_a_file_waits_for_room_and_loses_nothing(bench: Bench) -> None:
    box = PatientOutbox(bench.link)
    bench.bus.refuses = [BusFull("no room")] * 3

    for chunk in chunks(2, keyframe_every=1):
        box.put(chunk)

    assert bench.bus.numbers == [0, 1]
    assert bench.clock.pauses == [outbox.RETRY_S] * 3


def test_a_file_waits_for_a_worker_that_is_behind(bench: Bench) -> None:
    box = PatientOutbox(bench.link)
    bench.bus.backlogs = [9, 8, 7, 6, 5]

    box.put(chunks(1, keyframe_every=1)[0])

    assert bench.clock.pauses == [outbox.RETRY_S] * 4
    assert bench.bus.numbers == [0]


def test_a_backlog_that_does_not_move_lets_one_chunk_through_after_a_while(bench: Bench) -> None:
    box = PatientOutbox(bench.link)
    bench.bus.backlogs = [9]

    box.put(chunks(1, keyframe_every=1)[0])

    assert sum(bench.clock.pauses) >= outbox.STUCK_S
    assert bench.bus.numbers == [0]


def test_chunks_that_were_not_safe_are_sent_again(bench: Bench) -> None:
    box = PatientOutbox(bench.link)
    for chunk in chunks(3, keyframe_every=1):
        box.put(chunk)
    bench.bus.flush_fails = [TransientError("broker away")]

    box.deliver()

    assert bench.bus.numbers == [0, 1, 2, 0, 1, 2]
    assert box.waiting() == 0


@pytest.mark.parametrize("kind", [PatientOutbox, LatestOutbox])
def test_a_paused_camera_sends_nothing_until_it_goes_on(kind: type[PatientOutbox | LatestOutbox], bench: Bench) -> None:
    box = kind(bench.link)
    bench.paused.set()
    during: list[int] = []

    def go_on() -> None:
        during.append(len(bench.bus.sent))
        bench.paused.clear()

    bench.clock.on_wait = go_on
    box.put(chunks(1, keyframe_every=1)[0])
    box.deliver()

    assert during == [0]
    assert bench.bus.numbers == [0]


@pytest.mark.parametrize("kind", [PatientOutbox, LatestOutbox])
def test_stop_ends_every_waiting(kind: type[PatientOutbox | LatestOutbox], bench: Bench) -> None:
    box = kind(bench.link)
    bench.bus.room = 0
    bench.clock.on_wait = bench.stop.set

    box.put(chunks(1, keyframe_every=1)[0])
    box.deliver()

    assert bench.bus.numbers == []
