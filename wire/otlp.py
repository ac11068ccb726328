"""Spans of OpenTelemetry from the messages that services read and send.

A message is a span of its own, whose id its `traceparent` has: it begins with what caused it and ends when it is sent.
A second span is how long it waited until a service read it. So the spans of one chunk make one line without gaps, from
the capture of its first frame through the bus and the worker to the gallery's events. Spans name services, topics and
cameras, and never people or what they look like.

A collector that is slow or down costs nothing but its spans: they wait in a bounded queue for a thread of the library,
and what does not fit is dropped and counted.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from prometheus_client import Counter

from wire import trace
from wire.message import Mode
from wire.messages import FrameChunk
from wire.metrics import TracingMetrics, installed_version
from wire.trace import Traced

log = logging.getLogger(__name__)

WAITING = 4_096  # spans, a megabyte or two
BATCH = 512
EVERY_S = 1.0
ANSWER_S = 2.0  # for which an export is tried
CAUSES = 4_096  # messages that were read, of which something may follow
LIVE: Mode = "latency"


class SpanExport:
    """Turns messages into spans, and sends them to a collector; use as a context manager."""

    def __init__(self, endpoint: str, metrics: TracingMetrics) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what fails is counted, and said once
        self._sender = _Sender(OTLPSpanExporter(endpoint, timeout=ANSWER_S), metrics.spans, endpoint)
        self._processor = BatchSpanProcessor(
            self._sender,
            max_queue_size=WAITING,
            max_export_batch_size=BATCH,
            schedule_delay_millis=EVERY_S * 1000,
        )
        self._lock = threading.Lock()  # cameras send from threads of their own
        self._causes: OrderedDict[tuple[str, str], tuple[SpanContext, int]] = OrderedDict()
        self._resources: dict[str, Resource] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Send what is left, for some seconds at most."""
        self._sender.closing = True
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def read(self, service: str, topic: str, message: Traced, sent_ns: int) -> None:
        """Take note of a message that a service read, and of how long it waited."""
        now_ns = time.time_ns()
        sent = _context(message.traceparent)
        own = _context(trace.continued(message.traceparent, service, "read"))
        with self._lock:
            self._causes[service, trace.trace_id(message.traceparent)] = own, now_ns
            while len(self._causes) > CAUSES:
                self._causes.popitem(last=False)
        self._send(service, f"receive {topic}", own, sent, (min(sent_ns, now_ns), now_ns), topic, message)

    def sent(self, service: str, topic: str, message: Traced) -> None:
        """Take note of a message that a service sends."""
        now_ns = time.time_ns()
        with self._lock:
            cause = self._causes.get((service, trace.trace_id(message.traceparent)))
        begun_ns = cause[1] if cause is not None else _begun_ns(message, now_ns)
        parent = None if cause is None else cause[0]
        self._send(service, f"send {topic}", _context(message.traceparent), parent, (begun_ns, now_ns), topic, message)

    def _send(
        self,
        service: str,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        times_ns: tuple[int, int],
        topic: str,
        message: Traced,
    ) -> None:
        span = ReadableSpan(
            name,
            context=own,
            parent=parent,
            resource=self._resource(service),
            attributes={"messaging.destination.name": topic, "climbtrack.camera": message.camera_id},
            kind=SpanKind.CONSUMER if name.startswith("receive") else SpanKind.PRODUCER,
            start_time=times_ns[0],
            end_time=times_ns[1],
        )
        if self._sender.room():
            self._processor.on_end(span)

    def _resource(self, service: str) -> Resource:
        if service not in self._resources:
            known = {"service.namespace": "climbtrack", "service.name": service, "service.version": installed_version()}
            self._resources[service] = Resource(known)
        return self._resources[service]


class _Sender(SpanExporter):
    """Counts what waits, what was sent and what was lost; after the first failure while it closes, all is lost."""

    def __init__(self, exporter: OTLPSpanExporter, counts: Counter, endpoint: str) -> None:
        self._exporter = exporter
        self._counts = {outcome: counts.labels(outcome=outcome) for outcome in ("sent", "dropped")}
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._waiting = 0
        self._failing = False
        self.closing = False

    def room(self) -> bool:
        """Reserve a place for a span; without one it is lost."""
        with self._lock:
            free = self._waiting < WAITING
            self._waiting += free
        if not free:
            self._counts["dropped"].inc()
        return free

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send some spans."""
        with self._lock:
            self._waiting -= len(spans)
        given_up = self.closing and self._failing
        sent = not given_up and self._exporter.export(spans) is SpanExportResult.SUCCESS
        self._counts["sent" if sent else "dropped"].inc(len(spans))
        if sent == self._failing:
            said = "takes traces again" if sent else "takes no traces; they are dropped until it does"
            log.warning("the collector at %s %s", self._endpoint, said)
        self._failing = not sent
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Release the connection."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


def _context(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def _begun_ns(message: Traced, now_ns: int) -> int:
    """Return when a message without a cause began: a chunk of a live camera with the capture of its first frame."""
    if isinstance(message, FrameChunk) and message.mode == LIVE and message.packets:
        return min(message.packets[0].time_ns, now_ns)
    return now_ns
