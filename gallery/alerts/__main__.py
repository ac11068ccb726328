"""`climbtrack alerts`: raises alerts about people of the sites in Redis, and sends them."""

import sys
from functools import cache
from pathlib import Path

from gallery.alerts.handler import NAME, build_service
from gallery.outputs.config import AlertSettings
from gallery.store.connections import connected
from wire import process
from wire.health import ServiceMonitor
from wire.tracing import exported


def main(config: Path | None = None) -> int:
    """Run the alerts service over Kafka and Redis until a signal arrives; return the exit code.

    Raises:
        SettingsError: A setting is unknown or wrong, or Redis or Kafka refuses access.
    """
    settings = AlertSettings.load(config)
    with connected(config) as to:
        monitor = ServiceMonitor(NAME, to.metrics)
        service = build_service(
            settings,
            to.bus,
            to.metrics,
            to.registry,
            cache(to.sites.open),
            site_names=to.sites.with_alerts,
            monitor=monitor,
        )
        with exported(config, to.registry):
            return process.run_service(
                service, monitor, to.registry, host=settings.health_host, port=settings.health_port
            )


if __name__ == "__main__":
    sys.exit(process.run_main(main))
