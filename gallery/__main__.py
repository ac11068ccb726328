"""`climbtrack gallery`: reads tracklets from Kafka and stores identities in Redis."""

import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from gallery.config import GallerySettings
from gallery.handler import NAME, build_service
from gallery.store.server import connect, persistence_failing
from gallery.store.sites import RedisSites
from wire import process
from wire.certificate import export_expiry
from wire.health import ServiceMonitor
from wire.kafka.bus import KafkaBus
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings, RedisSettings
from wire.tracing import exported


def main(config: Path | None = None) -> int:
    """Run the gallery service over Kafka and Redis until a signal arrives; return the exit code.

    Raises:
        SettingsError: A setting is unknown or wrong, or Redis or Kafka refuses access.
    """
    settings = GallerySettings.load(config)
    registry = CollectorRegistry()
    metrics = ServiceMetrics(registry)
    monitor = ServiceMonitor(NAME, metrics)
    redis, kafka = RedisSettings.load(config), KafkaSettings.load(config)
    export_expiry(metrics, redis, kafka)
    client = connect(redis)
    bus = KafkaBus(kafka)
    try:
        sites = RedisSites(client, writes=True)
        sites.check()
        persistence = persistence_failing(redis)
        service = build_service(settings, bus, metrics, registry, sites.open, monitor=monitor, persistence=persistence)
        with exported(config, registry):
            return process.run_service(service, monitor, registry, host=settings.health_host, port=settings.health_port)
    finally:
        bus.close()
        client.close()


if __name__ == "__main__":
    sys.exit(process.run_main(main))
