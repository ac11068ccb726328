"""Reading in no group: all of a compacted topic, or the latest of one key. Part of `wire.kafka`."""

from collections.abc import Sequence

from kafka import KafkaConsumer, TopicPartition

from wire.bus import Record
from wire.kafka.client import Names, connection_options, named_errors, reading_options
from wire.settings import KafkaSettings


class KafkaBusFollower:
    """A `wire.bus.Follower` of partitions that connects on its first call. Not thread-safe.

    It begins at their beginnings, or at the first records since `since_ms`; with `key`, it returns that key's only.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        names: Names,
        parts: Sequence[TopicPartition],
        *,
        key: str | None = None,
        since_ms: int | None = None,
    ) -> None:
        self._settings = settings
        self._names = names
        self._parts = parts
        self._key = key
        self._since_ms = since_ms
        self._client: KafkaConsumer | None = None

    def poll(self, timeout_s: float) -> list[Record]:
        """Return new records, or nothing after `timeout_s`."""
        with named_errors(self._settings):
            found = self._connected().poll(timeout_ms=int(1000 * timeout_s))
            records = (self._names.record(item) for items in found.values() for item in items)
            return [record for record in records if self._key in {None, record.key}]

    def at_end(self) -> bool:
        """Tell whether all records have been returned."""
        wait_ms = self._settings.connect_timeout_ms
        with named_errors(self._settings):
            client = self._connected()
            ends = client.end_offsets(self._parts, timeout_ms=wait_ms)
            return all((client.position(part, timeout_ms=wait_ms) or 0) >= ends[part] for part in self._parts)

    def close(self) -> None:
        """Release the connection."""
        client, self._client = self._client, None
        if client is not None:
            with named_errors(self._settings):
                client.close(autocommit=False)

    def _connected(self) -> KafkaConsumer:
        if self._client is None:
            client = KafkaConsumer(**connection_options(self._settings), **reading_options(), group_id=None)
            client.assign(self._parts)
            self._seek(client)
            self._client = client
        return self._client

    def _seek(self, client: KafkaConsumer) -> None:
        if self._since_ms is None:
            client.seek_to_beginning(*self._parts)
            return
        found = client.offsets_for_times(dict.fromkeys(self._parts, self._since_ms))
        for part in self._parts:
            if found[part] is None:
                client.seek_to_end(part)
            else:
                client.seek(part, found[part].offset)
