"""Reading from Kafka as a member of a group. Part of `wire.kafka`.

Members join with the classic protocol and the cooperative assignor: a member that joins or leaves interrupts only the
partitions that move, so a camera is not reconnected because a worker elsewhere was restarted.
"""

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, errors
from kafka import TopicPartition as KafkaPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import OffsetAndMetadata

from wire.bus import Rebalance, Record, Start, TopicPartition
from wire.kafka_client import CLOSE_S, Names, connection_options, named_errors, reading_options
from wire.settings import KafkaSettings

log = logging.getLogger(__name__)

CONTACT_S = 5.0  # an idle consumer asks the broker for a sign of life this often
LEFT_GROUP = (
    errors.CommitFailedError,
    errors.IllegalGenerationError,
    errors.RebalanceInProgressError,
    errors.UnknownMemberIdError,
)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Who is told about partitions."""

    on_assigned: Rebalance
    on_revoked: Rebalance


class KafkaBusConsumer:
    """A member of a group; not thread-safe."""

    def __init__(
        self,
        settings: KafkaSettings,
        names: Names,
        group: str,
        topics: Collection[str],
        start: Start,
        callbacks: Callbacks,
    ) -> None:
        self._settings = settings
        self._names = names
        self._group = group
        self._topics = topics
        self._start: Start = start
        self._callbacks = callbacks
        self._client: KafkaConsumer | None = None
        self._listener = _Listener(self)
        self._records: list[Record] = []  # fetched, not returned yet
        self._announced: set[TopicPartition] = set()  # owned, and `on_assigned` has returned
        self._uncommitted: dict[TopicPartition, int] = {}  # refused during a rebalance
        self._failure: BaseException | None = None  # of `on_revoked`, which runs in the client's thread
        self._contact_s = 0.0

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return up to `max_records`, or nothing after `timeout_s`; see `wire.bus.Consumer.poll`."""
        with named_errors(self._settings):
            client = self._connected()
            if not self._records:
                found = client.poll(timeout_ms=int(1000 * timeout_s), max_records=max_records)
                self._records = [self._names.record(item) for items in found.values() for item in items]
                self._check_contact(client)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        self._announce(client)
        self.commit({})
        records, self._records = self._records[:max_records], self._records[max_records:]
        return records

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store the next offset to read; partitions no longer owned are skipped.

        What a rebalance refuses is committed after it, when the partition is still ours.
        """
        self._uncommitted.update(offsets)
        due = {part: offset for part, offset in self._uncommitted.items() if part in self._announced}
        self._uncommitted = due
        if not due or self._client is None:
            return
        outside = {self._names.outside_part(part): OffsetAndMetadata(offset, "", -1) for part, offset in due.items()}
        with named_errors(self._settings):
            try:
                self._client.commit(outside, timeout_ms=self._settings.connect_timeout_ms)
            except LEFT_GROUP as error:
                log.info("%s: commit waits for the rebalance: %s", self._group, error)
                return
        self._uncommitted = {}

    def lag(self) -> int:
        """Return how many records of the owned partitions have not been polled, as far as the broker has told."""
        if self._client is None:
            return 0
        behind = len(self._records)
        for part in self._client.assignment():
            end = self._client.highwater(part)  # known once something was fetched, and then the position is known too
            position = None if end is None else self._client.position(part, timeout_ms=1)
            if position is not None:
                behind += max(0, end - position)
        return behind

    def close(self) -> None:
        """Leave the group; nothing is committed, no callback runs."""
        client, self._client = self._client, None
        self._announced.clear()
        self._callbacks = Callbacks(no_callback, no_callback)
        if client is None:
            return
        try:
            client.close(autocommit=False, timeout_ms=int(1000 * CLOSE_S))
        except errors.KafkaError as error:
            log.warning("closing a consumer of %s: %s", self._settings.servers, error)

    def on_assigned(self, parts: Collection[KafkaPartition]) -> None:
        """Move to where the group starts; `poll` tells the owner, in its own thread."""
        if self._client is not None and parts and self._start == "beginning":
            self._client.seek_to_beginning(*parts)
        if self._client is not None and parts and self._start == "end":
            self._client.seek_to_end(*parts)

    def on_revoked(self, parts: Collection[KafkaPartition]) -> None:
        """Tell the owner before somebody else gets the partitions; runs in the client's thread, inside `poll`."""
        lost = {self._names.inside_part(part) for part in parts} & self._announced
        self._announced -= lost
        if lost:
            try:
                self._callbacks.on_revoked(lost)
            except BaseException as error:  # noqa: BLE001 - raised again by poll, in the owner's thread
                self._failure = error

    def _announce(self, client: KafkaConsumer) -> None:
        owned = {self._names.inside_part(part) for part in client.assignment()}
        self._records = [record for record in self._records if record.source in owned]
        gained = owned - self._announced
        if not gained:
            return
        if self._start == "end":  # from here on nothing is missed
            with named_errors(self._settings):
                for part in gained:
                    client.position(self._names.outside_part(part), timeout_ms=self._settings.connect_timeout_ms)
        self._callbacks.on_assigned(gained)
        self._announced |= gained

    def _check_contact(self, client: KafkaConsumer) -> None:
        now = time.monotonic()
        if not self._records and now - self._contact_s > CONTACT_S:
            first = self._names.outside_part(TopicPartition(next(iter(self._topics)), 0))
            client.end_offsets([first], timeout_ms=self._settings.connect_timeout_ms)
            self._contact_s = now

    def _connected(self) -> KafkaConsumer:
        if self._client is None:
            settings = self._settings
            client = KafkaConsumer(
                **connection_options(settings),
                **reading_options(),
                group_id=self._names.group(self._group),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=settings.session_timeout_ms,
                heartbeat_interval_ms=settings.heartbeat_interval_ms,
                max_poll_interval_ms=settings.max_poll_interval_ms,
                partition_assignment_strategy=[self._listener.assignor],
            )
            client.subscribe([self._names.outside(topic) for topic in self._topics], listener=self._listener)
            self._client = client
        return self._client


class _Assignor(CooperativeStickyAssignor):  # type: ignore[misc] # the base class publishes no types
    """Shares partitions only once it knows them."""

    def assign(self, cluster: Any, members: Any) -> Any:
        """Return every member's share.

        Raises:
            LeaderNotAvailableError: Metadata of a topic has not arrived yet; the client joins again after a pause. Its
                own assignor would give the topic to nobody, and may never notice.
        """
        wanted = {topic for member in members for topic in member.metadata.topics}
        unknown = sorted(topic for topic in wanted if not cluster.partitions_for_topic(topic))
        if unknown:
            raise errors.LeaderNotAvailableError(f"no metadata of {', '.join(unknown)} yet")
        return super().assign(cluster, members)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # the base class publishes no types
    """Passes on what the client says about partitions."""

    def __init__(self, consumer: KafkaBusConsumer) -> None:
        self.assignor = _Assignor()
        self._consumer = consumer

    def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """Note partitions that we own from now on."""
        self._consumer.on_assigned(assigned)

    def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        """Note partitions that others may own after this call."""
        self._consumer.on_revoked(revoked)

    def on_partitions_lost(self, lost: Collection[KafkaPartition]) -> None:
        """Note partitions that others own already."""
        # The client would claim them again when it rejoins, and the leader would then give them to nobody.
        self.assignor.member_assignment = None
        self._consumer.on_revoked(lost)


def no_callback(_: Collection[TopicPartition]) -> None:
    """Stand in for a callback that nobody gave."""
