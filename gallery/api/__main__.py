"""`climbtrack api`: answers questions about one site, from Redis and Kafka."""

import logging
import sys
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry

from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store_redis import RedisStore, connect
from wire import process
from wire.errors import SettingsError
from wire.kafka import KafkaBus
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings, RedisSettings, read_config

log = logging.getLogger(__name__)

DEFAULT_SITE = "site"
DRAIN_S = 2  # event streams never end by themselves


def main(config: Path | None = None) -> int:
    """Serve the API until a signal; return the exit code.

    Raises:
        SettingsError: A setting is unknown or wrong.
    """
    settings = ApiSettings.load(config)
    site_id = read_config(config).get("site", DEFAULT_SITE)
    if not isinstance(site_id, str):
        raise SettingsError(f"config {config}: site = {site_id!r}: must be text")
    registry = CollectorRegistry()
    ServiceMetrics(registry)
    client = connect(RedisSettings.load(config))
    bus = KafkaBus(KafkaSettings.load(config))
    try:
        bus.ensure_topics()
        app = create_app(RedisStore(client, site_id), bus, settings, registry=registry)
        log.info("api: http://%s:%d, its documentation at /docs", settings.host, settings.port)
        server = uvicorn.Config(
            app, settings.host, settings.port, log_config=None, access_log=False, timeout_graceful_shutdown=DRAIN_S
        )
        uvicorn.Server(server).run()
    finally:
        bus.close()
        client.close()
    return process.EXIT_DONE


if __name__ == "__main__":
    process.log_to_stderr()
    sys.exit(process.exit_code(lambda: main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)))
