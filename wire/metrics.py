"""Metric families shared by all services. Names and labels are public; no label ever identifies a person or track."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from wire.bus import TOPICS

# From a resize (0.1 ms) to a batch of 64 chunks on a slow CPU (a minute).
STAGE_BUCKETS_S = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)
# From a chunk's half second to a backlog of the ten minutes that `frames` keeps.
LATENCY_BUCKETS_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class ServiceMetrics:
    """Families shared by services; create once per registry, since one process may run several services."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # series that nothing here asks for
        self.stage_duration_seconds = Histogram(
            "climbtrack_stage_duration_seconds",
            "Time one call of a stage took",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=registry,
        )
        self.stage_queue_length = Gauge(
            "climbtrack_stage_queue_length", "Items that wait for a stage", ["stage"], registry=registry
        )
        self.end_to_end_latency_seconds = Histogram(
            "climbtrack_end_to_end_latency_seconds",
            "From the capture of a tracklet's last frame to its decision",
            ["camera"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.consumer_lag = Gauge(
            "climbtrack_consumer_lag",
            "Records of the owned partitions that are not processed yet, polled or not",
            ["service"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "climbtrack_dead_letters_total", "Records that can never succeed", ["topic"], registry=registry
        )
        for topic in TOPICS:  # exported from the start: Prometheus sees no increase in a series that begins at 1
            self.dead_letters.labels(topic=topic.name)
        self.ready = Gauge(
            "climbtrack_ready", "1 while a service can do its work, as /readyz says", ["service"], registry=registry
        )
        self.clock_ahead = Gauge(
            "climbtrack_clock_ahead_seconds",
            "How far the clock of this machine is ahead of that of Kafka or Redis; NaN while that is not known",
            ["server"],
            registry=registry,
        )
        self.certificate_expiry = Gauge(
            "climbtrack_certificate_expiry_timestamp_seconds",
            "When the PEM file of a setting of Kafka or Redis ends: the last authority, or the first of our own chain",
            ["server", "file"],
            registry=registry,
        )
        build = Gauge("climbtrack_build_info", "Always 1; what runs", ["version", "python"], registry=registry)
        build.labels(version=installed_version(), python=platform.python_version()).set(1)
        ProcessCollector(registry=registry)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of the `with` block as one call of stage `name`."""
        with self.stage_duration_seconds.labels(stage=name).time():
            yield


class TracingMetrics:
    """What became of spans; create once per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.spans = Counter(
            "climbtrack_trace_spans_total",
            "Spans of exported traces, by whether the collector got them",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("sent", "dropped"):
            self.spans.labels(outcome=outcome)


def installed_version() -> str:
    """Return the version of the installed distribution, `unknown` if it is not installed."""
    try:
        return version("climbtrack")
    except PackageNotFoundError:
        return "unknown"
