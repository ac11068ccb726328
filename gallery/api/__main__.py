"""`climbtrack api`: serves the HTTP API of one site from Redis and Kafka."""

import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from prometheus_client import generate_latest

from gallery.access.first import tell_first_admin
from gallery.api.address import explain_bind_failure, open_listener
from gallery.api.app import create_app, needs_admin, prepare
from gallery.api.discovery import Finder
from gallery.api.others import OtherSettings
from gallery.api.tls import scheme_of, tls_options
from gallery.config import ApiSettings
from gallery.outputs.config import AlertSettings
from gallery.recording.config import RecordingSettings
from gallery.store.connections import connected
from gallery.store.redis import RedisStore
from gallery.store.server import answering
from gallery.store.store import Store
from wire import process
from wire.config_file import site_of
from wire.errors import SettingsError

log = logging.getLogger(__name__)

DRAIN_S = 2  # event streams never end by themselves


def main(config: Path | None = None, find: Finder | None = None) -> int:
    """Serve the API until a signal arrives; return the exit code. `find` looks for cameras on the network.

    Raises:
        SettingsError: A setting is unknown or wrong, or the address cannot be bound.
    """
    settings = ApiSettings.load(config)
    site_id = site_of(config)
    with connected(config) as to:
        to.bus.ensure_topics()
        store = RedisStore(to.client, site_id)
        to.metrics.ready.labels(service="api").set_function(answering(to.settings))
        metrics = partial(generate_latest, to.registry)
        others = OtherSettings(RecordingSettings.load(config), AlertSettings.load(config).webhook_hosts)
        tls = tls_options(settings)
        app = create_app(store, to.bus, settings, metrics=metrics, others=others, find=find)
        prepare(app)
        with closing(listen(settings.host, settings.port)) as listener:
            port, scheme = listener.getsockname()[1], scheme_of(settings)
            log.info("api: %s://%s:%d, its page and documentation too", scheme, settings.host, port)
            with _first_admin(store, settings):
                serve(app, listener, tls)
    return process.EXIT_DONE


@contextmanager
def _first_admin(store: Store, settings: ApiSettings) -> Iterator[None]:
    """Add the first admin, where one has to sign in and nobody could; wait for a store that is away meanwhile."""
    if not needs_admin(settings):
        yield
        return
    stop = threading.Event()
    print_line = partial(print, file=sys.stderr, flush=True)  # not into logs, which are kept and sent elsewhere
    thread = threading.Thread(target=tell_first_admin, args=(store.accounts, print_line, stop), name="first-admin")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def serve(app: FastAPI, listener: socket.socket, tls: Mapping[str, Any] | None = None) -> None:
    """Serve on a socket until SIGTERM or SIGINT; a second SIGINT aborts pending requests."""
    options: dict[str, Any] = {"log_config": None, "access_log": False, "timeout_graceful_shutdown": DRAIN_S}
    options |= tls or {}
    config = uvicorn.Config(app, proxy_headers=False, **options)  # `gallery.api.access.proxy` reads them
    _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Shuts down on a signal without raising it again afterwards, which uvicorn does and which kills the process."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's arguments
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address; port 0 picks a free port.

    Raises:
        SettingsError: The address cannot be bound.
    """
    try:
        return open_listener(host, port)
    except (OSError, OverflowError) as error:
        raise SettingsError(f"api address {host}:{port}: {explain_bind_failure(error)}") from error


if __name__ == "__main__":
    sys.exit(process.run_main(main))
