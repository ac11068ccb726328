"""The bus over Apache Kafka. `memory.MemoryBus` defines its behaviour; only `wire/kafka/*.py` imports kafka."""

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass

from kafka import KafkaAdminClient, KafkaConsumer, errors
from kafka.partitioner.default import murmur2

from wire.bus import CLOCK, Discarded, Rebalance, Record, Start, TopicPartition, TopicSpec
from wire.errors import SettingsError, WireError
from wire.kafka.broker_clock import BrokerClock
from wire.kafka.client import Names, connection_options, named_errors, reading_options, settled
from wire.kafka.consumer import Callbacks, KafkaBusConsumer, no_callback
from wire.kafka.discard import Discarding
from wire.kafka.follower import KafkaBusFollower
from wire.kafka.producer import KafkaBusProducer
from wire.kafka.topics import KafkaTopics, create_missing
from wire.settings import KafkaSettings
from wire.topics import sized

log = logging.getLogger(__name__)

TABLE_S = 60.0  # a table is a few megabytes; one that takes longer than a minute to read is broken
BACKLOG_AGE_S = 1.0
COORDINATOR_S = 5.0  # that a new broker may need until it knows its first group


class KafkaBus:
    """A bus over Kafka; thread-safe. Clients connect on first use, so that a service can start before its broker."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Collection[TopicSpec] | None = None,
        *,
        store: Callable[[], str] | None = None,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Keep the settings.

        Args:
            store: Names the store that this process works on, empty if it cannot be told; members of a group have one.
            time_ns: The clock of this machine.
        """
        self._settings = settings
        self._store = store
        self.clock = BrokerClock(settings.servers, time_ns=time_ns)
        self._names = Names(settings.topic_prefix, {spec.name: spec for spec in topics or sized(settings)})
        self._lock = threading.Lock()  # guards the two clients below, which are created on first use
        self._admin: KafkaAdminClient | None = None
        self._reader: KafkaConsumer | None = None
        self._backlogs: dict[tuple[str, str], _Backlog] = {}

    def now_ns(self) -> int:
        """Return the time by the brokers' clock; see `wire.bus.Bus.now_ns`."""
        return self.clock.now_ns()

    def ensure_topics(self) -> None:
        """Create missing topics, with all size limits; idempotent.

        Raises:
            SettingsError: A topic that exists has the wrong partitions, or loses messages as it is configured.
        """
        with self._lock, named_errors(self._settings):
            wrong = create_missing(self._connected_admin(), self._names, self._settings)
        if wrong:
            raise SettingsError(f"Kafka at {self._settings.servers}: {wrong[0]}")
        if CLOCK.name in self._names.specs and math.isnan(self.clock.ahead_s()):
            self._ask_time()

    def _ask_time(self) -> None:
        """Have a record stored that nobody reads, before anything is judged by a clock that may be wrong."""
        try:
            with closing(self.producer()) as producer:
                for _ in range(2):  # the first one has to wait for the connection, and so tells little
                    producer.send(CLOCK.name, "", b"")
                    producer.flush(self._settings.request_timeout_ms / 1000)
        except WireError as error:
            log.warning("whether the clock of this machine is right cannot be told yet: %s", error)

    def topics(self) -> "KafkaTopics":
        """Return how the topics are on the broker, to compare and change them."""
        with self._lock:
            return KafkaTopics(self._connected_admin(), self._names, self._settings)

    def producer(self) -> "KafkaBusProducer":
        """Return a new producer."""
        return KafkaBusProducer(self._settings, self._names, self.clock)

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        *,
        start: Start = "committed",
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> "KafkaBusConsumer":
        """Join a group with the first poll; see `wire.bus.Bus.consumer`."""
        for topic in topics:
            self._names.outside(topic)
        callbacks = Callbacks(on_assigned or no_callback, on_revoked or no_callback)
        return KafkaBusConsumer(self._settings, self._names, group, topics, start, callbacks, self._store)

    def table(self, topic: str) -> dict[str, Record]:
        """Return the last record of every key of a compacted topic, tombstones left out."""
        parts = self._names.partitions(topic)
        last: dict[str, Record] = {}
        with self._lock, named_errors(self._settings):
            reader = self._connected_reader()
            reader.assign(parts)
            reader.seek_to_beginning(*parts)
            ends = reader.end_offsets(parts, timeout_ms=self._settings.connect_timeout_ms)
            deadline = time.monotonic() + TABLE_S
            wait_ms = self._settings.connect_timeout_ms
            while any((reader.position(part, timeout_ms=wait_ms) or 0) < ends[part] for part in parts):
                if time.monotonic() > deadline:
                    raise errors.KafkaTimeoutError(f"{topic} not read to its end in {TABLE_S:.0f} s")
                for records in reader.poll(timeout_ms=200).values():
                    last.update((record.key, record) for record in map(self._names.record, records))
            reader.unsubscribe()
        return {key: record for key, record in last.items() if record.value is not None}

    def follow(self, topic: str) -> KafkaBusFollower:
        """Return a new reader of a compacted topic."""
        return KafkaBusFollower(self._settings, self._names, self._names.partitions(topic))

    def watch(self, topic: str, key: str, since_s: float) -> KafkaBusFollower:
        """Return a new reader of one key's records; see `wire.bus.GrouplessBus.watch`."""
        part = self._names.partitions(topic)[self._partition_of(topic, key)]
        since_ms = self.now_ns() // 1_000_000 - int(1000 * since_s)
        return KafkaBusFollower(self._settings, self._names, [part], key=key, since_ms=since_ms)

    def backlog(self, topic: str, group: str, key: str) -> int:
        """Return how many records of the key's partition the group has not committed; may be up to 1 s old."""
        partition = self._partition_of(topic, key)
        with self._lock, named_errors(self._settings):
            cached = self._backlogs.get((topic, group))
            if cached is None or time.monotonic() - cached.read_s > BACKLOG_AGE_S:
                cached = self._read_backlog(topic, group)
                self._backlogs[topic, group] = cached
            records: int = cached.records[partition]
            return records

    def ends(self, topic: str, keys: Collection[str] | None = None) -> dict[TopicPartition, int]:
        """Return the offset of the next record of each partition; see `wire.bus.Bus.ends`."""
        parts = self._names.partitions(topic)
        if keys is not None:
            parts = [parts[number] for number in sorted({self._partition_of(topic, key) for key in keys})]
        with self._lock, named_errors(self._settings):
            found = self._connected_reader().end_offsets(parts, timeout_ms=self._settings.connect_timeout_ms)
        return {self._names.inside_part(part): offset for part, offset in found.items()}

    def discard(
        self, before: Mapping[TopicPartition, int], waits_for: Callable[[str], bool], keys: Collection[str] = ()
    ) -> dict[TopicPartition, Discarded]:
        """Delete the records below an offset of each partition; see `wire.bus.Bus.discard`."""
        specs = self._names.specs
        tables = {part: offset for part, offset in before.items() if specs[part.topic].retention_s is None}
        logs = {part: offset for part, offset in before.items() if part not in tables}
        with self._lock, named_errors(self._settings):
            discarding = Discarding(self._connected_admin(), self._names, self._settings, waits_for)
            begins = self._begins(logs)
            done = {part: discarding.cut(part, offset, begins[part]) for part, offset in logs.items()}
            return done | (discarding.compact(tables, keys) if tables else {})

    def _begins(self, parts: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        outside = [self._names.outside_part(part) for part in parts]
        wait_ms = self._settings.connect_timeout_ms
        found = self._connected_reader().beginning_offsets(outside, timeout_ms=wait_ms) if outside else {}
        return {self._names.inside_part(part): offset for part, offset in found.items()}

    def close(self) -> None:
        """Release the bus's connections; producers and consumers have their own."""
        with self._lock, named_errors(self._settings):
            for client in (self._admin, self._reader):
                if client is not None:
                    client.close()
            self._admin = self._reader = None

    def _partition_of(self, topic: str, key: str) -> int:
        return int(murmur2(key.encode()) & 0x7FFFFFFF) % self._names.specs[topic].partitions

    def _read_backlog(self, topic: str, group: str) -> "_Backlog":
        parts = self._names.partitions(topic)
        name = self._names.group(group)
        admin = self._connected_admin()
        committed = settled(lambda: admin.list_group_offsets({name: parts}), COORDINATOR_S)[name]
        reader = self._connected_reader()
        ends = reader.end_offsets(parts, timeout_ms=self._settings.connect_timeout_ms)
        begins = reader.beginning_offsets(parts, timeout_ms=self._settings.connect_timeout_ms)
        firsts = (max(committed[part].offset, begins[part]) if part in committed else begins[part] for part in parts)
        records = [ends[part] - first for part, first in zip(parts, firsts, strict=True)]
        return _Backlog(time.monotonic(), records)

    def _connected_admin(self) -> KafkaAdminClient:
        if self._admin is None:
            self._admin = KafkaAdminClient(**connection_options(self._settings))
        return self._admin

    def _connected_reader(self) -> KafkaConsumer:
        if self._reader is None:
            self._reader = KafkaConsumer(**connection_options(self._settings), **reading_options(), group_id=None)
        return self._reader


@dataclass(frozen=True, slots=True)
class _Backlog:
    read_s: float
    records: list[int]  # by partition
