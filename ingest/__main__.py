"""`climbtrack ingest`: reads its share of the cameras on the `cameras` topic and sends their frames to Kafka."""

import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from ingest.config import IngestSettings
from ingest.handler import GROUP, build_service
from wire import process
from wire.certificate import export_expiry
from wire.health import ServiceMonitor
from wire.kafka.bus import KafkaBus
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings
from wire.tracing import exported


def main(config: Path | None = None) -> int:
    """Run the ingest service over Kafka until a signal; return the exit code.

    Raises:
        SettingsError: A setting is unknown or invalid.
    """
    settings = IngestSettings.load(config)
    registry = CollectorRegistry()
    metrics = ServiceMetrics(registry)
    monitor = ServiceMonitor(GROUP, metrics)
    kafka = KafkaSettings.load(config)
    export_expiry(metrics, kafka)
    bus = KafkaBus(kafka)
    metrics.clock_ahead.labels(server="kafka").set_function(bus.clock.ahead_s)
    try:
        service = build_service(settings, bus, metrics, registry, monitor=monitor)
        with exported(config, registry):
            return process.run_service(service, monitor, registry, host=settings.health_host, port=settings.health_port)
    finally:
        bus.close()


if __name__ == "__main__":
    sys.exit(process.run_main(main))
