"""How a service runs as a process: signals, probes, exit codes. Shared by the `__main__.py` of every stage."""

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
    """Run a command and return its exit code: 2 for a wrong setting, 1 for our other errors, said in one line."""
    try:
        return command()
    except SettingsError as error:
        say(error)
        return EXIT_USAGE
    except WireError as error:
        say(error)
        return EXIT_FAILED


def say(error: Exception) -> None:
    """Print what went wrong as the last word of a command."""
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
    """Send logs to stderr, one line each, UTC times; libraries speak only from warnings on.

    `plain` is for somebody at a terminal, who wants to read what happened, and not when and in which module.
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
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters reaches us as an exception; the rest is noise


class MaskingFormatter(logging.Formatter):
    """Leaves the passwords of URLs out of lines and tracebacks, whoever wrote them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return scrub(super().format(record))
