"""Deleting records before their time, for good. Part of `wire.kafka`.

Kafka moves the beginning of a partition, so nobody can read what was before it; the file goes once it is complete. A
compacted topic cannot be cut: the broker drops what was replaced when it compacts, which it does with complete files
only. So a record of no key is sent, by which the broker completes a file that is old enough.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, errors

from wire.bus import Discarded, Record, TopicPartition
from wire.kafka.client import Names, connection_options, reading_options, settled
from wire.settings import KafkaSettings

READ_S = 60.0
SETTLE_S = 5.0  # that a broker may need until it knows its groups
NOT_ALLOWED = "Kafka refuses: allow the user of the gallery to delete records of topic {}"
REFUSED = (errors.AuthorizationError, errors.PolicyViolationError)


class Discarding:
    """One look at the groups of a broker, and deletions that respect what they have not committed."""

    def __init__(
        self, admin: KafkaAdminClient, names: Names, settings: KafkaSettings, waits_for: Callable[[str], bool]
    ) -> None:
        self._admin = admin
        self._names = names
        self._settings = settings
        self._committed = _committed(admin, names, waits_for)

    def cut(self, part: TopicPartition, before: int, begin: int) -> Discarded:
        """Delete the records of a partition below an offset that nobody has still to read; `begin` is its first."""
        behind = {group: at for group, at in self._committed.get(part, {}).items() if at < before}
        upto = max(begin, min([before, *behind.values()]))
        if upto > begin:
            outside = self._names.outside_part(part)
            try:
                self._admin.delete_records({outside: upto}, timeout_ms=self._settings.request_timeout_ms)
            except errors.OffsetOutOfRangeError:
                return Discarded()  # it is another topic by now: it was deleted, and made anew
            except REFUSED:
                return Discarded(kept=before - begin, problem=NOT_ALLOWED.format(outside.topic))
        kept = max(0, before - upto)
        return Discarded(upto - begin, kept, tuple(sorted(behind)) if kept else ())

    def compact(self, parts: Mapping[TopicPartition, int], keys: Collection[str]) -> dict[TopicPartition, Discarded]:
        """Have the broker drop replaced records of some keys, and return what there still is of them."""
        found: dict[TopicPartition, list[Record]] = {part: [] for part in parts}
        last: dict[tuple[TopicPartition, str], int] = {}
        for record in self._read(parts):
            last[record.source, record.key] = record.offset
            if record.key in keys and record.value is not None and record.offset < parts[record.source]:
                found[record.source].append(record)
        done = {}
        for part, records in found.items():
            standing = tuple(record for record in records if last[part, record.key] == record.offset)
            done[part] = Discarded(kept=len(records), last=standing)
        self._nudge([part for part, one in done.items() if one.kept > len(one.last)])
        return done

    def _read(self, parts: Iterable[TopicPartition]) -> Iterable[Record]:
        outside = [self._names.outside_part(part) for part in parts]
        client = KafkaConsumer(**connection_options(self._settings), **reading_options(), group_id=None)
        with closing(_Uncommitting(client)):
            client.assign(outside)
            client.seek_to_beginning(*outside)
            wait_ms = self._settings.connect_timeout_ms
            ends = client.end_offsets(outside, timeout_ms=wait_ms)
            deadline_s = time.monotonic() + READ_S
            while any((client.position(part, timeout_ms=wait_ms) or 0) < ends[part] for part in outside):
                if time.monotonic() > deadline_s:
                    raise errors.KafkaTimeoutError(f"{outside[0].topic} not read to its end in {READ_S:.0f} s")
                for items in client.poll(timeout_ms=200).values():
                    yield from map(self._names.record, items)

    def _nudge(self, parts: Collection[TopicPartition]) -> None:
        if not parts:
            return
        producer = KafkaProducer(**connection_options(self._settings), acks="all", metrics_enabled=False)
        try:
            for part in parts:
                name, number = self._names.outside_part(part)
                producer.send(name, key=b"", value=None, partition=number).get(self._settings.request_timeout_ms / 1000)
        finally:
            producer.close()


class _Uncommitting:
    """A consumer that is closed without a commit."""

    def __init__(self, client: KafkaConsumer) -> None:
        self._client = client

    def close(self) -> None:
        self._client.close(autocommit=False)


def _committed(
    admin: KafkaAdminClient, names: Names, waits_for: Callable[[str], bool]
) -> dict[TopicPartition, dict[str, int]]:
    """Return what the groups that are waited for have committed of our topics; ours are named without the prefix."""
    groups = {group["group_id"]: group["group_id"].removeprefix(names.prefix) for group in admin.list_groups()}
    waited = {outside: name for outside, name in groups.items() if waits_for(name)}
    ours = {names.outside(topic) for topic in names.specs}
    committed: dict[TopicPartition, dict[str, int]] = {}
    offsets = settled(lambda: admin.list_group_offsets(dict.fromkeys(waited)), SETTLE_S) if waited else {}
    for outside, found in offsets.items():
        for part, at in found.items():
            if part.topic in ours and at.offset >= 0:
                committed.setdefault(names.inside_part(part), {})[waited[outside]] = at.offset
    return committed
