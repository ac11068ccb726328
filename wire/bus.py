"""The bus interface. `memory.MemoryBus` is the reference; `kafka.KafkaBus` must behave the same (tests/contract)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol


class TopicPartition(NamedTuple):
    """One ordered log."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a log; a `value` of None is a tombstone. `time_ns` is when it was stored, by the bus's clock."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None = field(repr=False)  # a camera's URL may hold a password
    time_ns: int

    @property
    def place(self) -> str:
        """Return the record's position in readable form: `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def source(self) -> TopicPartition:
        """Return the partition that holds the record."""
        return TopicPartition(self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class Discarded:
    """What became of the records of a partition that were to be deleted.

    Attributes:
        gone: How many were deleted by this call.
        kept: How many there still are, at most.
        groups: Those that have not committed them, and are waited for.
        problem: Why the bus refuses, in words; empty if it does not.
        last: Of a compacted topic, the last records of keys, which nothing has replaced yet.
    """

    gone: int = 0
    kept: int = 0
    groups: tuple[str, ...] = ()
    problem: str = ""
    last: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is created: number of partitions, and retention in seconds (None: compacted)."""

    name: str
    partitions: int
    retention_s: int | None


CAMERAS = TopicSpec("cameras", partitions=32, retention_s=None)  # 32: the most ingest workers that can share them
FRAMES = TopicSpec("frames", partitions=32, retention_s=600)
TRACKLETS = TopicSpec("tracklets", partitions=8, retention_s=86_400)
IDENTITIES = TopicSpec("identities", partitions=8, retention_s=7 * 86_400)
DEAD_LETTERS = TopicSpec("dead-letters", partitions=1, retention_s=7 * 86_400)
WORKER_STATE = TopicSpec("worker-state", partitions=32, retention_s=None)
CAMERA_STATES = TopicSpec("camera-states", partitions=8, retention_s=None)
BOXES = TopicSpec("boxes", partitions=32, retention_s=600)
PICTURE_QUERIES = TopicSpec("picture-queries", partitions=8, retention_s=60)
QUERY_ANSWERS = TopicSpec("query-answers", partitions=8, retention_s=60)
CAMERA_TESTS = TopicSpec("camera-tests", partitions=8, retention_s=60)
NVSCHEMA = TopicSpec("nvschema", partitions=32, retention_s=600)  # JSON for other programs
CLOCK = TopicSpec("clock", partitions=1, retention_s=60)  # the broker tells when it stored a record; nobody reads it
TOPICS = (
    CAMERAS,
    FRAMES,
    TRACKLETS,
    IDENTITIES,
    DEAD_LETTERS,
    WORKER_STATE,
    CAMERA_STATES,
    BOXES,
    PICTURE_QUERIES,
    QUERY_ANSWERS,
    CAMERA_TESTS,
    NVSCHEMA,
    CLOCK,
)
SECRET = frozenset({CAMERAS.name, CAMERA_TESTS.name})  # topics whose values may hold passwords
# Topics whose values hold pictures of people, or what somebody can be recognised by.
PICTURES = frozenset({FRAMES.name, TRACKLETS.name, WORKER_STATE.name, PICTURE_QUERIES.name, QUERY_ANSWERS.name})

MAX_RECORD_BYTES = 8 * 1024 * 1024  # worker states hold crops; the limit of broker, topic, producer and consumer

RECORD_OVERHEAD_BYTES = 200  # headers of a record and its batch on Kafka; about what Python needs to hold one

Start = Literal["committed", "beginning", "end"]
Rebalance = Callable[[Collection[TopicPartition]], None]


def record_bytes(key: str, value: bytes | None) -> int:
    """Return the size of a record that is checked against `MAX_RECORD_BYTES`."""
    return RECORD_OVERHEAD_BYTES + len(key.encode()) + len(value or b"")


class Producer(Protocol):
    """Sends records; thread-safe."""

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Queue a record; records of a topic with the same key share a partition and keep their order.

        Raises:
            BusFull: The bus stayed full for as long as it is willing to wait; nothing is lost.
            TransientError: The broker stayed unavailable for longer than the bus is willing to wait, or a record sent
                since the last flush failed; a failed record is reported once here, and by the next flush.
            PermanentError: The record is larger than `MAX_RECORD_BYTES`, or the topic does not exist.
        """

    def flush(self, timeout_s: float) -> None:
        """Return when everything sent is stored safely.

        Raises:
            TransientError: A record was not stored within `timeout_s`, or failed since the last flush.
        """

    def close(self) -> None:
        """Flush briefly and release everything."""


class Consumer(Protocol):
    """Reads its share of a set of topics, in partition order; not thread-safe."""

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return up to `max_records`, or nothing after `timeout_s`. Rebalance callbacks run inside this call.

        Raises:
            TransientError: The broker is unavailable.
        """

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store the group's next offset to read for each partition; partitions no longer owned are skipped."""

    def lag(self) -> int:
        """Return how many records of the owned partitions have not been polled."""

    def close(self) -> None:
        """Leave the group, so that others take over at once. Nothing is committed."""


class Follower(Protocol):
    """Reads in no group, and so holds nothing back; not thread-safe. See `GrouplessBus.follow` and `watch`."""

    def poll(self, timeout_s: float) -> list[Record]:
        """Return new records, or nothing after `timeout_s`; records with the same key stay in order.

        Raises:
            TransientError: The broker is unavailable; an unavailable broker may also look like one with nothing new.
        """

    def at_end(self) -> bool:
        """Tell whether `poll` has returned everything stored on the bus so far.

        Raises:
            TransientError: The broker is unavailable.
        """

    def close(self) -> None:
        """Release everything."""


class GrouplessBus(Protocol):
    """What those see of a bus who are in no group: they send, and read along."""

    def producer(self) -> Producer:
        """Return a new producer."""

    def follow(self, topic: str) -> Follower:
        """Return a new reader of a compacted topic from its beginning, tombstones included."""

    def watch(self, topic: str, key: str, since_s: float) -> Follower:
        """Return a new reader of one key's records, from those of the last `since_s` seconds that are still kept.

        Records that are freed before they are read are skipped.
        """

    def close(self) -> None:
        """Release everything."""


class Bus(GrouplessBus, Protocol):
    """A set of topics, with producers and consumers for them."""

    def now_ns(self) -> int:
        """Return the time by the clock that stamps records, ns since the Unix epoch; all machines agree about it.

        Our own clock's while that one is not known: on Kafka, until topics were ensured.
        """

    def ensure_topics(self) -> None:
        """Create the missing ones of `TOPICS`, with all size limits; idempotent."""

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

        `start` sets where an assigned partition begins: at the group's committed offset (the oldest record if there is
        none, or if it was deleted), always at the beginning (tables), or always after the last record (live
        listeners). `on_revoked` runs before another member may own the partitions; `on_assigned` before their first
        record.
        """

    def table(self, topic: str) -> dict[str, Record]:
        """Return the last record of every key of a compacted topic, tombstones left out."""

    def backlog(self, topic: str, group: str, key: str) -> int:
        """Return how many records of the key's partition the group has not committed; may be up to 1 s old."""

    def ends(self, topic: str, keys: Collection[str] | None = None) -> dict[TopicPartition, int]:
        """Return the offset of the next record of each partition of a topic; of those of some keys, if any are given.

        Raises:
            TransientError: The broker is unavailable.
        """

    def discard(
        self, before: Mapping[TopicPartition, int], waits_for: Callable[[str], bool], keys: Collection[str] = ()
    ) -> dict[TopicPartition, Discarded]:
        """Delete the records below an offset of each partition, for good.

        What a group reads again after a restart is never deleted while it is waited for: everything from the offset it
        has committed. Groups that have committed nothing, and readers without a group, are not known to the bus.

        Of a compacted topic, records of `keys` are meant, and they go once later ones have replaced them.

        Args:
            before: The first offset of each partition that is left alone.
            waits_for: Tells whether a group's records are left to it; groups of other programs have their full names.
            keys: See above.

        Raises:
            TransientError: The broker is unavailable; the call may have taken effect in part.
        """
