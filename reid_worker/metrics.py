"""Metric families of the worker; shared families (stage durations) are in `wire.metrics.ServiceMetrics`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
            "Frames by outcome: analysed, too-old",
            ["camera", "outcome"],
            registry=registry,
        )
        self.kept = Counter(
            "climbtrack_kept_tracklets_total",
            "Tracklets handled by worker.keep_crops: kept, failed (disk full or read-only), removed (beyond a limit)",
            ["outcome"],
            registry=registry,
        )
        self._model = Gauge(
            "climbtrack_reid_model_info",
            "Always 1; the embedding network, its device, precision and selective scan",
            ["model_id", "device", "dtype", "scan"],
            registry=registry,
        )

    def model(self, model_id: str, device: str, dtype: str, scan: str) -> None:
        """Export which network computes the embeddings."""
        self._model.labels(model_id=model_id, device=device, dtype=dtype, scan=scan).set(1)
