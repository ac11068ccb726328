"""Watches what cameras send, and names pictures in which nobody can be found: black, frozen and broken ones."""

import logging
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid_worker.decode import Frame
from reid_worker.metrics import WorkerMetrics
from reid_worker.stream import CameraStream
from wire.message import Mode

log = logging.getLogger(__name__)

Fault = Literal["black", "frozen"]
STEP = 16  # pixels: one in 256 is looked at
DARK = 40  # of 255, the brightest pixel of a black picture: some cameras draw noise or grey instead
AFTER_NS: dict[Fault, int] = {"black": 10_000_000_000, "frozen": 60_000_000_000}  # keyframes change an empty scene too
REMEDIES: dict[Fault, str] = {
    "black": "check the lens cap, the light and the camera's exposure",
    "frozen": "not a pixel changed; restart the camera, or the recorder in front of it",
}
BROKEN: dict[Mode, str] = {
    "latency": "packets lost on the way, or a faulty camera; over UDP, try TCP",
    "complete": "the recording is damaged, or encrypted; copy it again, or decrypt it",
}


@dataclass(slots=True)
class _Seen:
    """What is known of one camera; `since_ns` is the capture time since when it might have each fault."""

    thumbnail: NDArray[np.uint8] | None = None
    since_ns: dict[Fault, int] = field(default_factory=dict)
    faults: set[Fault] = field(default_factory=set)
    stream_id: str = ""
    broken: int = 0
    static: int = 0


class PictureWatch:
    """Watches all cameras of a worker; every fault is logged when it begins and when it ends."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._cameras: dict[str, _Seen] = {}

    def look(self, camera_id: str, frame: Frame) -> None:
        """Look at a frame that is analysed; frames of a camera come in order."""
        seen = self._seen(camera_id)
        thumbnail = frame.image[::STEP, ::STEP].copy()
        same = seen.thumbnail is not None and np.array_equal(seen.thumbnail, thumbnail)
        seen.thumbnail = thumbnail
        self._note(camera_id, "black", frame.time_ns, suspect=int(thumbnail.max(initial=0)) < DARK)
        self._note(camera_id, "frozen", frame.time_ns, suspect=same)

    def count(self, stream: CameraStream) -> None:
        """Count the packets that the decoder of a stream has rejected since the last call, and its static tracks."""
        camera_id = stream.info.camera_id
        seen = self._seen(camera_id)
        if seen.stream_id != stream.info.stream_id:
            seen.stream_id, seen.broken, seen.static = stream.info.stream_id, 0, 0
        self._metrics.static_tracks.labels(camera=camera_id).inc(max(stream.static - seen.static, 0))
        before, new = seen.broken, stream.broken - seen.broken
        if new > 0:
            self._metrics.frames.labels(camera=camera_id, outcome="broken").inc(new)
        if new > 0 and not before:
            log.warning("camera %s: broken pictures (%s): %s", camera_id, stream.fault, BROKEN[stream.info.mode])
        seen.broken, seen.static = stream.broken, stream.static

    def _seen(self, camera_id: str) -> _Seen:
        if camera_id not in self._cameras:
            self._metrics.expect(camera_id)
            self._cameras[camera_id] = _Seen()
        return self._cameras[camera_id]

    def _note(self, camera_id: str, fault: Fault, time_ns: int, *, suspect: bool) -> None:
        seen = self._cameras[camera_id]
        since_ns = seen.since_ns.setdefault(fault, time_ns) if suspect else seen.since_ns.pop(fault, None)
        now = suspect and since_ns is not None and time_ns - since_ns >= AFTER_NS[fault]
        if now == (fault in seen.faults):
            return
        self._metrics.picture_fault.labels(camera=camera_id, fault=fault).set(now)
        if now:
            seen.faults.add(fault)
            log.warning("camera %s: the picture is %s: %s", camera_id, fault, REMEDIES[fault])
        else:
            seen.faults.remove(fault)
            log.info("camera %s: the picture is no longer %s", camera_id, fault)
