"""What the worker counts; the shared families (stage durations) are `wire.metrics.ServiceMetrics`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


class WorkerMetrics:
    """Families of this stage; made once per registry."""

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
            "climbtrack_worker_frames_total", "Frames by what became of them", ["camera", "outcome"], registry=registry
        )
        self.kept = Counter(
            "climbtrack_kept_tracklets_total",
            "Tracklets whose crops worker.keep_crops asks to keep: kept, failed (disk full or not writable), removed "
            "(too old, or over the bound)",
            ["outcome"],
            registry=registry,
        )
        self._model = Gauge(
            "climbtrack_reid_model_info",
            "Always 1; the network that embeds, where, in what precision, and which selective scan it uses",
            ["model_id", "device", "dtype", "scan"],
            registry=registry,
        )

    def model(self, model_id: str, device: str, dtype: str, scan: str) -> None:
        """Say which network embeds here."""
        self._model.labels(model_id=model_id, device=device, dtype=dtype, scan=scan).set(1)
