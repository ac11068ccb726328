"""Prometheus metrics of recordings."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RecordingMetrics:
    """Metric families of recordings; create once per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.segments = Counter(
            "climbtrack_recording_segments_total",
            "Segments of recordings: kept, removed at a limit, or erased with a person",
            ["outcome"],
            registry=registry,
        )
        self.failures = Counter(
            "climbtrack_recording_failures_total",
            "Attempts to record that failed, by cause",
            ["cause"],
            registry=registry,
        )
        for outcome in ("kept", "removed", "erased"):
            self.segments.labels(outcome=outcome)
        for cause in ("disk", "format"):
            self.failures.labels(cause=cause)
        self.used_bytes = Gauge("climbtrack_recording_used_bytes", "Size of all recordings", registry=registry)
        self.free_bytes = Gauge(
            "climbtrack_recording_free_bytes", "Free space on the disk of recordings", registry=registry
        )
        self.stopped = Gauge(
            "climbtrack_recording_stopped_cameras", "Cameras that should be recorded and are not", registry=registry
        )
