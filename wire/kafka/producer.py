"""Sending to Kafka. Part of `wire.kafka`."""

import logging
import threading

from kafka import KafkaProducer, errors

from wire.bus import MAX_RECORD_BYTES, record_bytes
from wire.errors import BusFull, PermanentError, TransientError
from wire.kafka.broker_clock import BrokerClock
from wire.kafka.client import CLOSE_S, Names, connection_options, named_errors
from wire.settings import KafkaSettings

log = logging.getLogger(__name__)

PENDING_BYTES = 32 * 1024 * 1024  # sent but not acknowledged: a few seconds of a dozen cameras; bounds our memory
SEND_WAIT_S = 1.0  # as on the memory bus
DELIVERY_EXTRA_MS = 1000  # a record fails after one request plus this; `flush` reports it, and the caller sends again


class KafkaBusProducer:
    """Sends records, idempotently and acknowledged by all replicas; thread-safe.

    Nothing is compressed: frames and crops already are. A client that has given up on a record is replaced, because an
    idempotent client cannot continue after a gap in its sequence numbers.
    """

    def __init__(self, settings: KafkaSettings, names: Names, clock: BrokerClock) -> None:
        self._settings = settings
        self._clock = clock
        self._names = names
        self._changed = threading.Condition()
        self._client: KafkaProducer | None = None
        self._given_up: list[KafkaProducer] = []
        self._pending_bytes = 0
        self._failure: BaseException | None = None  # since the last flush, which raises it
        self._unreported = False  # `send` has not raised it yet

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Queue a record; see `wire.bus.Producer.send`."""
        name = self._names.outside(topic)
        size = record_bytes(key, value)
        if size > MAX_RECORD_BYTES:
            raise PermanentError(f"record of {size} bytes for {topic}, at most {MAX_RECORD_BYTES} are allowed")
        with self._changed:
            if not self._changed.wait_for(lambda: self._pending_bytes + size <= PENDING_BYTES, SEND_WAIT_S):
                raise BusFull(
                    f"Kafka at {self._settings.servers} is too slow: "
                    f"{PENDING_BYTES >> 20} MiB are waiting to be acknowledged"
                )
            self._raise_unreported()
            client = self._connected()
            self._pending_bytes += size
        try:
            with named_errors(self._settings):
                sent_ms, sent_s = self._clock.local_ns() // 1_000_000, self._clock.monotonic_s()
                future = client.send(name, key=key.encode(), value=value, timestamp_ms=sent_ms)
        except (TransientError, PermanentError):
            self._done(size)
            raise
        future.add_callback(lambda stored: self._clock.stored(sent_ms, sent_s, stored.timestamp))
        future.add_callback(lambda _: self._done(size))
        future.add_errback(lambda error: self._failed(size, client, error))

    def flush(self, timeout_s: float) -> None:
        """Return when everything sent is stored safely; see `wire.bus.Producer.flush`."""
        with self._changed:
            client = self._client
        with named_errors(self._settings):
            if client is not None:
                client.flush(timeout_s)
            with self._changed:
                failure, self._failure, self._unreported = self._failure, None, False
            self._end_given_up()
            if failure is not None:
                raise failure

    def close(self) -> None:
        """Flush briefly and release everything."""
        with self._changed:
            client, self._client = self._client, None
        if client is not None:
            try:
                client.flush(CLOSE_S)
            except errors.KafkaError as error:
                log.warning("closing a producer of %s: %s", self._settings.servers, error)
            self._given_up.append(client)
        self._end_given_up()

    def _connected(self) -> KafkaProducer:
        if self._client is None:
            with named_errors(self._settings):
                self._client = KafkaProducer(
                    **connection_options(self._settings),
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=5,
                    max_request_size=MAX_RECORD_BYTES,
                    max_block_ms=self._settings.connect_timeout_ms,
                    delivery_timeout_ms=self._settings.request_timeout_ms + DELIVERY_EXTRA_MS,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
        return self._client

    def _raise_unreported(self) -> None:
        """Reject one record after a loss: a new client would deliver it before the records that are sent again."""
        if self._failure is not None and self._unreported:
            self._unreported = False
            with named_errors(self._settings):
                raise self._failure

    def _done(self, size: int) -> None:
        with self._changed:
            self._pending_bytes -= size
            self._changed.notify_all()

    def _failed(self, size: int, client: KafkaProducer, error: BaseException) -> None:
        self._done(size)
        with self._changed:
            if client is self._client:  # failures of a client that was given up on are already known
                self._failure, self._unreported = error, True
                self._given_up.append(client)
                self._client = None

    def _end_given_up(self) -> None:
        with self._changed:
            ending, self._given_up = self._given_up, []
        for client in ending:  # without the lock: closing a client fails its records, which takes the lock
            client._sender.force_close()  # noqa: SLF001 - `close` alone waits for records that cannot be delivered
            try:
                client.close(timeout=CLOSE_S)
            except errors.KafkaError as error:
                log.warning("closing a producer of %s: %s", self._settings.servers, error)
