"""Reading from Kafka as a member of a group. Part of `wire.kafka`.

Members join with the classic protocol and a cooperative assignor: a member that joins or leaves interrupts only the
partitions that move, so a camera is not reconnected because a worker elsewhere was restarted. Members that read topics
of cameras know how many cameras each partition has, so that whoever leads the group can share the cameras out evenly.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from kafka import KafkaConsumer, errors
from kafka import TopicPartition as KafkaPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import OffsetAndMetadata

from wire.bus import CAMERAS, Rebalance, Record, Start, TopicPartition
from wire.kafka.assignor import CameraAssignor
from wire.kafka.camera_counts import CameraCounts
from wire.kafka.client import CLOSE_S, Names, connection_options, named_errors, reading_options
from wire.kafka.installation import check_store, client_id
from wire.settings import KafkaSettings
from wire.topics import BY_CAMERA

log = logging.getLogger(__name__)

ENDS_S = 2.0  # how old the known ends of partitions may be
CONTACT_S = 5.0  # how often an idle consumer checks that the broker is alive
LEFT_GROUP = (
    errors.CommitFailedError,
    errors.IllegalGenerationError,
    errors.RebalanceInProgressError,
    errors.UnknownMemberIdError,
)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Called when partitions are gained or lost."""

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
        store: Callable[[], str] | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._names = names
        self._group = group
        self._topics = topics
        self._start: Start = start
        self._callbacks = callbacks
        self._client: KafkaConsumer | None = None
        camera_topics = {spec.name for spec in BY_CAMERA} & set(topics)
        self._assignor = CameraAssignor({names.outside(topic) for topic in camera_topics})
        self._listener = _Listener(self, self._assignor)
        weighed = camera_topics and CAMERAS.name in names.specs
        self._counts = CameraCounts(settings, names) if weighed else None
        self._records: list[Record] = []  # fetched but not returned yet
        self._announced: set[TopicPartition] = set()  # owned, and `on_assigned` has returned
        self._uncommitted: dict[TopicPartition, int] = {}  # rejected during a rebalance
        self._failure: BaseException | None = None  # raised by `on_revoked`, which runs in the client's thread
        self._contact_s = 0.0
        self._ends: dict[KafkaPartition, int] = {}
        self._ends_s = -ENDS_S

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
        self._follow_cameras(client)
        records, self._records = self._records[:max_records], self._records[max_records:]
        return records

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store the next offset to read; partitions no longer owned are skipped.

        Offsets rejected during a rebalance are committed after it, if the partition is still ours.
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
        """Return how many records of the owned partitions have not been polled; up to 2 s old.

        Raises:
            TransientError: The broker cannot be reached.
        """
        if self._client is None:
            return 0
        self._refresh_ends(self._client)
        behind = len(self._records)
        for part in self._client.assignment():
            end = self._client.highwater(part)  # known after the first fetch, and then so is the position
            position = None if end is None else self._client.position(part, timeout_ms=1)
            if position is not None:
                behind += max(0, max(end, self._ends.get(part, 0)) - position)
        return behind

    def _refresh_ends(self, client: KafkaConsumer) -> None:
        """Ask for the ends of the partitions: what the last fetch said of them is old while its records wait here."""
        now, owned = time.monotonic(), client.assignment()
        if now - self._ends_s < ENDS_S or not owned:
            return
        with named_errors(self._settings):
            self._ends = client.end_offsets(list(owned), timeout_ms=self._settings.connect_timeout_ms)
        self._ends_s = now

    def close(self) -> None:
        """Leave the group; nothing is committed, no callback runs."""
        client, self._client = self._client, None
        if self._counts is not None:
            self._counts.close()
        self._announced.clear()
        self._callbacks = Callbacks(no_callback, no_callback)
        if client is None:
            return
        try:
            client.close(autocommit=False, timeout_ms=int(1000 * CLOSE_S))
        except errors.KafkaError as error:
            log.warning("closing a consumer of %s: %s", self._settings.servers, error)

    def on_assigned(self, parts: Collection[KafkaPartition]) -> None:
        """Seek to where the group starts; `poll` notifies the owner, in the owner's thread."""
        if self._client is not None and parts and self._start == "beginning":
            self._client.seek_to_beginning(*parts)
        if self._client is not None and parts and self._start == "end":
            self._client.seek_to_end(*parts)

    def on_revoked(self, parts: Collection[KafkaPartition]) -> None:
        """Notify the owner before another member gets the partitions; runs in the client's thread, inside `poll`."""
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
        if self._start == "end":  # fix the position now, so that nothing sent from here on is missed
            with named_errors(self._settings):
                for part in gained:
                    client.position(self._names.outside_part(part), timeout_ms=self._settings.connect_timeout_ms)
        self._callbacks.on_assigned(gained)
        self._announced |= gained

    def _follow_cameras(self, client: KafkaConsumer) -> None:
        """Have partitions shared out anew if cameras came or went, some seconds after the last of them."""
        cameras = None if self._counts is None else self._counts.read_new()
        if cameras is None or self._assignor.learn(cameras):
            return
        # Ingest reads a file from its beginning when it takes over a camera, and connects anew to any other.
        if CAMERAS.name not in self._topics and self._assignor.is_uneven():
            log.info("%s: cameras came or went, so that partitions move to other members", self._group)
            client._coordinator.request_rejoin()  # noqa: SLF001 - as Java's enforceRebalance; the client publishes none

    def _check_contact(self, client: KafkaConsumer) -> None:
        now = time.monotonic()
        if not self._records and now - self._contact_s > CONTACT_S:
            first = self._names.outside_part(TopicPartition(next(iter(self._topics)), 0))
            client.end_offsets([first], timeout_ms=self._settings.connect_timeout_ms)
            self._contact_s = now

    def _connected(self) -> KafkaConsumer:
        if self._client is None:
            settings = self._settings
            options = connection_options(settings)
            store = "" if self._store is None else self._store()
            if store:
                check_store(settings, self._names.group(self._group), store)
                options["client_id"] = client_id(store)
            if self._counts is not None:
                self._assignor.learn(self._counts.read_all())
            client = KafkaConsumer(
                **options,
                **reading_options(),
                group_id=self._names.group(self._group),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=settings.session_timeout_ms,
                heartbeat_interval_ms=settings.heartbeat_interval_ms,
                max_poll_interval_ms=settings.max_poll_interval_ms,
                partition_assignment_strategy=[self._assignor],
            )
            client.subscribe([self._names.outside(topic) for topic in self._topics], listener=self._listener)
            self._client = client
        return self._client


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # the base class publishes no types
    """Forwards the client's rebalance events."""

    def __init__(self, consumer: KafkaBusConsumer, assignor: CameraAssignor) -> None:
        self._assignor = assignor
        self._consumer = consumer

    def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """Forward partitions that we own from now on."""
        self._consumer.on_assigned(assigned)

    def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        """Forward partitions that others may own after this call."""
        self._consumer.on_revoked(revoked)

    def on_partitions_lost(self, lost: Collection[KafkaPartition]) -> None:
        """Forward partitions that others already own."""
        # The client would claim them again when it rejoins, and the leader would then leave them unassigned.
        self._assignor.member_assignment = None
        self._consumer.on_revoked(lost)


def no_callback(_: Collection[TopicPartition]) -> None:
    """Stand in for a callback that was not given."""
