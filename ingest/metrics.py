"""Metric families of ingest; the only label besides a bounded reason is the camera."""

from prometheus_client import CollectorRegistry, Counter, Gauge

DROPPED = ("bus_full", "no_keyframe", "too_large", "rejected")


class IngestMetrics:
    """Families of one ingest service; create once per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.frames = Counter(
            "climbtrack_ingest_frames_total", "Frames read from the camera", ["camera"], registry=registry
        )
        self.bytes = Counter(
            "climbtrack_ingest_bytes_total", "Compressed bytes read from the camera", ["camera"], registry=registry
        )
        self.dropped_frames = Counter(
            "climbtrack_ingest_dropped_frames_total",
            "Frames not sent: bus_full, no_keyframe (not decodable after a gap), too_large (for a record), rejected",
            ["camera", "reason"],
            registry=registry,
        )
        self.damaged_frames = Counter(
            "climbtrack_ingest_damaged_frames_total",
            "Frames sent although part of them was lost on the way, where that is known: in transport streams",
            ["camera"],
            registry=registry,
        )
        self.camera_up = Gauge(
            "climbtrack_camera_up",
            "1 while frames of the camera arrive; gone once a file has been read to its end",
            ["camera"],
            registry=registry,
        )
        self.clock_offset = Gauge(
            "climbtrack_camera_clock_offset_seconds",
            "How far the clock of a camera that states its time (RTCP sender reports) is ahead of this machine's",
            ["camera"],
            registry=registry,
        )
        self.clock_drift = Gauge(
            "climbtrack_camera_clock_drift_ratio",
            "Seconds that the clock of such a camera gains in a second of this machine's, over the last five minutes",
            ["camera"],
            registry=registry,
        )
        self.reconnects = Counter(
            "climbtrack_camera_reconnects_total", "Connections lost or refused", ["camera"], registry=registry
        )

    def expect(self, camera_id: str) -> None:
        """Export the counters of a camera from its start: Prometheus sees no increase in a series that begins at 1."""
        self.reconnects.labels(camera=camera_id)
        for reason in DROPPED:
            self.dropped_frames.labels(camera=camera_id, reason=reason)
