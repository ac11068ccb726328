"""The reference bus: in this process, bounded in bytes, and gone when the process ends.

Retention, per topic:
- a compacted topic keeps the last record of every key;
- records that every group has finished with (committed, or polled by a group that never commits) are freed at once;
- a full topic drops its oldest records that every group has polled, committed or not: they are needed again only if
  a member fails, and within one process no other member takes over; if there are none, the sender waits and then
  gets `BusFull`;
- a topic without readers drops its oldest records, except `frames`, which waits for a reader.
"""

import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping

from wire.bus import (
    FRAMES,
    MAX_RECORD_BYTES,
    TOPICS,
    Discarded,
    Rebalance,
    Record,
    Start,
    TopicPartition,
    TopicSpec,
    record_bytes,
)
from wire.errors import BusFull, PermanentError
from wire.memory_log import Log
from wire.memory_reading import MemoryFollower, MemoryWatcher

DEFAULT_MAX_BYTES = 512 * 1024 * 1024
SEND_WAIT_S = 1.0  # two chunks of a camera; a live source should drop frames rather than wait longer
# Fractions of the bus's bytes. Compacted topics are bounded by their number of keys: nothing in them can be dropped.
SHARES = {"frames": 1 / 2, "tracklets": 1 / 4}
SHARE_OF_OTHERS = 1 / 16


class _Topic:
    """The partitions of one topic and their shared size limit."""

    def __init__(self, spec: TopicSpec, max_bytes: int) -> None:
        self.spec = spec
        self.compacted = spec.retention_s is None
        self.max_bytes = int(max_bytes * SHARES.get(spec.name, SHARE_OF_OTHERS))
        self.logs = [Log(spec.name, number, compacted=self.compacted) for number in range(spec.partitions)]

    def log_of(self, key: str) -> Log:
        return self.logs[self.partition_of(key)]

    def partition_of(self, key: str) -> int:
        return zlib.crc32(key.encode()) % len(self.logs)

    def has_room(self, size: int) -> bool:
        return self.compacted or sum(log.size_bytes for log in self.logs) + size <= self.max_bytes

    def partitions(self) -> Iterator[tuple[TopicPartition, Log]]:
        return ((TopicPartition(self.spec.name, number), log) for number, log in enumerate(self.logs))


class _Group:
    """A consumer group: its members, the owners of partitions and the committed offsets."""

    def __init__(self) -> None:
        self.members: list[MemoryConsumer] = []  # in the order they joined
        self.owners: dict[TopicPartition, MemoryConsumer] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.committing: set[str] = set()  # topics that keep records for this group even without members

    def share_of(self, member: "MemoryConsumer", topic: _Topic) -> set[TopicPartition]:
        """Return what a member should own of a topic: every n-th partition."""
        readers = [other for other in self.members if topic.spec.name in other.topics]
        if member not in readers:
            return set()
        place = readers.index(member)
        return {part for part, _ in topic.partitions() if part.partition % len(readers) == place}


class MemoryBus:
    """A bus inside this process; thread-safe."""

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES, topics: Collection[TopicSpec] = TOPICS) -> None:
        self.changed = threading.Condition()  # guards everything below, and is notified of every change
        self._topics = {spec.name: _Topic(spec, max_bytes) for spec in topics}
        self._groups: dict[str, _Group] = {}

    def now_ns(self) -> int:
        """Return the time; see `wire.bus.Bus.now_ns`."""
        return time.time_ns()

    def ensure_topics(self) -> None:
        """Do nothing: topics exist from the start."""

    def producer(self) -> "MemoryProducer":
        """Return a new producer."""
        return MemoryProducer(self)

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        *,
        start: Start = "committed",
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> "MemoryConsumer":
        """Join a group; see `wire.bus.Bus.consumer`."""
        with self.changed:
            for topic in topics:
                self.topic(topic)
            state = self._groups.setdefault(group, _Group())
            if start == "committed":
                state.committing.update(topics)
            member = MemoryConsumer(self, state, topics, start, on_assigned or _no_callback, on_revoked or _no_callback)
            state.members.append(member)
            self.changed.notify_all()
            return member

    def table(self, topic: str) -> dict[str, Record]:
        """Return the last record of every key of a compacted topic, tombstones left out."""
        with self.changed:
            return {key: record for log in self.topic(topic).logs for key, record in log.latest().items()}

    def follow(self, topic: str) -> "MemoryFollower":
        """Return a new reader of a compacted topic."""
        with self.changed:
            return MemoryFollower(self.changed, self.topic(topic).logs)

    def watch(self, topic: str, key: str, since_s: float) -> "MemoryWatcher":
        """Return a new reader of one key's records; see `wire.bus.GrouplessBus.watch`."""
        with self.changed:
            return MemoryWatcher(self.changed, self.topic(topic).log_of(key), key, self.now_ns() - int(since_s * 1e9))

    def backlog(self, topic: str, group: str, key: str) -> int:
        """Return how many records of the key's partition the group has not committed."""
        with self.changed:
            found = self.topic(topic)
            part = TopicPartition(topic, found.partition_of(key))
            committed = self._groups[group].committed if group in self._groups else {}
            return found.log_of(key).unread(committed.get(part, 0))

    def ends(self, topic: str, keys: Collection[str] | None = None) -> dict[TopicPartition, int]:
        """Return the offset of the next record of each partition; see `wire.bus.Bus.ends`."""
        with self.changed:
            found = self.topic(topic)
            wanted = range(len(found.logs)) if keys is None else {found.partition_of(key) for key in keys}
            return {TopicPartition(topic, number): found.logs[number].end for number in sorted(wanted)}

    def discard(
        self, before: Mapping[TopicPartition, int], waits_for: Callable[[str], bool], keys: Collection[str] = ()
    ) -> dict[TopicPartition, Discarded]:
        """Delete the records below an offset of each partition; see `wire.bus.Bus.discard`."""
        with self.changed:
            return {part: self._discard(part, offset, waits_for, keys) for part, offset in before.items()}

    def _discard(
        self, part: TopicPartition, before: int, waits_for: Callable[[str], bool], keys: Collection[str]
    ) -> Discarded:
        topic = self.topic(part.topic)
        log = topic.logs[part.partition]
        if topic.compacted:  # what was replaced is gone already
            last = tuple(one for key, one in log.latest().items() if key in keys and one.offset < before)
            return Discarded(kept=len(last), last=last)
        committed = {
            name: group.committed[part]
            for name, group in self._groups.items()
            if part in group.committed and waits_for(name)
        }
        held = log.held(before)
        log.free(min([before, *committed.values()]))
        kept = log.held(before)
        behind = tuple(sorted(name for name, offset in committed.items() if offset < before)) if kept else ()
        return Discarded(held - kept, kept, behind)

    def size_bytes(self, topic: str) -> int:
        """Return how many bytes the records of a topic take up now."""
        with self.changed:
            return sum(log.size_bytes for log in self.topic(topic).logs)

    def close(self) -> None:
        """Release consumers that are still waiting in a poll."""
        with self.changed:
            for group in self._groups.values():
                for member in list(group.members):
                    member.close()

    def append(self, topic: str, key: str, value: bytes | None) -> None:
        """Add a record, waiting for room; see `wire.bus.Producer.send`."""
        size = record_bytes(key, value)
        if size > MAX_RECORD_BYTES:
            raise PermanentError(f"record of {size} bytes for {topic}, at most {MAX_RECORD_BYTES} are allowed")
        with self.changed:
            found = self.topic(topic)
            if not self.changed.wait_for(lambda: self._make_room(found, size), SEND_WAIT_S):
                raise BusFull(f"topic {topic} is full: its limit is {found.max_bytes} bytes and consumers are behind")
            found.log_of(key).append(key, value)
            self.changed.notify_all()

    def topic(self, name: str) -> _Topic:
        """Return a topic; the caller holds the lock.

        Raises:
            PermanentError: No topic has that name.
        """
        if name not in self._topics:
            raise PermanentError(f"topic {name!r} does not exist; known topics: {', '.join(self._topics)}")
        return self._topics[name]

    def free_finished(self, part: TopicPartition) -> None:
        """Free records that no group needs any more; the caller holds the lock."""
        topic = self._topics[part.topic]
        floors = [
            group.committed.get(part, 0) if part.topic in group.committing else group.owners[part].positions[part]
            for group in self._groups.values()
            if part.topic in group.committing or (part in group.owners and part in group.owners[part].positions)
        ]
        if floors:
            topic.logs[part.partition].free(min(floors))

    def _make_room(self, topic: _Topic, size: int) -> bool:
        while not topic.has_room(size):
            heads = [log for part, log in topic.partitions() if log.start < self._polled_by_all(topic, part, log)]
            if not heads:
                return False
            oldest = min(heads, key=lambda log: log.oldest().time_ns)
            oldest.free(oldest.start + 1)
        return True

    def _polled_by_all(self, topic: _Topic, part: TopicPartition, log: Log) -> int:
        floors = []
        for group in self._groups.values():
            if part in group.owners:
                floors.append(group.owners[part].positions.get(part, 0))
            elif part.topic in group.committing:
                floors.append(group.committed.get(part, 0))
        if not floors:
            return 0 if topic.spec.name == FRAMES.name else log.end
        return min(floors)


class MemoryProducer:
    """Sends records; a record is stored as soon as it is sent."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Add a record; see `wire.bus.Producer.send`."""
        self._bus.append(topic, key, value)

    def flush(self, timeout_s: float) -> None:
        """Do nothing: records are stored when sent."""

    def close(self) -> None:
        """Do nothing."""


class MemoryConsumer:
    """A member of a group; not thread-safe, but different members may run in different threads."""

    def __init__(
        self,
        bus: MemoryBus,
        group: _Group,
        topics: Collection[str],
        start: Start,
        on_assigned: Rebalance,
        on_revoked: Rebalance,
    ) -> None:
        self.topics = frozenset(topics)
        self.positions: dict[TopicPartition, int] = {}  # next offset to poll, for owned and announced partitions
        self._bus = bus
        self._group = group
        self._start: Start = start
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return up to `max_records`, or nothing after `timeout_s`; see `wire.bus.Consumer.poll`."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._rebalance()
            with self._bus.changed:
                records = self._take(max_records)
                left_s = deadline - time.monotonic()
                if records or left_s <= 0 or self not in self._group.members:
                    return records
                if not (self._lost() or self._gained()):
                    self._bus.changed.wait(left_s)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store the next offset to read; partitions that are not owned are skipped."""
        with self._bus.changed:
            for part, offset in offsets.items():
                if part in self.positions:
                    self._group.committed[part] = offset
                    self._bus.free_finished(part)
            self._bus.changed.notify_all()

    def lag(self) -> int:
        """Return how many records of the owned partitions have not been polled."""
        with self._bus.changed:
            return sum(self._log(part).unread(position) for part, position in self.positions.items())

    def close(self) -> None:
        """Leave the group; nothing is committed, no callback runs."""
        with self._bus.changed:
            if self in self._group.members:
                self._group.members.remove(self)
            for part in [part for part, owner in self._group.owners.items() if owner is self]:
                del self._group.owners[part]
            self.positions.clear()
            self._bus.changed.notify_all()

    def _rebalance(self) -> None:
        """Release partitions that others should own, then claim free ones; the callbacks run without the lock."""
        with self._bus.changed:
            lost = self._lost()
        if lost:
            self._on_revoked(lost)
            with self._bus.changed:
                for part in lost:
                    del self.positions[part]
                    del self._group.owners[part]
                self._bus.changed.notify_all()
        with self._bus.changed:
            gained = self._gained()
            self._group.owners.update(dict.fromkeys(gained, self))  # reserved during the callback
        if gained:
            self._on_assigned(gained)
            with self._bus.changed:
                self.positions.update({part: self._first_offset(part) for part in gained})

    def _lost(self) -> set[TopicPartition]:
        return set(self.positions) - self._wanted()

    def _gained(self) -> set[TopicPartition]:
        wanted = self._wanted() - set(self.positions)
        return {part for part in wanted if self._group.owners.get(part, self) is self}

    def _wanted(self) -> set[TopicPartition]:
        return set().union(*(self._group.share_of(self, self._bus.topic(name)) for name in self.topics))

    def _first_offset(self, part: TopicPartition) -> int:
        log = self._log(part)
        if self._start == "end":
            return log.end
        if self._start == "beginning":
            return log.start
        return max(self._group.committed.get(part, 0), log.start)

    def _take(self, max_records: int) -> list[Record]:
        """Take evenly from all partitions, so that no camera waits for another one's backlog."""
        records: list[Record] = []
        waiting = [part for part, position in self.positions.items() if self._log(part).unread(position)]
        waiting.sort(key=self.positions.__getitem__)
        while waiting and len(records) < max_records:
            share = -(-(max_records - len(records)) // len(waiting))
            for part in waiting:
                found = self._log(part).read(self.positions[part], min(share, max_records - len(records)))
                if found:
                    records += found
                    self.positions[part] = found[-1].offset + 1
                    self._bus.free_finished(part)
            waiting = [part for part in waiting if self._log(part).unread(self.positions[part])]
        return records

    def _log(self, part: TopicPartition) -> Log:
        return self._bus.topic(part.topic).logs[part.partition]


def _no_callback(_: Collection[TopicPartition]) -> None:
    """Stand in for a callback that was not given."""
