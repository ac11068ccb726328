"""Runs a service as a process: signals, probes, exit codes. Shared by the `__main__.py` of every service."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from wire import health
from wire.errors import SettingsError, WireError
from wire.health import ServiceMonitor
from wire.logs import LogSettings, log_to_stderr, logs_are_json
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
    """Print the error that ended a command to stderr, with secrets masked; as a log where logs are JSON."""
    if logs_are_json():
        log.critical("%s", error)
    else:
        print(f"climbtrack: {scrub(str(error))}", file=sys.stderr)


def run_main(main: Callable[[Path | None], int]) -> int:
    """Run a service with the configuration file that the command line names, if any; return the exit code."""
    config = Path(sys.argv[1]) if len(sys.argv) > 1 else None

    def run() -> int:
        log_to_stderr(as_json=LogSettings.load(config).format == "json")
        return main(config)

    return exit_code(run)


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
