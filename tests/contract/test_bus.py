"""One body for every bus: what `wire.bus` promises holds in memory and on Kafka alike."""

import time
from collections.abc import Callable, Collection, Iterator

import pytest

from tests.conftest import PATIENCE_S, wait_until
from wire.bus import MAX_RECORD_BYTES, RECORD_OVERHEAD_BYTES, Bus, Consumer, Producer, Record, Start, TopicPartition
from wire.errors import PermanentError

KEYS = tuple(f"camera-{number}" for number in range(12))  # enough for every one of four partitions


class Member:
    """A member of a group that remembers what happened to it."""

    def __init__(self, bus: Bus, group: str, topics: Collection[str] = ("frames",), start: Start = "committed") -> None:
        self.owned: set[TopicPartition] = set()
        self.revoked: set[TopicPartition] = set()
        self.read: list[Record] = []
        self.consumer: Consumer = bus.consumer(
            group, topics, start=start, on_assigned=self.owned.update, on_revoked=self.lose
        )

    def lose(self, partitions: Collection[TopicPartition]) -> None:
        self.owned.difference_update(partitions)
        self.revoked.update(partitions)

    def poll(self) -> None:
        self.read += self.consumer.poll(100, 0.1)

    def values(self) -> list[bytes]:
        return [record.value or b"" for record in self.read]

    def commit(self) -> None:
        self.consumer.commit({record.source: record.offset + 1 for record in self.read})


class Group:
    """Members that are polled in turn, as their own threads would."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.members: list[Member] = []

    def join(self, group: str = "workers", topics: Collection[str] = ("frames",), start: Start = "committed") -> Member:
        member = Member(self.bus, group, topics, start)
        self.members.append(member)
        return member

    def leave(self, member: Member) -> None:
        member.consumer.close()
        self.members.remove(member)

    def poll_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, [(member.owned, member.values()) for member in self.members]
            for member in self.members:
                member.poll()


@pytest.fixture
def group(bus: Bus) -> Iterator[Group]:
    made = Group(bus)
    yield made
    for member in made.members:
        member.consumer.close()


@pytest.fixture
def producer(bus: Bus) -> Iterator[Producer]:
    made = bus.producer()
    yield made
    made.close()


def send(producer: Producer, count: int, topic: str = "frames", first: int = 0) -> list[bytes]:
    values = [b"%d" % number for number in range(first, first + count)]
    for number, value in enumerate(values):
        producer.send(topic, KEYS[number % len(KEYS)], value)
    producer.flush(10)
    return values


def test_equal_keys_share_a_partition_and_keep_their_order(group: Group, producer: Producer) -> None:
    send(producer, 60)
    member = group.join()

    group.poll_until(lambda: len(member.read) == 60)

    for key in KEYS:
        records = [record for record in member.read if record.key == key]
        numbers = [int(record.value or b"") for record in records]
        assert len({record.partition for record in records}) == 1
        assert numbers == sorted(numbers)
        assert [record.offset for record in records] == sorted(record.offset for record in records)


def test_a_record_knows_topic_key_and_time(group: Group, producer: Producer) -> None:
    before_ms = time.time_ns() // 1_000_000
    producer.send("frames", "camera-ä", b"x")
    producer.flush(10)
    member = group.join()

    group.poll_until(lambda: len(member.read) == 1)

    record = member.read[0]
    assert (record.topic, record.key, record.value, record.offset) == ("frames", "camera-ä", b"x", 0)
    assert before_ms <= record.time_ns // 1_000_000 <= time.time_ns() // 1_000_000


def test_poll_returns_at_most_what_was_asked_for(group: Group, producer: Producer) -> None:
    send(producer, 30)
    member = group.join()

    def all_read() -> bool:
        found = member.consumer.poll(7, 1.0)
        assert len(found) <= 7
        member.read += found
        return len(member.read) == 30

    wait_until(all_read)

    assert len({(record.source, record.offset) for record in member.read}) == 30


def test_members_share_the_partitions_and_every_record_reaches_one_of_them(group: Group, producer: Producer) -> None:
    first, second = group.join(), group.join()
    group.poll_until(lambda: len(first.owned) == 2 and len(second.owned) == 2)

    values = send(producer, 40)
    group.poll_until(lambda: len(first.read) + len(second.read) >= 40)

    assert sorted(first.values() + second.values()) == sorted(values)
    assert first.read
    assert second.read
    assert first.owned.isdisjoint(second.owned)


def test_a_joining_member_interrupts_only_the_partitions_that_move(group: Group) -> None:
    first = group.join()
    group.poll_until(lambda: len(first.owned) == 4)

    second = group.join()
    group.poll_until(lambda: len(first.owned) == 2 and len(second.owned) == 2)

    assert first.revoked == second.owned
    assert not second.revoked


def test_what_a_leaving_member_has_not_committed_is_read_again_by_who_takes_over(
    group: Group, producer: Producer
) -> None:
    values = send(producer, 24)
    first = group.join()
    group.poll_until(lambda: len(first.read) == 24)
    half = dict.fromkeys({record.source for record in first.read}, 1)
    first.consumer.commit(half)

    group.leave(first)
    second = group.join()
    group.poll_until(lambda: len(second.read) == 24 - len(half))

    assert all(record.offset >= 1 for record in second.read)
    assert set(second.values()) < set(values)


def test_a_commit_is_honoured_after_everybody_has_left(group: Group, producer: Producer) -> None:
    send(producer, 12)
    first = group.join()
    group.poll_until(lambda: len(first.read) == 12)
    first.commit()
    group.leave(first)
    later = send(producer, 12, first=100)

    second = group.join()
    group.poll_until(lambda: len(second.read) >= 12)

    assert sorted(second.values()) == sorted(later)


def test_a_commit_of_partitions_that_moved_away_is_skipped(group: Group, producer: Producer) -> None:
    first = group.join()
    group.poll_until(lambda: len(first.owned) == 4)
    second = group.join()
    group.poll_until(lambda: len(first.owned) == 2 and len(second.owned) == 2)
    send(producer, 24)
    group.poll_until(lambda: len(first.read) + len(second.read) == 24)

    first.consumer.commit(dict.fromkeys(first.owned | second.owned, 2))
    group.leave(first)
    group.leave(second)
    third = group.join()
    group.poll_until(lambda: len(third.owned) == 4 and len(third.read) >= 24 - 2 * 2)

    starts = {part: min(record.offset for record in third.read if record.source == part) for part in third.owned}
    assert all(starts[part] == (2 if part in first.owned else 0) for part in starts)


def test_two_groups_read_everything_independently(group: Group, producer: Producer) -> None:
    values = send(producer, 12)
    one, other = group.join("one"), group.join("other")

    group.poll_until(lambda: len(one.read) == 12 and len(other.read) == 12)

    assert sorted(one.values()) == sorted(other.values()) == sorted(values)


def test_a_new_group_starts_with_the_oldest_record(group: Group, producer: Producer) -> None:
    send(producer, 12)
    member = group.join("late")

    group.poll_until(lambda: len(member.read) == 12)

    assert all(
        min(record.offset for record in member.read if record.source == part) == 0
        for part in {record.source for record in member.read}
    )


def test_start_beginning_reads_a_table_again_whatever_was_read_before(group: Group, producer: Producer) -> None:
    send(producer, 12, "cameras")
    for _ in range(2):
        member = group.join("readers", ("cameras",), start="beginning")
        group.poll_until(lambda member=member: len(member.read) == 12)  # type: ignore[misc]
        group.leave(member)


def test_start_end_hears_only_what_is_sent_after_it_was_assigned(group: Group, producer: Producer) -> None:
    send(producer, 12)
    member = group.join("listener", start="end")
    group.poll_until(lambda: len(member.owned) == 4)

    later = send(producer, 12, first=100)
    group.poll_until(lambda: len(member.read) >= 12)

    assert sorted(member.values()) == sorted(later)


def test_partitions_are_announced_before_their_first_record(group: Group, producer: Producer) -> None:
    send(producer, 24)
    member = group.join()

    def all_read() -> bool:
        member.poll()
        assert {record.source for record in member.read} <= member.owned
        return len(member.read) == 24

    wait_until(all_read)


def test_an_announcement_that_fails_is_repeated_and_no_record_is_lost(bus: Bus, producer: Producer) -> None:
    values = send(producer, 12)
    failures = iter([ConnectionError("the table is away")])
    announced: set[TopicPartition] = set()

    def announce(partitions: Collection[TopicPartition]) -> None:
        for failure in failures:
            raise failure
        announced.update(partitions)

    consumer = bus.consumer("first-fails", ["frames"], on_assigned=announce)
    read: list[Record] = []
    refusals = 0
    deadline = time.monotonic() + PATIENCE_S
    while len(read) < 12 and time.monotonic() < deadline:
        try:
            read += consumer.poll(100, 0.1)
        except ConnectionError:
            refusals += 1
    consumer.close()

    assert refusals == 1
    assert sorted(bytes(record.value or b"") for record in read) == sorted(values)
    assert announced >= {record.source for record in read}


def test_a_table_holds_the_last_record_of_every_key_without_tombstones(bus: Bus, producer: Producer) -> None:
    for key, value in (("a", b"1"), ("b", b"1"), ("a", b"2"), ("c", b"1"), ("b", None)):
        producer.send("cameras", key, value)
    producer.flush(10)

    assert {key: record.value for key, record in bus.table("cameras").items()} == {"a": b"2", "c": b"1"}


def test_an_empty_table_is_empty(bus: Bus) -> None:
    assert bus.table("cameras") == {}


def test_a_reader_of_a_compacted_topic_hears_of_removals(group: Group, producer: Producer) -> None:
    member = group.join(topics=("cameras",))
    group.poll_until(lambda: len(member.owned) == 4)

    producer.send("cameras", "a", b"1")
    producer.send("cameras", "a", None)
    producer.flush(10)
    group.poll_until(lambda: bool(member.read) and member.read[-1].value is None)

    assert {record.key for record in member.read} == {"a"}


def test_the_largest_allowed_record_arrives_whole(group: Group, producer: Producer) -> None:
    value = bytes(MAX_RECORD_BYTES - RECORD_OVERHEAD_BYTES - len(KEYS[0]))
    producer.send("frames", KEYS[0], value)
    producer.flush(30)
    member = group.join()

    group.poll_until(lambda: len(member.read) == 1)

    assert member.read[0].value == value


def test_a_record_that_is_too_large_is_refused_at_once(producer: Producer) -> None:
    with pytest.raises(PermanentError, match=str(MAX_RECORD_BYTES)):
        producer.send("frames", KEYS[0], bytes(MAX_RECORD_BYTES))


def test_an_unknown_topic_is_refused_at_once(bus: Bus, producer: Producer) -> None:
    with pytest.raises(PermanentError, match="nowhere"):
        producer.send("nowhere", KEYS[0], b"x")
    with pytest.raises(PermanentError, match="nowhere"):
        bus.consumer("workers", ["nowhere"])


def test_the_backlog_of_a_key_counts_what_is_not_committed(bus: Bus, group: Group, producer: Producer) -> None:
    for number in range(5):
        producer.send("frames", "a", b"%d" % number)
    producer.flush(10)
    assert bus.backlog("frames", "unheard-of", "a") == 5

    member = group.join()
    group.poll_until(lambda: len(member.read) == 5)
    member.consumer.commit({member.read[0].source: 3})

    group.poll_until(lambda: bus.backlog("frames", "workers", "a") == 2)


def test_lag_counts_what_was_not_polled(group: Group, producer: Producer) -> None:
    for number in range(9):
        producer.send("frames", "a", b"%d" % number)
    producer.flush(10)
    member = group.join()
    group.poll_until(lambda: len(member.owned) == 4)

    def one_read() -> bool:
        member.read += member.consumer.poll(1, 1.0)
        return bool(member.read)

    wait_until(one_read)
    assert len(member.read) + member.consumer.lag() == 9


def test_lag_grows_while_records_that_were_fetched_wait(group: Group, producer: Producer) -> None:
    member = group.join()
    group.poll_until(lambda: len(member.owned) == 4)
    for number in range(3):
        producer.send("frames", "a", b"%d" % number)
    producer.flush(10)

    def one_read() -> bool:
        member.read += member.consumer.poll(1, 1.0)
        return bool(member.read)

    wait_until(one_read)
    for number in range(50):
        producer.send("frames", "a", b"%d" % number)
    producer.flush(10)

    wait_until(lambda: member.consumer.lag() == 52)


def test_a_closed_consumer_may_be_closed_again(bus: Bus) -> None:
    consumer = bus.consumer("workers", ["frames"])
    consumer.close()
    consumer.close()


def test_a_watcher_reads_one_key_from_what_is_kept_of_the_last_seconds(bus: Bus, producer: Producer) -> None:
    for number in range(3):
        producer.send("frames", KEYS[number], b"before")
    producer.flush(10)
    watcher, later = bus.watch("frames", KEYS[0], since_s=60), bus.watch("frames", KEYS[0], since_s=-60)
    read: list[bytes | None] = []

    def read_until(count: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while len(read) < count:
            assert time.monotonic() < deadline, read
            read.extend(record.value for record in watcher.poll(0.1))

    read_until(1)
    for number in range(3):
        producer.send("frames", KEYS[number], b"after")
    producer.flush(10)
    read_until(2)

    assert read == [b"before", b"after"]
    assert watcher.at_end()
    assert later.poll(0.1) == []
    watcher.close()
    later.close()


def test_a_watcher_holds_no_record_back(bus: Bus, group: Group, producer: Producer) -> None:
    watcher = bus.watch("frames", KEYS[0], since_s=60)
    producer.send("frames", KEYS[0], b"read by the worker")
    producer.flush(10)
    member = group.join()
    group.poll_until(lambda: len(member.read) == 1)

    member.commit()

    assert bus.backlog("frames", "workers", KEYS[0]) == 0
    watcher.close()


def everybody(_: str) -> bool:
    return True


def kept_values(bus: Bus, topic: str = "frames") -> list[bytes]:
    """Return what somebody who comes now can still read, in the order it was sent."""
    readers = [bus.watch(topic, key, 3600) for key in KEYS]
    found = []
    for reader in readers:
        while not reader.at_end():
            found += reader.poll(0.1)
        reader.close()
    return sorted((record.value or b"" for record in found), key=int)


def test_what_every_group_has_committed_is_deleted_for_good_and_nothing_else(
    bus: Bus, group: Group, producer: Producer
) -> None:
    # Given records that one group has committed to the end, and another one has not
    first = send(producer, 24)
    ahead, behind = group.join("ahead"), group.join("behind")
    group.poll_until(lambda: len(ahead.read) == len(behind.read) == 24)
    ahead.commit()
    behind.read = [record for record in behind.read if int(record.value or b"") < 12]
    behind.commit()
    ends = bus.ends("frames")
    later = send(producer, 12, first=24)
    # When all that was there is to be deleted
    done = bus.discard(ends, everybody)
    # Then what the second one has not committed is kept, and it is named
    assert kept_values(bus) == [*first[12:], *later]
    assert {name for one in done.values() for name in one.groups} == {"behind"}
    assert sum(one.kept for one in done.values()) == 12
    # And it goes once it is not waited for any more, but nothing that came later
    done = bus.discard(ends, lambda name: name != "behind")
    assert kept_values(bus) == later
    assert [(one.kept, one.groups, one.problem) for one in done.values()] == [(0, (), "")] * len(done)
    # And the group that was behind goes on with what there is
    group.leave(behind)
    again = group.join("behind")
    group.poll_until(lambda: len(again.read) >= 12)
    assert set(again.values()) == set(later)


def test_what_is_deleted_twice_or_is_not_there_makes_no_difference(bus: Bus, producer: Producer) -> None:
    assert not any(one.gone or one.kept for one in bus.discard(bus.ends("frames"), everybody).values())
    send(producer, 12)
    assert sum(one.gone for one in bus.discard(bus.ends("frames"), everybody).values()) == 12
    assert not any(one.gone or one.kept for one in bus.discard(bus.ends("frames"), everybody).values())


def test_ends_are_those_of_the_partitions_of_some_keys(bus: Bus, producer: Producer) -> None:
    producer.send("frames", KEYS[0], b"0")
    producer.flush(10)
    assert list(bus.ends("frames", [KEYS[0]]).values()) == [1]
    assert sorted(bus.ends("frames").values()) == [0, 0, 0, 1]


def test_of_a_table_what_was_replaced_goes_and_the_last_of_a_key_is_returned(bus: Bus, producer: Producer) -> None:
    for key, value in (("camera-0", b"old"), ("camera-0", b"older"), ("camera-1", b"last")):
        producer.send("cameras", key, value)
    producer.flush(10)
    before = bus.ends("cameras")
    producer.send("cameras", "camera-0", b"new")
    producer.flush(10)
    keys = ["camera-0", "camera-1"]
    last = {record.key for one in bus.discard(before, everybody, keys).values() for record in one.last}
    assert last == {"camera-1"}
    assert {key: record.value for key, record in bus.table("cameras").items()} == {
        "camera-0": b"new",
        "camera-1": b"last",
    }
