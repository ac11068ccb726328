"""`climbtrack recorder`: keeps what cameras send, as far as the settings ask for it."""

import logging
import sys
from functools import cache
from pathlib import Path

from gallery.recording.config import RecordingSettings
from gallery.recording.handler import NAME, build_service
from gallery.store.connections import connected
from wire import process
from wire.cameras import CameraTable
from wire.health import ServiceMonitor
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
    with connected(config) as to, CameraTable(to.bus) as cameras, exported(config, to.registry):
        monitor = ServiceMonitor(NAME, to.metrics)
        service = build_service(settings, to.bus, to.registry, cache(to.sites.open), cameras, monitor=monitor)
        return process.run_service(service, monitor, to.registry, host=settings.health_host, port=settings.health_port)


if __name__ == "__main__":
    sys.exit(process.run_main(main))
