"""Metric families of the worker; shared families (stage durations) are in `wire.metrics.ServiceMetrics`."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from wire.metrics import LATENCY_BUCKETS_S

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


class WorkerMetrics:
    """Families of the worker; create once per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.tracklets = Counter(
            "climbtrack_tracklets_total",
            "Tracklets by outcome: sent (first emission), updated (a later one), closed (the last one)",
            ["camera", "outcome"],
            registry=registry,
        )
        self.batch_size = Histogram(
            "climbtrack_reid_batch_size", "Tracklets per call of the embedder", buckets=BATCH_BUCKETS, registry=registry
        )
        self.frames = Counter(
            "climbtrack_worker_frames_total",
            "Frames by outcome: analysed, too-old, broken (rejected by the decoder)",
            ["camera", "outcome"],
            registry=registry,
        )
        self.still_frames = Counter(
            "climbtrack_still_frames_total",
            "Analysed frames that the detector did not look at: nobody was in sight, and nothing had moved",
            ["camera"],
            registry=registry,
        )
        self.detections = Counter(
            "climbtrack_detections_total",
            "Boxes of people that the detector found, unclear ones included; 0 where it detects nothing",
            ["camera"],
            registry=registry,
        )
        self.static_tracks = Counter(
            "climbtrack_static_tracks_total",
            "Tracks that became no person because they stayed where they were and were found unclearly, such as chairs",
            ["camera"],
            registry=registry,
        )
        self.picture_fault = Gauge(
            "climbtrack_picture_fault",
            "1 while the picture of a camera is black (for 10 s), or frozen (no pixel changed for a minute)",
            ["camera", "fault"],
            registry=registry,
        )
        self._of_pace(registry)
        self._of_crops(registry)
        self.saturation = Gauge(
            "climbtrack_worker_saturation_ratio", "Share of the time in which the worker had work", registry=registry
        )
        self._model = Gauge(
            "climbtrack_reid_model_info",
            "Always 1; the embedding network, its device, precision and selective scan",
            ["model_id", "device", "dtype", "scan"],
            registry=registry,
        )

    def _of_pace(self, registry: CollectorRegistry) -> None:
        self.capture_to_tracklet_seconds = Histogram(
            "climbtrack_capture_to_tracklet_seconds",
            "Live cameras: from the capture of a visible person's latest frame to the tracklet that includes it",
            ["camera"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.analysed_fps = Gauge(
            "climbtrack_analysed_fps",
            "Frames analysed per second, of capture time, in the last 5 s",
            ["camera"],
            registry=registry,
        )
        self.wanted_fps = Gauge(
            "climbtrack_wanted_fps",
            "Frames that should be analysed per second: the camera's own rate, at most its analysed_fps",
            ["camera"],
            registry=registry,
        )

    def _of_crops(self, registry: CollectorRegistry) -> None:
        self.kept = Counter(
            "climbtrack_kept_tracklets_total",
            "Tracklets handled by worker.keep_crops: kept, failed (disk full or read-only), removed (beyond a limit)",
            ["outcome"],
            registry=registry,
        )
        self.crops_free_bytes = Gauge(
            "climbtrack_crops_free_bytes",
            "Free space on the disk of worker.keep_crops, bytes; NaN where no crops are kept",
            registry=registry,
        )
        self.crops_free_bytes.set(math.nan)

    def model(self, model_id: str, device: str, dtype: str, scan: str) -> None:
        """Export which network computes the embeddings."""
        self._model.labels(model_id=model_id, device=device, dtype=dtype, scan=scan).set(1)

    def expect(self, camera_id: str) -> None:
        """Export the counters of a camera from its start: Prometheus sees no increase in a series that begins at 1."""
        for outcome in ("analysed", "too-old", "broken"):
            self.frames.labels(camera=camera_id, outcome=outcome)
        self.still_frames.labels(camera=camera_id)
        self.detections.labels(camera=camera_id)
        self.static_tracks.labels(camera=camera_id)
        for fault in ("black", "frozen"):
            self.picture_fault.labels(camera=camera_id, fault=fault)
