"""What `wire.bus.GrouplessBus` promises holds for a bus of this process, and for one that another process holds."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.conftest import PATIENCE_S, wait_until
from wire.bus import MAX_RECORD_BYTES, Follower, GrouplessBus, Producer, Record
from wire.errors import BusFull, PermanentError, TransientError
from wire.memory import MemoryBus
from wire.served.client import GONE, ServedBus
from wire.served.server import BusServer

METRICS = b"climbtrack_seen_total 1.0\n"


@pytest.fixture
def held() -> Iterator[MemoryBus]:
    with closing(MemoryBus(max_bytes=400_000)) as bus:
        yield bus


@pytest.fixture
def served(held: MemoryBus) -> Iterator[ServedBus]:
    with BusServer(held, lambda: METRICS) as server, closing(ServedBus(server.other_end)) as bus:
        yield bus


@pytest.fixture(params=["held", "served"])
def bus(request: pytest.FixtureRequest) -> GrouplessBus:
    """The bus itself, and what another process sees of it."""
    found: GrouplessBus = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def producer(bus: GrouplessBus) -> Iterator[Producer]:
    with closing(bus.producer()) as made:
        yield made


def values(records: list[Record]) -> list[tuple[str, bytes | None]]:
    return [(record.key, record.value) for record in records]


def test_what_one_sends_is_followed_from_the_beginning_in_order_tombstones_included(
    bus: GrouplessBus, producer: Producer
) -> None:
    for value in (b"1", None):
        producer.send("cameras", "hall", value)
    producer.send("cameras", "hall", b"2")
    producer.send("cameras", "shop", None)
    producer.flush(1.0)

    with closing(bus.follow("cameras")) as follower:
        found = follower.poll(1.0)
        assert sorted(values(found)) == [("hall", b"2"), ("shop", None)]
        assert follower.at_end()
        producer.send("cameras", "hall", b"3")
        assert not follower.at_end()
        assert values(follower.poll(1.0)) == [("hall", b"3")]
        assert follower.poll(0.0) == []


def test_records_arrive_whole(bus: GrouplessBus, producer: Producer, held: MemoryBus) -> None:
    producer.send("cameras", "Halle zwei", bytes(range(256)) * 100)

    with closing(bus.follow("cameras")) as follower, closing(held.follow("cameras")) as other:
        assert follower.poll(1.0) == other.poll(1.0)


def test_one_key_is_watched_without_the_others(bus: GrouplessBus, producer: Producer) -> None:
    producer.send("boxes", "hall", b"1")
    producer.send("boxes", "shop", b"2")

    with closing(bus.watch("boxes", "hall", 60.0)) as watcher, closing(bus.watch("boxes", "hall", 0.0)) as late:
        assert values(watcher.poll(1.0)) == [("hall", b"1")]
        producer.send("boxes", "hall", b"3")
        assert values(watcher.poll(1.0)) == [("hall", b"3")]
        assert values(late.poll(1.0)) == [("hall", b"3")]


def test_a_poll_ends_with_the_next_record(bus: GrouplessBus, producer: Producer) -> None:
    found: list[Record] = []
    with closing(bus.follow("cameras")) as follower:
        waiting = threading.Thread(target=lambda: found.extend(follower.poll(2 * PATIENCE_S)))
        waiting.start()
        producer.send("cameras", "hall", b"1")
        waiting.join(PATIENCE_S)
    assert values(found) == [("hall", b"1")]


def test_threads_may_share_a_producer(bus: GrouplessBus, producer: Producer, held: MemoryBus) -> None:
    def send(thread: int) -> None:
        for number in range(50):
            producer.send("cameras", f"{thread}-{number}", b"x")

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held.table("cameras")) == 200


@pytest.mark.parametrize(
    ("send", "kind"),
    [
        pytest.param(lambda one: one.send("frames", "hall", bytes(MAX_RECORD_BYTES)), PermanentError, id="too large"),
        pytest.param(lambda one: one.send("nowhere", "hall", b""), PermanentError, id="unknown topic"),
        pytest.param(lambda one: [one.send("frames", "hall", bytes(90_000)) for _ in range(3)], BusFull, id="full"),
    ],
)
def test_a_record_that_is_refused_is_refused_by_the_same_error(
    send: Callable[[Producer], object], kind: type[Exception], producer: Producer
) -> None:
    with pytest.raises(kind) as caught:
        send(producer)
    assert type(caught.value) is kind
    assert str(caught.value)


def test_a_topic_that_does_not_exist_cannot_be_followed(bus: GrouplessBus) -> None:
    with pytest.raises(PermanentError, match="nowhere"):
        bus.follow("nowhere")


def test_the_other_process_reads_the_metrics_of_the_one_that_holds_the_bus(served: ServedBus) -> None:
    assert served.metrics() == METRICS


def test_once_the_process_that_holds_the_bus_has_ended_every_call_says_so(held: MemoryBus) -> None:
    with BusServer(held, lambda: METRICS) as server:
        bus = ServedBus(server.other_end.dup())
    calls: tuple[Callable[[], object], ...] = (bus.metrics, bus.producer, lambda: bus.follow("cameras"))
    for call in calls:
        with pytest.raises(TransientError, match=GONE):
            call()
    bus.close()


def test_what_a_process_opened_is_released_when_it_ends_without_saying_so() -> None:
    closed: list[str] = []
    held = MemoryBus()

    class Noting(MemoryBus):
        def follow(self, topic: str) -> Follower:  # type: ignore[override]
            follower = held.follow(topic)
            follower.close = lambda: closed.append(topic)  # type: ignore[method-assign]
            return follower

    with BusServer(Noting(), lambda: METRICS) as server, closing(ServedBus(server.other_end)) as bus:
        follower = bus.follow("cameras")
        follower.close()  # all the server sees is that the connection is gone
        wait_until(lambda: closed == ["cameras"])
