"""What every process that works on the sites in Redis opens at its start, and closes at its end."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from prometheus_client import CollectorRegistry

from gallery.store.server import ahead_of, connect, installation_of
from gallery.store.sites import RedisSites
from wire.certificate import export_expiry
from wire.kafka.bus import KafkaBus
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings, RedisSettings


@dataclass(frozen=True, slots=True)
class Connections:
    """Metrics of one process, and its connections to Kafka and Redis.

    Attributes:
        settings: Of Redis.
        sites: Those in Redis; whether it is a server to work on was checked.
    """

    registry: CollectorRegistry
    metrics: ServiceMetrics
    settings: RedisSettings
    client: "redis.Redis"
    sites: RedisSites
    bus: KafkaBus


@contextmanager
def connected(config: Path | None, *, writes: bool = False) -> Iterator[Connections]:
    """Connect to Kafka and Redis as a configuration file says; `writes` for who stores decisions.

    Raises:
        SettingsError: A setting is unknown or wrong, or Redis refuses access.
    """
    registry = CollectorRegistry()
    metrics = ServiceMetrics(registry)
    settings, kafka = RedisSettings.load(config), KafkaSettings.load(config)
    export_expiry(metrics, settings, kafka)
    with closing(connect(settings)) as client, closing(_bus(kafka, client)) as bus:
        metrics.clock_ahead.labels(server="kafka").set_function(bus.clock.ahead_s)
        metrics.clock_ahead.labels(server="redis").set_function(ahead_of(settings))
        sites = RedisSites(client, writes=writes)
        sites.check()
        yield Connections(registry, metrics, settings, client, sites, bus)


def _bus(kafka: KafkaSettings, client: "redis.Redis") -> KafkaBus:
    return KafkaBus(kafka, store=lambda: installation_of(client))
