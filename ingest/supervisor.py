"""The cameras of this process: started, changed, paused and stopped as their specs and owners change."""

import logging
from collections.abc import Collection

import msgspec
from prometheus_client import Gauge

from ingest.camera import STOP_S, Camera
from ingest.clock import NS
from ingest.state import CameraJob, CameraStatus, State, Surroundings
from wire.messages import CameraSpec

log = logging.getLogger(__name__)


class Supervisor:
    """Keeps one `Camera` per spec; call its methods from one thread, the cameras run in their own."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._cameras: dict[str, Camera] = {}

    def apply(self, job: CameraJob) -> None:
        """Run a camera according to its spec; an unchanged spec does nothing, even if the camera has ended."""
        camera_id = job.spec.camera_id
        running = self._cameras.get(camera_id)
        if running is not None and _same(running.job.spec, job.spec):
            return
        if not job.spec.enabled:
            self.stop([camera_id], "the camera was disabled")
            return
        self.stop([camera_id], "the camera's settings changed")
        self._around.metrics.expect(camera_id)
        camera = Camera(job, self._around)
        self._cameras[camera_id] = camera
        camera.start()

    def stop(self, camera_ids: Collection[str], end_reason: str | None) -> None:
        """Stop cameras and forget them.

        Args:
            end_reason: Ends their streams with this reason; None leaves the streams open for another worker.
        """
        leaving = [self._cameras.pop(camera_id) for camera_id in camera_ids if camera_id in self._cameras]
        for camera in leaving:
            camera.signal_stop(end_reason)
        deadline_s = self._around.clock.monotonic_s() + STOP_S  # of all together
        for camera in leaving:
            camera.join(deadline_s - self._around.clock.monotonic_s())
            self._forget_up(camera.job.spec.camera_id)
            self._around.metrics.clock_offset.remove(camera.job.spec.camera_id)
            self._around.metrics.clock_drift.remove(camera.job.spec.camera_id)

    def pause(self, camera_ids: Collection[str]) -> None:
        """Keep the connections but send nothing."""
        for camera_id in camera_ids:
            self._cameras[camera_id].pause()

    def resume(self, camera_ids: Collection[str]) -> None:
        """Resume sending."""
        for camera_id in camera_ids:
            self._cameras[camera_id].resume()

    def ids(self) -> frozenset[str]:
        """Return the ids of cameras that were applied and not stopped since, including ended ones."""
        return frozenset(self._cameras)

    def statuses(self) -> tuple[CameraStatus, ...]:
        """Return the state of every camera; callable from any thread."""
        return tuple(camera.status() for camera in list(self._cameras.values()))

    def refresh(self) -> int:
        """Update the `camera_up` metric; return the number of chunks that have not been sent."""
        for status in self.statuses():
            if status.state is State.ENDED:
                self._forget_up(status.camera_id)
            else:
                self._up(status.camera_id).set(status.state is State.LIVE)
            if status.clock_offset_ns is not None:
                offset = self._around.metrics.clock_offset.labels(camera=status.camera_id)
                offset.set(status.clock_offset_ns / NS)
            if status.clock_drift_ratio is not None:
                self._around.metrics.clock_drift.labels(camera=status.camera_id).set(status.clock_drift_ratio)
        return sum(camera.waiting() for camera in self._cameras.values())

    def _up(self, camera_id: str) -> Gauge:
        return self._around.metrics.camera_up.labels(camera=camera_id)

    def _forget_up(self, camera_id: str) -> None:
        self._up(camera_id).set(0)
        self._around.metrics.camera_up.remove(camera_id)


def _same(one: CameraSpec, other: CameraSpec) -> bool:
    return bool(msgspec.structs.astuple(one) == msgspec.structs.astuple(other))
