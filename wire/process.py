"""Runs a service as a process: signals, probes, exit codes. Shared by the `__main__.py` of every service."""

import logging
import sys
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from wire import health
from wire.errors import SettingsError, WireError
from wire.health import ServiceMonitor
from wire.mask import scrub
from wire.service import Service
from wire.signals import stop_on_signals

log = logging.getLogger(__name__)

EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def exit_code(command: Callable[[], int]) -> int:
    """Run a command and return its exit code: 2 for an invalid setting, 1 for our other errors, printed in one line."""
    try:
        return command()
    except SettingsError as error:
        print_error(error)
        return EXIT_USAGE
    except WireError as error:
        print_error(error)
        return EXIT_FAILED


def print_error(error: Exception) -> None:
    """Print the error that ended a command to stderr, with secrets masked."""
    print(f"climbtrack: {scrub(str(error))}", file=sys.stderr)


def run_service(service: Service, monitor: ServiceMonitor, registry: CollectorRegistry, *, host: str, port: int) -> int:
    """Run until SIGTERM or SIGINT, answering probes and metrics on `host:port`; return the exit code.

    The first signal finishes the round in progress; a second one ends the process the usual way.

    Raises:
        SettingsError: The address cannot be bound.
    """
    server = health.serve(host, port, registry, [monitor])
    log.info("%s: probes and metrics on http://%s:%d", monitor.service, host, server.port)
    try:
        with stop_on_signals() as stop:
            service.run(stop)
    finally:
        server.close()
    return EXIT_DONE


def log_to_stderr(level: int = logging.INFO, *, plain: bool = False) -> None:
    """Send logs to stderr, one line each, with UTC times; libraries log warnings and above only.

    `plain` omits time and module, for a user at a terminal.
    """
    formatter = MaskingFormatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    if plain:
        formatter = MaskingFormatter("note: %(message)s")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for package in ("wire", "ingest", "reid_worker", "gallery", "deploy"):
        logging.getLogger(package).setLevel(level)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # failures reach us as exceptions; the rest is noise


class MaskingFormatter(logging.Formatter):
    """Masks the passwords of URLs in lines and tracebacks, including those of libraries."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted record with URLs masked."""
        return scrub(super().format(record))
