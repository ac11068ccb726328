"""All cameras of this process: started, changed, paused and stopped as their specs and owners change."""

import logging
from collections.abc import Collection

import msgspec
from prometheus_client import Gauge

from ingest.camera import Camera
from ingest.state import CameraJob, CameraStatus, State, Surroundings
from wire.messages import CameraSpec

log = logging.getLogger(__name__)


class Supervisor:
    """Keeps one `Camera` per spec; its methods belong to one thread, the cameras have their own."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._cameras: dict[str, Camera] = {}

    def apply(self, job: CameraJob) -> None:
        """Run a camera as its spec says; the same spec again does nothing, also when the camera has ended."""
        camera_id = job.spec.camera_id
        running = self._cameras.get(camera_id)
        if running is not None and _same(running.job.spec, job.spec):
            return
        if not job.spec.enabled:
            self.stop([camera_id], "the camera was disabled")
            return
        self.stop([camera_id], "the camera's settings changed")
        camera = Camera(job, self._around)
        self._cameras[camera_id] = camera
        camera.start()

    def stop(self, camera_ids: Collection[str], farewell: str | None) -> None:
        """Stop cameras and forget them; `farewell` ends their streams with a reason, None leaves that to others."""
        leaving = [self._cameras.pop(camera_id) for camera_id in camera_ids if camera_id in self._cameras]
        for camera in leaving:
            camera.signal_stop(farewell)
        for camera in leaving:
            camera.join()
            self._up(camera.job.spec.camera_id).set(0)
            self._around.metrics.camera_up.remove(camera.job.spec.camera_id)

    def pause(self, camera_ids: Collection[str]) -> None:
        """Keep connections and send nothing."""
        for camera_id in camera_ids:
            self._cameras[camera_id].pause()

    def resume(self, camera_ids: Collection[str]) -> None:
        """Send again."""
        for camera_id in camera_ids:
            self._cameras[camera_id].resume()

    def ids(self) -> frozenset[str]:
        """Return the cameras that were applied and not stopped since; ended ones are among them."""
        return frozenset(self._cameras)

    def statuses(self) -> tuple[CameraStatus, ...]:
        """Return what every camera is doing; any thread may ask."""
        return tuple(camera.status() for camera in list(self._cameras.values()))

    def refresh(self) -> int:
        """Bring `camera_up` up to date with stalls; return the number of chunks that are not sent."""
        for status in self.statuses():
            self._up(status.camera_id).set(status.state is State.LIVE)
        return sum(camera.waiting() for camera in self._cameras.values())

    def _up(self, camera_id: str) -> Gauge:
        return self._around.metrics.camera_up.labels(camera=camera_id)


def _same(one: CameraSpec, other: CameraSpec) -> bool:
    return bool(msgspec.structs.astuple(one) == msgspec.structs.astuple(other))
