"""What every bus promises. `memory.MemoryBus` is the reference; `kafka.KafkaBus` must equal it (tests/contract)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol


class TopicPartition(NamedTuple):
    """One ordered log."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a log; `value` None is a tombstone. `time_ns` is when it was sent."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None = field(repr=False)  # of a camera it holds a password
    time_ns: int

    @property
    def place(self) -> str:
        """Return where it stands, for people: `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def source(self) -> TopicPartition:
        """Return the log it stands in."""
        return TopicPartition(self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is created: partitions, how long it is kept (None: compacted), and its part of a bounded bus."""

    name: str
    partitions: int
    retention_s: int | None


CAMERAS = TopicSpec("cameras", partitions=32, retention_s=None)  # 32: the most ingest workers that can share them
FRAMES = TopicSpec("frames", partitions=32, retention_s=600)
TRACKLETS = TopicSpec("tracklets", partitions=8, retention_s=86_400)
IDENTITIES = TopicSpec("identities", partitions=8, retention_s=7 * 86_400)
DEAD_LETTERS = TopicSpec("dead-letters", partitions=1, retention_s=7 * 86_400)
WORKER_STATE = TopicSpec("worker-state", partitions=32, retention_s=None)
TOPICS = (CAMERAS, FRAMES, TRACKLETS, IDENTITIES, DEAD_LETTERS, WORKER_STATE)

MAX_RECORD_BYTES = 8 * 1024 * 1024  # worker states hold crops; broker, topic, producer and consumer all take this one

RECORD_OVERHEAD_BYTES = 200  # a record's and its batch's headers on Kafka; about what Python needs to hold one

Start = Literal["committed", "beginning", "end"]
Rebalance = Callable[[Collection[TopicPartition]], None]


def record_bytes(key: str, value: bytes | None) -> int:
    """Return what counts against `MAX_RECORD_BYTES`."""
    return RECORD_OVERHEAD_BYTES + len(key.encode()) + len(value or b"")


class Producer(Protocol):
    """Sends records; thread-safe."""

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Queue a record; equal keys of a topic share a partition and keep their order.

        Raises:
            BusFull: There is no room, and waiting did not help within the bus's own limit; nothing is lost.
            TransientError: The broker is away for longer than the bus's own limit, or has lost a record since the last
                flush; that is said once here, and by the next flush.
            PermanentError: The record is larger than `MAX_RECORD_BYTES`, or the topic does not exist.
        """

    def flush(self, timeout_s: float) -> None:
        """Return when all that was sent is safe.

        Raises:
            TransientError: Some record is not safe in time, or failed since the last flush.
        """

    def close(self) -> None:
        """Flush briefly and release everything."""


class Consumer(Protocol):
    """Reads its share of some topics, in partition order; not thread-safe."""

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return up to `max_records`, or nothing after `timeout_s`. Rebalance callbacks run inside this call.

        Raises:
            TransientError: The broker is away.
        """

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store, for the group, the next offset to read of each partition; partitions no longer owned are skipped."""

    def lag(self) -> int:
        """Return how many records of the owned partitions have not been polled."""

    def close(self) -> None:
        """Leave the group, so that others take over at once. Nothing is committed."""


class Follower(Protocol):
    """Reads all of a compacted topic from its beginning, in no group; not thread-safe."""

    def poll(self, timeout_s: float) -> list[Record]:
        """Return what is new, or nothing after `timeout_s`; records of one key in their order.

        Raises:
            TransientError: The broker is away; it may also seem that nothing is new.
        """

    def at_end(self) -> bool:
        """Tell whether everything that is safe on the bus by now was returned by `poll`.

        Raises:
            TransientError: The broker is away.
        """

    def close(self) -> None:
        """Release everything."""


class Bus(Protocol):
    """A place with topics."""

    def ensure_topics(self) -> None:
        """Create what is missing of `TOPICS`, with all size limits; idempotent."""

    def producer(self) -> Producer:
        """Return a new producer."""

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        *,
        start: Start = "committed",
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> Consumer:
        """Join a group.

        `start` says where an assigned partition begins: at the group's commit (the oldest record when there is none,
        or when it is gone), always at the beginning (tables), or always behind the last record (live listeners).
        `on_revoked` runs before another member may own the partitions; `on_assigned` before their first record.
        """

    def table(self, topic: str) -> dict[str, Record]:
        """Return the last record of every key of a compacted topic, tombstones left out."""

    def follow(self, topic: str) -> Follower:
        """Return a new reader of a compacted topic, tombstones included."""

    def backlog(self, topic: str, group: str, key: str) -> int:
        """Return how many records of the key's partition the group has not committed; may be a second old."""

    def close(self) -> None:
        """Release everything."""
