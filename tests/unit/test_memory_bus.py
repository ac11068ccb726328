"""Only the memory bus: bounded bytes, and what is freed when."""

import threading
from collections import Counter

import pytest

from tests.conftest import PATIENCE_S
from wire.bus import Record
from wire.errors import BusFull
from wire.memory import MemoryBus, MemoryConsumer

MAX_BYTES = 200_000
FRAMES_BYTES = MAX_BYTES // 2
VALUE = bytes(1000)


def fill(bus: MemoryBus, topic: str = "frames") -> int:
    """Send until the topic is full; return how many records it took."""
    producer = bus.producer()
    for count in range(1000):
        try:
            producer.send(topic, "door", VALUE)
        except BusFull:
            return count
    return 1000


def read(consumer: MemoryConsumer, count: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < count:
        found = consumer.poll(count - len(records), 5.0)
        assert found
        records += found
    return records


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> MemoryBus:
    monkeypatch.setattr("wire.memory.SEND_WAIT_S", 0.01)
    return MemoryBus(MAX_BYTES)


def test_frames_that_nobody_reads_fill_up_and_then_refuse(bus: MemoryBus) -> None:
    taken = fill(bus)

    assert 0 < taken < 1000
    assert bus.size_bytes("frames") <= FRAMES_BYTES
    assert bus.backlog("frames", "reid", "door") == taken


@pytest.mark.parametrize("topic", ["identities", "tracklets", "dead-letters"])
def test_other_topics_that_nobody_reads_drop_their_oldest(bus: MemoryBus, topic: str) -> None:
    assert fill(bus, topic) == 1000

    kept = bus.backlog(topic, "anybody", "door")
    assert 0 < kept < 1000
    late = bus.consumer("late", [topic])
    assert [record.offset for record in read(late, kept)] == list(range(1000 - kept, 1000))


def test_a_topic_whose_group_is_behind_refuses_rather_than_loses(bus: MemoryBus) -> None:
    slow = bus.consumer("gallery", ["tracklets"])

    taken = fill(bus, "tracklets")

    assert taken < 1000
    assert [record.offset for record in read(slow, taken)] == list(range(taken))


def test_what_every_group_has_committed_is_freed(bus: MemoryBus) -> None:
    one, other = bus.consumer("one", ["frames"]), bus.consumer("other", ["frames"])
    taken = fill(bus)
    last = read(one, taken)[-1]

    one.commit({last.source: taken})
    assert bus.size_bytes("frames") > 0

    read(other, taken)
    other.commit({last.source: taken})
    assert bus.size_bytes("frames") == 0


def test_a_listener_that_never_commits_holds_back_only_what_it_has_not_polled(bus: MemoryBus) -> None:
    worker, listener = bus.consumer("worker", ["frames"]), bus.consumer("live", ["frames"], start="beginning")
    taken = fill(bus)
    last = read(worker, taken)[-1]
    read(listener, 10)

    worker.commit({last.source: taken})
    assert bus.backlog("frames", "nobody", "door") == taken - 10

    read(listener, taken - 10)
    assert bus.size_bytes("frames") == 0


def test_a_listener_that_left_holds_back_nothing(bus: MemoryBus) -> None:
    worker, listener = bus.consumer("worker", ["frames"]), bus.consumer("live", ["frames"], start="end")
    listener.poll(1, 0.0)
    taken = fill(bus)
    listener.close()

    worker.commit({read(worker, taken)[-1].source: taken})

    assert bus.size_bytes("frames") == 0


def test_a_full_topic_makes_room_from_what_was_polled_but_is_not_committed_yet(bus: MemoryBus) -> None:
    worker = bus.consumer("worker", ["frames"])
    taken = fill(bus)
    read(worker, taken)

    assert fill(bus) == taken


def test_a_waiting_sender_goes_on_as_soon_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus(MAX_BYTES)
    worker = bus.consumer("worker", ["frames"])
    monkeypatch.setattr("wire.memory.SEND_WAIT_S", 0.01)
    taken = fill(bus)
    monkeypatch.setattr("wire.memory.SEND_WAIT_S", 2 * PATIENCE_S)
    sender = threading.Thread(target=bus.producer().send, args=("frames", "door", VALUE))
    sender.start()

    last = read(worker, taken)[-1]
    worker.commit({last.source: taken})
    sender.join(PATIENCE_S)

    assert not sender.is_alive()
    assert worker.poll(1, 5.0)[0].offset == taken


def test_a_compacted_topic_keeps_one_record_of_every_key_whatever_its_size(bus: MemoryBus) -> None:
    producer = bus.producer()
    for number in range(500):
        producer.send("worker-state", f"camera-{number % 50}", bytes(10_000))

    assert len(bus.table("worker-state")) == 50
    assert bus.size_bytes("worker-state") < 50 * 11_000


def test_a_poll_ends_as_soon_as_a_record_is_sent(bus: MemoryBus) -> None:
    worker = bus.consumer("worker", ["frames"])
    worker.poll(1, 0.0)
    found: list[Record] = []
    reader = threading.Thread(target=lambda: found.extend(worker.poll(1, 2 * PATIENCE_S)))
    reader.start()

    bus.producer().send("frames", "door", b"x")
    reader.join(PATIENCE_S)

    assert [record.value for record in found] == [b"x"]


def test_closing_the_bus_ends_every_poll(bus: MemoryBus) -> None:
    worker = bus.consumer("worker", ["frames"])
    reader = threading.Thread(target=worker.poll, args=(1, 2 * PATIENCE_S))
    reader.start()

    bus.close()
    reader.join(PATIENCE_S)

    assert not reader.is_alive()


def test_a_poll_takes_as_much_of_each_camera_and_the_rest_of_who_has_more(bus: MemoryBus) -> None:
    producer = bus.producer()
    names = ["door", "hall", "yard"]
    assert len({bus.topic("frames").partition_of(name) for name in names}) == len(names)
    for name, count in zip(names, (30, 30, 2), strict=True):
        for _ in range(count):
            producer.send("frames", name, b"x")
    found = bus.consumer("reid", ["frames"]).poll(16, 5.0)
    assert Counter(record.key for record in found) == {"door": 7, "hall": 7, "yard": 2}
    for name in names:
        offsets = [record.offset for record in found if record.key == name]
        assert offsets == sorted(offsets)
