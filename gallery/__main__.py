"""`climbtrack gallery`: reads tracklets from Kafka and stores identities in Redis."""

import sys
from pathlib import Path

from gallery.config import GallerySettings
from gallery.freed_memory import overwrite_freed_memory
from gallery.handler import NAME, build_service
from gallery.store.connections import connected
from gallery.store.server import persistence_failing
from wire import process
from wire.health import ServiceMonitor
from wire.tracing import exported


def main(config: Path | None = None) -> int:
    """Run the gallery service over Kafka and Redis until a signal arrives; return the exit code.

    Raises:
        SettingsError: A setting is unknown or wrong, or Redis or Kafka refuses access.
    """
    overwrite_freed_memory()
    settings = GallerySettings.load(config)
    with connected(config, writes=True) as to:
        monitor = ServiceMonitor(NAME, to.metrics)
        service = build_service(
            settings,
            to.bus,
            to.metrics,
            to.registry,
            to.sites.open,
            monitor=monitor,
            persistence=persistence_failing(to.settings),
        )
        with exported(config, to.registry):
            return process.run_service(
                service, monitor, to.registry, host=settings.health_host, port=settings.health_port
            )


if __name__ == "__main__":
    sys.exit(process.run_main(main))
