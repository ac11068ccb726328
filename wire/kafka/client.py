"""Shared by all Kafka clients: names, options and the translation of errors. Part of `wire.kafka`."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import google_crc32c
from kafka import TopicPartition as KafkaPartition
from kafka import errors
from kafka.record import default_records

from wire.bus import MAX_RECORD_BYTES, Record, TopicPartition, TopicSpec
from wire.errors import PermanentError, SettingsError, TransientError
from wire.kafka.login import reach
from wire.settings import KafkaSettings
from wire.tls import context_of

CLOSE_S = 5.0
PAUSE_S = 0.1
FETCH_BYTES = 4 * MAX_RECORD_BYTES  # upper bound on one response of a broker, over all partitions
BOOTSTRAP = "Unable to bootstrap"  # the client reports nothing more
NO_BOOTSTRAP = (
    "no broker answers requests; it is starting or overloaded, does not use kafka.security_protocol, "
    "or advertises brokers that cannot be reached from here (advertised.listeners)"
)
UNHEARD = (errors.KafkaConnectionError, errors.KafkaTimeoutError, errors.NodeNotReadyError)
UNREACHED = "it is overloaded, or advertises brokers that cannot be reached from here (advertised.listeners)"
REFUSED = (errors.AuthorizationError, errors.KafkaConfigurationError, errors.SaslAuthenticationFailedError)


def _crc32c(data: memoryview) -> int:
    return int(google_crc32c.value(bytes(data)))


# The client computes this checksum over everything it sends and reads: in pure Python, at 3 MB/s on one core, unless
# the LGPL package `crc32c` is installed.
default_records.calc_crc32c = _crc32c


@dataclass(frozen=True, slots=True)
class Names:
    """Translates between our names and the prefixed names on the broker."""

    prefix: str
    specs: Mapping[str, TopicSpec]

    def outside(self, topic: str) -> str:
        """Return the topic's name on the broker."""
        if topic not in self.specs:
            raise PermanentError(f"topic {topic!r} does not exist; known topics: {', '.join(self.specs)}")
        return self.prefix + topic

    def group(self, name: str) -> str:
        """Return the group's name on the broker."""
        return self.prefix + name

    def outside_part(self, part: TopicPartition) -> KafkaPartition:
        """Convert one of our partitions to the client's type."""
        return KafkaPartition(self.outside(part.topic), part.partition)

    def inside_part(self, part: KafkaPartition) -> TopicPartition:
        """Convert one of the client's partitions to our type."""
        return TopicPartition(part.topic.removeprefix(self.prefix), part.partition)

    def partitions(self, topic: str) -> list[KafkaPartition]:
        """Return all partitions of one of our topics as the client's type."""
        name = self.outside(topic)
        return [KafkaPartition(name, number) for number in range(self.specs[topic].partitions)]

    def record(self, item: Any) -> Record:
        """Convert a record of the client; bytes of a key that are not UTF-8 are replaced."""
        key = (item.key or b"").decode(errors="replace")
        topic = item.topic.removeprefix(self.prefix)
        return Record(topic, item.partition, item.offset, key, item.value, item.timestamp * 1_000_000)


@contextmanager
def named_errors(settings: KafkaSettings) -> Iterator[None]:
    """Translate the client's errors into ours, naming the servers."""
    try:
        yield
    except REFUSED as error:
        raise SettingsError(f"kafka.servers = {settings.servers!r} refused access: {error}") from error
    except (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError) as error:
        raise PermanentError(f"Kafka at {settings.servers}: {error}") from error
    except errors.KafkaError as error:
        cause = NO_BOOTSTRAP if BOOTSTRAP in str(error) else str(error)
        if isinstance(error, UNHEARD) and cause is not NO_BOOTSTRAP:  # who can be reached at all was tried before
            cause = f"{cause}; {UNREACHED}"
        raise TransientError(f"Kafka at {settings.servers}: {cause}") from error


def settled(ask: Callable[[], Any], within_s: float) -> Any:
    """Return what a broker answers, asked again while it says that it cannot tell yet.

    The first group of a new broker has no coordinator until the broker has made the topic of offsets, and a group
    that moves has none for a moment; the client's admin asks once.

    Raises:
        KafkaError: The broker refuses, or cannot tell for longer than that.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return ask()
        except errors.KafkaError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the options every client needs to connect, once a server can be reached.

    A client that fails to connect leaks its thread and sockets, so none is created before a server accepts
    connections.

    Raises:
        TransientError: No server accepts a connection.
        SettingsError: A server rejects our user or certificate, or a certificate cannot be read.
    """
    reach(settings)

    password = settings.sasl_password
    return {
        "bootstrap_servers": [server.strip() for server in settings.servers.split(",")],
        "bootstrap_timeout_ms": settings.connect_timeout_ms,
        "request_timeout_ms": settings.request_timeout_ms,
        "reconnect_backoff_max_ms": 1000,
        "security_protocol": settings.security_protocol,
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": None if password is None else password.get_secret_value(),
        "ssl_context": context_of(settings) if settings.security_protocol.endswith("SSL") else None,
    }


def reading_options() -> dict[str, Any]:
    """Return the options every consumer needs: room for the largest record, and short waits."""
    return {
        "max_partition_fetch_bytes": MAX_RECORD_BYTES,
        "fetch_max_bytes": FETCH_BYTES,
        "fetch_max_wait_ms": 200,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }
