"""Reading all of a compacted topic, in no group. Part of `wire.kafka`."""

from kafka import KafkaConsumer

from wire.bus import Record
from wire.kafka_client import Names, connection_options, named_errors, reading_options
from wire.settings import KafkaSettings


class KafkaBusFollower:
    """A `wire.bus.Follower` that connects on its first call. Not thread-safe."""

    def __init__(self, settings: KafkaSettings, names: Names, topic: str) -> None:
        self._settings = settings
        self._names = names
        self._parts = names.partitions(topic)
        self._client: KafkaConsumer | None = None

    def poll(self, timeout_s: float) -> list[Record]:
        """Return new records, or nothing after `timeout_s`."""
        with named_errors(self._settings):
            found = self._connected().poll(timeout_ms=int(1000 * timeout_s))
            return [self._names.record(item) for items in found.values() for item in items]

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
            client.seek_to_beginning(*self._parts)
            self._client = client
        return self._client
