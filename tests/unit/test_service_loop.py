"""The one service loop: what it does in which order, and what it does about every kind of failure."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count

import pytest

from wire import codec
from wire.bus import FRAMES, MAX_RECORD_BYTES, Discarded, Follower, Record, Start, TopicPartition, record_bytes
from wire.errors import BusFull, PermanentError, TransientError
from wire.memory import MemoryBus
from wire.messages import CameraSpec, DeadLetter
from wire.service import Outgoing, Received, Rejected, Service

PART = TopicPartition("frames", 0)
SPEC = CameraSpec(camera_id="door", site_id="home", url="door.mp4")
GOOD = codec.encode(SPEC)
THE_END = ["revoked", "close", "close"]  # consumer and producer


class FakeBus:
    """A bus whose consumer hands out scripted batches, then asks the service to stop; writes down all that happens."""

    def __init__(self, *batches: list[Record] | Exception) -> None:
        self.stop = threading.Event()
        self.events: list[str] = []
        self.sent: list[tuple[str, str, bytes | None]] = []
        self.wanted: list[int] = []
        self.commits: list[dict[TopicPartition, int]] = []
        self.failures: dict[str, list[Exception]] = {}
        self.before_send: Callable[[], None] = lambda: None
        self._batches = list(batches)

    def note(self, event: str) -> None:
        self.events.append(event)
        if self.failures.get(event):
            raise self.failures[event].pop(0)

    def now_ns(self) -> int:
        return 0

    def ensure_topics(self) -> None:
        self.note("ensure_topics")

    def producer(self) -> "FakeBus":
        return self

    def consumer(self, group: str, topics: Collection[str], *, start: Start = "committed", **_: object) -> "FakeBus":
        return self

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        self.note("send")
        self.before_send()
        self.sent.append((topic, key, value))

    def flush(self, timeout_s: float) -> None:
        self.note("flush")

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        self.note("poll")
        self.wanted.append(max_records)
        batch = self._batches.pop(0) if self._batches else []
        if not self._batches:
            self.stop.set()
        if isinstance(batch, Exception):
            raise batch
        return batch

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.note("commit")
        self.commits.append(dict(offsets))

    def lag(self) -> int:
        return 0

    def close(self) -> None:
        self.note("close")

    def table(self, topic: str) -> dict[str, Record]:
        return {}

    def follow(self, topic: str) -> Follower:
        raise NotImplementedError

    def watch(self, topic: str, key: str, since_s: float) -> Follower:
        raise NotImplementedError

    def backlog(self, topic: str, group: str, key: str) -> int:
        return 0

    def ends(self, topic: str, keys: Collection[str] | None = None) -> dict[TopicPartition, int]:
        return {}

    def discard(
        self, before: Mapping[TopicPartition, int], waits_for: Callable[[str], bool], keys: Collection[str] = ()
    ) -> dict[TopicPartition, Discarded]:
        return {}


class FakeHandler:
    """Publishes one record for every record it gets, unless told otherwise."""

    def __init__(self, bus: FakeBus, answer: Callable[[Received], Outgoing | Rejected] | None = None) -> None:
        self.batches: list[list[Received]] = []
        self.owned: set[TopicPartition] = set()
        self.needed: dict[TopicPartition, int] = {}
        self._bus = bus
        self._answer = answer or (lambda item: Outgoing("identities", item.record.key, SPEC))

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        self._bus.note("handle")
        self.batches.append(list(batch))
        return [self._answer(item) for item in batch]

    def flushed(self) -> None:
        self._bus.note("flushed")

    def waiting(self) -> int:
        return 0

    def busy(self) -> bool:
        return False

    def needed_from(self) -> Mapping[TopicPartition, int]:
        return self.needed

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self._bus.note("assigned")
        self.owned.update(partitions)

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        self._bus.note("revoked")
        self.owned.difference_update(partitions)


class FakeMonitor:
    def __init__(self) -> None:
        self.readiness: list[tuple[bool, str]] = []
        self.letters: list[str] = []
        self.rounds = 0

    def alive(self, *, lag: int) -> None:
        self.rounds += 1

    def ready(self, *, yes: bool, reason: str = "") -> None:
        self.readiness.append((yes, reason))

    def dead_letter(self, topic: str) -> None:
        self.letters.append(topic)


def record(offset: int, value: bytes | None = GOOD) -> Record:
    return Record(PART.topic, PART.partition, offset, "door", value, 0)


def run(bus: FakeBus, handler: FakeHandler, monitor: FakeMonitor | None = None, start: Start = "committed") -> None:
    service = Service("stage", bus, handler, topics=[PART.topic], monitor=monitor or FakeMonitor(), start=start)
    service.run(bus.stop)


def letters(bus: FakeBus) -> list[DeadLetter]:
    found = [codec.decode(value or b"") for topic, _, value in bus.sent if topic == "dead-letters"]
    return [letter for letter in found if isinstance(letter, DeadLetter)]


def test_a_round_publishes_then_flushes_then_tells_the_handler_then_commits() -> None:
    bus = FakeBus([record(0), record(1)])

    run(bus, FakeHandler(bus))

    assert bus.events == ["ensure_topics", "poll", "handle", "send", "send", "flush", "flushed", "commit", *THE_END]
    assert bus.commits == [{PART: 2}]


def test_a_service_polls_no_more_at_once_than_it_can_tell_of_in_time() -> None:
    bus = FakeBus([record(0)])
    limits = count(16)
    service = Service(
        "stage", bus, FakeHandler(bus), topics=[PART.topic], monitor=FakeMonitor(), max_records=lambda: next(limits)
    )

    service.run(bus.stop)

    assert bus.wanted == list(range(16, 16 + len(bus.wanted)))


def test_an_empty_round_commits_nothing_and_gives_the_handler_its_chance() -> None:
    bus = FakeBus([record(0)], [], [])
    handler = FakeHandler(bus)

    run(bus, handler)

    assert [len(batch) for batch in handler.batches] == [1, 0, 0]
    assert bus.commits == [{PART: 1}]


def test_a_tombstone_reaches_the_handler_as_none() -> None:
    bus = FakeBus([record(0, None)])
    handler = FakeHandler(bus)

    run(bus, handler)

    assert handler.batches[0][0].message is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"\x01garbage", "not a valid message", id="garbage bytes"),
        pytest.param(b"\xfe" + GOOD[1:], "schema version 254", id="unknown schema"),
        pytest.param(b"", "empty record", id="empty value"),
        pytest.param(GOOD[:-3], "not a valid message", id="cut off"),
    ],
)
def test_an_undecodable_record_becomes_a_dead_letter_and_the_loop_goes_on(value: bytes, reason: str) -> None:
    bus = FakeBus([record(7, value), record(8)])
    handler, monitor = FakeHandler(bus), FakeMonitor()

    run(bus, handler, monitor)

    (letter,) = letters(bus)
    assert (letter.topic, letter.partition, letter.offset, letter.key) == ("frames", 0, 7, "door")
    assert letter.value == b"", "pictures of people"
    assert reason in letter.reason
    assert monitor.letters == ["frames"]
    assert [item.record.offset for item in handler.batches[0]] == [8]
    assert bus.commits == [{PART: 9}]


def test_a_dead_letter_has_what_could_not_be_read_unless_it_may_show_people() -> None:
    topics = ("identities", "frames", "tracklets", "worker-state", "picture-queries")
    bus = FakeBus([Record(topic, 0, 7, "door", b"\x01garbage", 0) for topic in topics])

    run(bus, FakeHandler(bus))

    assert {letter.topic: letter.value for letter in letters(bus)} == {
        "identities": b"\x01garbage",
        "frames": b"",
        "tracklets": b"",
        "worker-state": b"",
        "picture-queries": b"",
    }


def test_a_camera_that_cannot_be_read_leaves_no_password_in_its_dead_letter() -> None:
    value = codec.encode(CameraSpec(camera_id="door", site_id="home", url="rtsp://me:hunter2@cam/x"))
    bus = FakeBus([Record("cameras", 3, 7, "door", value, 0)])
    reason = "rtsp://me:hunter2@cam/x is the camera of another planet"

    run(bus, FakeHandler(bus, lambda item: Rejected(item.record, reason)))

    (letter,) = letters(bus)
    assert (letter.topic, letter.partition, letter.offset, letter.value) == ("cameras", 3, 7, b"")
    assert letter.reason == "rtsp://***@cam/x is the camera of another planet"
    assert b"hunter2" not in b"".join(value or b"" for _, _, value in bus.sent)


def test_what_goes_wrong_is_logged_once_and_again_when_it_changes_or_is_over(caplog: pytest.LogCaptureFixture) -> None:
    away, full = TransientError("Redis at r:1 is loading"), TransientError("Redis at r:1 is full")
    bus = FakeBus([record(0)], away, away, away, full, full, [record(1)], away, [])

    run(bus, FakeHandler(bus))

    assert [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"] == [
        "stage: Redis at r:1 is loading; trying again until it works",
        "stage: Redis at r:1 is full; trying again until it works",
        "stage: works again",
        "stage: Redis at r:1 is loading; trying again until it works",
        "stage: works again",
    ]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wire.service.BACKOFF_S", (0.0, 0.0))


def test_what_the_handler_rejects_becomes_a_dead_letter_with_its_reason() -> None:
    bus = FakeBus([record(3)])

    run(bus, FakeHandler(bus, lambda item: Rejected(item.record, "a camera of another planet")))

    (letter,) = letters(bus)
    assert (letter.offset, letter.reason) == (3, "a camera of another planet")
    assert bus.commits == [{PART: 4}]


def test_the_largest_record_still_fits_into_a_dead_letter() -> None:
    bus = FakeBus([record(0, bytes(MAX_RECORD_BYTES))])

    run(bus, FakeHandler(bus))

    assert record_bytes(bus.sent[0][1], bus.sent[0][2]) < MAX_RECORD_BYTES


@pytest.mark.parametrize("step", ["handle", "send", "flush"])
def test_a_transient_error_is_waited_out_and_nothing_is_lost(step: str) -> None:
    bus = FakeBus([record(0), record(1)], [])
    bus.failures = {step: [TransientError("Redis at localhost is away")]}
    bus.stop = _StopAfterRounds(3)
    handler, monitor = FakeHandler(bus), FakeMonitor()

    run(bus, handler, monitor)

    assert bus.commits == [{PART: 2}]
    assert bus.sent[-2:] == [("identities", "door", GOOD)] * 2
    assert monitor.readiness[0] == (False, "Redis at localhost is away")
    assert monitor.readiness[-1] == (True, "")


def test_a_batch_whose_handling_failed_is_handled_again_without_polling_another() -> None:
    bus = FakeBus([record(0), record(1)])
    bus.failures = {"handle": [TransientError("Redis is away")]}
    bus.stop = _StopAfterRounds(2)
    handler = FakeHandler(bus)

    run(bus, handler)

    assert bus.events[:6] == ["ensure_topics", "poll", "handle", "handle", "send", "send"]
    assert [item.record.offset for item in handler.batches[-1]] == [0, 1]


@pytest.mark.parametrize(
    ("failures", "repeated"),
    [
        pytest.param({"flush": [TransientError("away")]}, ["send", "send", "flush"], id="the flush failed"),
        pytest.param({"send": [TransientError("away")]}, ["send"], id="the first send failed"),
        pytest.param({"flush": [TransientError("away")] * 3}, ["send", "send", "flush"] * 3, id="three flushes failed"),
    ],
)
def test_a_batch_that_was_handled_is_published_again_and_not_handled_again(
    failures: dict[str, list[Exception]], repeated: list[str]
) -> None:
    bus = FakeBus([record(0), record(1)])
    bus.failures = failures
    bus.stop = _StopAfterRounds(4)

    run(bus, FakeHandler(bus))

    told = bus.events[: bus.events.index("commit") + 1]
    assert told == ["ensure_topics", "poll", "handle", *repeated, "send", "send", "flush", "flushed", "commit"]
    assert bus.commits == [{PART: 2}]


def test_a_full_bus_gets_the_rest_later_and_nothing_twice() -> None:
    bus = FakeBus([record(0), record(1), record(2)])
    bus.stop = _StopAfterRounds(3)
    answers = iter("abc")
    handler = FakeHandler(bus, lambda _: Outgoing("identities", next(answers), SPEC))
    room = iter([True, False, False, True, True])
    bus.before_send = lambda: _refuse(BusFull("topic identities is full")) if not next(room) else None

    run(bus, handler)

    assert [key for _, key, _ in bus.sent] == ["a", "b", "c"]
    assert bus.commits == [{PART: 3}]


def test_after_another_failure_in_between_everything_is_sent_again_in_order() -> None:
    bus = FakeBus([record(0), record(1), record(2)])
    bus.stop = _StopAfterRounds(2)
    answers = iter("abc")
    handler = FakeHandler(bus, lambda _: Outgoing("identities", next(answers), SPEC))
    fine = iter([True, True, False, True, True, True])
    bus.before_send = lambda: _refuse(TransientError("Kafka is away")) if not next(fine) else None

    run(bus, handler)

    assert "".join(key for _, key, _ in bus.sent) == "ababc"


def test_a_dead_letter_is_counted_once_however_often_it_is_sent() -> None:
    bus = FakeBus([record(0, b"garbage")])
    bus.failures = {"flush": [TransientError("away")] * 2}
    bus.stop = _StopAfterRounds(3)
    monitor = FakeMonitor()

    run(bus, FakeHandler(bus), monitor)

    assert len(letters(bus)) == 3
    assert monitor.letters == ["frames"]


def test_a_handler_hears_of_the_flush_in_empty_rounds_too() -> None:
    bus = FakeBus([], [])

    run(bus, FakeHandler(bus))

    assert bus.events == ["ensure_topics", *["poll", "handle", "flush", "flushed"] * 2, *THE_END]


def test_a_broker_that_is_away_at_the_start_is_waited_for() -> None:
    bus = FakeBus([record(0)])
    bus.failures = {"ensure_topics": [TransientError("Kafka at localhost is away")]}

    run(bus, FakeHandler(bus))

    assert bus.events[:3] == ["ensure_topics", "ensure_topics", "poll"]
    assert bus.commits == [{PART: 1}]


def test_a_commit_that_failed_is_made_good_by_the_next_round() -> None:
    bus = FakeBus([record(0)], [record(1)], [])
    bus.failures = {"commit": [TransientError("away")]}

    run(bus, FakeHandler(bus))

    assert bus.commits[-1] == {PART: 2}


@pytest.mark.parametrize("step", ["handle", "send", "flush"])
@pytest.mark.parametrize("error", [PermanentError("too large"), KeyError("a bug")])
def test_any_other_error_stops_the_service_before_the_commit(step: str, error: Exception) -> None:
    bus = FakeBus([record(0)], [record(1)])
    bus.failures = {step: [error]}

    with pytest.raises(type(error)):
        run(bus, FakeHandler(bus))

    assert bus.commits == []
    assert bus.events[-3:] == THE_END


def test_what_the_handler_still_needs_is_not_committed() -> None:
    bus = FakeBus([record(10), record(11)], [record(12)])
    handler = FakeHandler(bus)
    handler.needed = {PART: 11}

    run(bus, handler)

    assert bus.commits == [{PART: 11}]


def test_a_need_beyond_what_was_handled_commits_only_what_was_handled() -> None:
    bus = FakeBus([record(10)])
    handler = FakeHandler(bus)
    handler.needed = {PART: 500, TopicPartition(FRAMES.name, 3): 1}

    run(bus, handler)

    assert bus.commits == [{PART: 11}]


def test_a_reader_of_tables_commits_nothing() -> None:
    bus = FakeBus([record(0)])

    run(bus, FakeHandler(bus), start="beginning")

    assert bus.commits == []


def test_stop_finishes_the_round_in_progress_and_polls_no_more() -> None:
    bus = FakeBus([record(0)], [record(1)])

    def stop_meanwhile(item: Received) -> Outgoing:
        bus.stop.set()
        return Outgoing("identities", "x", SPEC)

    run(bus, FakeHandler(bus, stop_meanwhile))

    assert bus.events.count("poll") == 1
    assert bus.commits == [{PART: 1}]
    assert bus.events[-3:] == THE_END


def test_a_service_that_is_stopped_already_touches_nothing() -> None:
    bus = FakeBus([record(0)])
    bus.stop.set()

    run(bus, FakeHandler(bus))

    assert bus.events == THE_END


def test_partitions_are_let_go_before_the_group_is_left() -> None:
    bus = MemoryBus()
    log = FakeBus([])

    def stop_meanwhile(item: Received) -> Rejected:
        log.stop.set()
        return Rejected(item.record, "enough")

    handler = FakeHandler(log, stop_meanwhile)
    bus.producer().send(PART.topic, "door", GOOD)

    Service("stage", bus, handler, topics=[PART.topic], monitor=FakeMonitor()).run(log.stop)

    assert log.events == ["assigned", "handle", "flushed", "revoked"]
    assert handler.owned == set()


def _refuse(error: Exception) -> None:
    raise error


class _StopAfterRounds(threading.Event):
    """Is set once it has been looked at a number of times; pauses do not wait."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self._left = rounds

    def set(self) -> None:
        """Ignore the script's end: a failed round is to be repeated."""

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0

    def wait(self, timeout: float | None = None) -> bool:
        return False
