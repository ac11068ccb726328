"""`climbtrack alerts`: raises alerts about people of the sites in Redis, and sends them."""

import sys
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry

from gallery.alerts.handler import NAME, build_service
from gallery.outputs.config import AlertSettings
from gallery.store.server import connect
from gallery.store.sites import RedisSites
from wire import process
from wire.certificate import export_expiry
from wire.health import ServiceMonitor
from wire.kafka.bus import KafkaBus
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings, RedisSettings
from wire.tracing import exported


def main(config: Path | None = None) -> int:
    """Run the alerts service over Kafka and Redis until a signal arrives; return the exit code.

    Raises:
        SettingsError: A setting is unknown or wrong, or Redis or Kafka refuses access.
    """
    settings = AlertSettings.load(config)
    registry = CollectorRegistry()
    metrics = ServiceMetrics(registry)
    monitor = ServiceMonitor(NAME, metrics)
    redis, kafka = RedisSettings.load(config), KafkaSettings.load(config)
    export_expiry(metrics, redis, kafka)
    client = connect(redis)
    bus = KafkaBus(kafka)
    try:
        sites = RedisSites(client)
        sites.check()
        service = build_service(
            settings, bus, metrics, registry, cache(sites.open), site_names=sites.with_alerts, monitor=monitor
        )
        with exported(config, registry):
            return process.run_service(service, monitor, registry, host=settings.health_host, port=settings.health_port)
    finally:
        bus.close()
        client.close()


if __name__ == "__main__":
    sys.exit(process.run_main(main))
