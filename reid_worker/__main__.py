"""`climbtrack worker`: turns its share of the `frames` topic on Kafka into tracklets."""

import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from reid_worker.config import WorkerSettings
from reid_worker.handler import NAME, build_service
from wire import process
from wire.certificate import export_expiry
from wire.health import ServiceMonitor
from wire.kafka.bus import KafkaBus
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings
from wire.tracing import exported


def main(config: Path | None = None) -> int:
    """Run the worker over Kafka until a signal; return the exit code.

    Raises:
        SettingsError: A setting is unknown or invalid, or one of the models cannot be used.
    """
    settings = WorkerSettings.load(config)
    registry = CollectorRegistry()
    metrics = ServiceMetrics(registry)
    monitor = ServiceMonitor(NAME, metrics)
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
