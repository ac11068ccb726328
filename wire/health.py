"""Probes and metrics over HTTP: `/healthz`, `/readyz`, `/metrics`."""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from wire.errors import SettingsError
from wire.metrics import ServiceMetrics

log = logging.getLogger(__name__)

# A loop is considered dead after this long without a round. A batch may take as long as Kafka waits before it gives
# the partitions to another member (max.poll.interval, five minutes).
STALE_S = 300.0


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a service; `reason` is empty when it is ready."""

    service: str
    alive: bool
    ready: bool
    reason: str


class ServiceMonitor:
    """Tracks the health of one service loop; implements `wire.service.Monitor`."""

    def __init__(self, service: str, metrics: ServiceMetrics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.service = service
        self._metrics = metrics
        self._clock = clock
        self._last_round_s = clock()
        self._ready = False
        self._reason = "starting"
        for family in (metrics.consumer_lag, metrics.ready):
            family.labels(service=service)  # exported from the start, so that no scrape misses a service

    def alive(self, *, lag: int) -> None:
        """Record that one round of the loop is done, and how many records are waiting."""
        self._last_round_s = self._clock()
        self._metrics.consumer_lag.labels(service=self.service).set(lag)

    def ready(self, *, yes: bool, reason: str = "") -> None:
        """Record whether the loop can do its work; a loop that reports either is alive."""
        self._last_round_s = self._clock()
        self._ready, self._reason = yes, reason
        self._metrics.ready.labels(service=self.service).set(yes)

    def dead_letter(self, topic: str) -> None:
        """Count one record that can never succeed."""
        self._metrics.dead_letters.labels(topic=topic).inc()

    def health(self) -> Health:
        """Return the current health of the service."""
        silent_s = self._clock() - self._last_round_s
        if silent_s > STALE_S:
            return Health(self.service, alive=False, ready=False, reason=f"no round for {silent_s:.0f} s")
        return Health(self.service, alive=True, ready=self._ready, reason=self._reason)


class HealthServer:
    """Answers probes from a background thread until closed."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.port: int = server.server_address[1]
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def serve(host: str, port: int, registry: CollectorRegistry, monitors: Sequence[ServiceMonitor]) -> HealthServer:
    """Answer `/healthz` and `/readyz` (200 or 503, JSON) and `/metrics` (Prometheus text); port 0 picks a free one.

    Raises:
        SettingsError: The address cannot be bound.
    """

    class Handler(_Handler):
        answer = staticmethod(lambda path: _answer(path, registry, monitors))

    try:
        return HealthServer(_Server((host, port), Handler))
    except (OSError, OverflowError) as error:
        raise SettingsError(f"health address {host}:{port}: {error}; choose a free port") from error


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content_type: str
    body: bytes


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - named by the base class
        """Log what went wrong, but for who hung up before the answer, as a prober does that waits no longer."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            log.error("a probe failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    answer: Callable[[str], _Answer]

    def do_GET(self) -> None:
        self.wfile.write(self._head().body)

    def do_HEAD(self) -> None:
        self._head()

    def _head(self) -> _Answer:
        answer = self.answer(self.path.partition("?")[0])
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        return answer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Log nothing: probes come every few seconds."""


def _answer(path: str, registry: CollectorRegistry, monitors: Sequence[ServiceMonitor]) -> _Answer:
    if path == "/metrics":
        return _Answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
    if path not in {"/healthz", "/readyz"}:
        return _json(404, {"error": "known paths: /healthz, /readyz, /metrics"})
    states = [monitor.health() for monitor in monitors]
    fine = all(state.alive if path == "/healthz" else state.ready for state in states)
    return _json(200 if fine else 503, {"ok": fine, "services": [asdict(state) for state in states]})


def _json(status: int, content: object) -> _Answer:
    return _Answer(status, "application/json", json.dumps(content).encode())
