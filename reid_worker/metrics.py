"""What the worker counts; the shared families (stage durations) are `wire.metrics.ServiceMetrics`."""

from prometheus_client import CollectorRegistry, Counter, Histogram

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
