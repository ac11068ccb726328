"""Reports how well a worker keeps up with its live cameras: as metrics, in the log, and with their progress."""

import logging
from collections.abc import Mapping, Sequence

from reid_worker.load import Load
from reid_worker.metrics import WorkerMetrics
from reid_worker.strain import Strain
from reid_worker.stream import CameraStream

log = logging.getLogger(__name__)

NEARLY = 0.99  # a measured rate counts as reached from this share of it on


class LiveReport:
    """Takes note of delays and rates; one for each worker.

    Attributes:
        load: What the worker's time is spent on.
    """

    def __init__(self, load: Load, metrics: WorkerMetrics, floor_fps: float) -> None:
        self.load = load
        self._metrics = metrics
        self._floor_fps = floor_fps
        self._strain = Strain()

    @property
    def reason(self) -> str:
        """Why live cameras are analysed at a lower rate than wanted; empty if they are not."""
        return self._strain.reason

    def delay(self, camera_id: str, delay_ns: int) -> None:
        """Take note of the time from capture to tracklet."""
        self._metrics.capture_to_tracklet_seconds.labels(camera=camera_id).observe(max(delay_ns, 0) / 1e9)

    def update(self, share: float, live: Sequence[CameraStream]) -> None:
        """Take note of the share of the wanted frames that is analysed, and of the streams of live cameras."""
        figures = self.load.figures()
        self._metrics.saturation.set(figures.saturation)
        below = []
        for stream in live:
            name, wanted, analysed = stream.info.camera_id, stream.wanted_fps(), stream.analysed_fps()
            self._metrics.wanted_fps.labels(camera=name).set(wanted)
            self._metrics.analysed_fps.labels(camera=name).set(analysed)
            if 0 < analysed < NEARLY * min(wanted, self._floor_fps):
                below.append(name)
        self._strain.update(share, figures.slowest, below if share < 1 else [], self._floor_fps)

    def costly(self, cameras: Mapping[str, float]) -> None:
        """Say which cameras are held to their keyframes, and how many times the usual their decoding took."""
        for name, times in cameras.items():
            log.warning(
                "camera %s: takes %.0f times as long to decode as the others, and the worker cannot keep up: for half a"
                " minute, only its keyframes are analysed; lower its resolution or frame rate (a substream will do)",
                name,
                times,
            )

    def gone(self, camera_id: str) -> None:
        """Take note that a camera's stream has ended, or belongs to another worker now."""
        self._metrics.wanted_fps.labels(camera=camera_id).set(0)
        self._metrics.analysed_fps.labels(camera=camera_id).set(0)
