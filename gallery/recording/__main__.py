"""`climbtrack recorder`: keeps what cameras send, as far as the settings ask for it."""

import logging
import sys
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry

from gallery.recording.config import RecordingSettings
from gallery.recording.handler import NAME, build_service
from gallery.store.server import connect
from gallery.store.sites import RedisSites
from wire import process
from wire.cameras import CameraTable
from wire.certificate import export_expiry
from wire.health import ServiceMonitor
from wire.kafka.bus import KafkaBus
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings, RedisSettings
from wire.tracing import exported

log = logging.getLogger(__name__)


def main(config: Path | None = None) -> int:
    """Run the recorder over Kafka and Redis until a signal arrives; return the exit code.

    Raises:
        SettingsError: A setting is unknown or wrong, the folder cannot be used, or Redis or Kafka refuses access.
    """
    settings = RecordingSettings.load(config)
    if settings.cameras == "none":
        log.warning("recorder: recording.cameras is none, so nothing is recorded; set it to `all` or `chosen`")
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
        with CameraTable(bus) as cameras, exported(config, registry):
            service = build_service(settings, bus, registry, cache(sites.open), cameras, monitor=monitor)
            return process.run_service(service, monitor, registry, host=settings.health_host, port=settings.health_port)
    finally:
        bus.close()
        client.close()


if __name__ == "__main__":
    sys.exit(process.run_main(main))
