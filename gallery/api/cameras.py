"""`/v1/cameras`: list, add, pause and remove cameras at run time."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException, Response, status

from gallery.api.camera_address import check_address
from gallery.api.encoding import new_router
from gallery.api.schemas import CameraIn, CameraOut, CamerasOut, Name, ProblemOut, camera_out
from gallery.config import ApiSettings
from gallery.store.store import Store, StoredProgress
from wire import codec
from wire.bus import CAMERAS, GrouplessBus
from wire.camera_states import CameraStates
from wire.cameras import Cameras
from wire.messages import CameraSpec

FLUSH_S = 10.0
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ProblemOut}}


class CameraList:
    """The list of cameras as the API shows and changes it; a response always reflects earlier changes."""

    def __init__(self, store: Store, bus: GrouplessBus, cameras: Cameras, states: CameraStates) -> None:
        self._store = store
        self._bus = bus
        self._cameras = cameras
        self._states = states

    def of(self, site: str | None) -> list[CameraOut]:
        """Return the cameras of one site, or of all."""
        progress, unrecorded = self._store.progress(), self._store.recordings.states()
        specs = (listed.spec for listed in self._cameras.cameras().values())
        return [self._out(spec, progress, unrecorded) for spec in specs if site in {None, spec.site_id}]

    def known(self, camera_id: str) -> CameraSpec:
        """Return a camera.

        Raises:
            HTTPException: There is none of that name.
        """
        listed = self._cameras.cameras().get(camera_id)
        if listed is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no camera {camera_id!r}")
        return listed.spec

    def set(self, spec: CameraSpec) -> CameraOut:
        """Add a camera, or change the one of its name."""
        self._publish(spec.camera_id, codec.encode(spec))
        return self._out(spec, self._store.progress(), self._store.recordings.states())

    def remove(self, camera_id: str) -> None:
        """Remove a camera, and forget how far it was analysed."""
        self._publish(self.known(camera_id).camera_id, None)
        self._store.forget_camera(camera_id)

    def _out(
        self, spec: CameraSpec, progress: Mapping[str, StoredProgress], unrecorded: Mapping[str, str]
    ) -> CameraOut:
        own = progress.get(spec.camera_id) if spec.site_id == self._store.site_id else None
        return camera_out(spec, own, self._states.get(spec.camera_id), unrecorded.get(spec.camera_id))

    def _publish(self, camera_id: str, value: bytes | None) -> None:
        producer = self._bus.producer()
        try:
            producer.send(CAMERAS.name, camera_id, value)
            producer.flush(FLUSH_S)
        finally:
            producer.close()
        self._cameras.catch_up()


def cameras_router(cameras: CameraList, site_id: str, settings: ApiSettings) -> APIRouter:
    """Return the routes for cameras; a new camera belongs to `site_id` unless it names its site."""
    router = new_router(prefix="/v1/cameras", tags=["cameras"])

    @router.get("")
    def list_cameras(site: Name | None = None) -> CamerasOut:
        """List the cameras of one site, or of all sites."""
        return CamerasOut(cameras=cameras.of(site))

    @router.post("", status_code=status.HTTP_201_CREATED)
    def add_camera(camera: CameraIn) -> CameraOut:
        """Add a camera, or change the one with this name; reading starts within seconds."""
        fields = camera.model_dump(exclude={"site_id"}) | {"type": "camera"}
        try:
            bounds = check_address(camera.url, settings)
            spec = msgspec.convert({**fields, "site_id": camera.site_id or site_id}, CameraSpec)
        except ValueError as error:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
        return cameras.set(msgspec.structs.replace(spec, bounds=bounds))

    @router.delete("/{camera_id}", status_code=status.HTTP_204_NO_CONTENT, responses=MISSING)
    def remove_camera(camera_id: Name) -> Response:
        """Remove a camera and stop reading it; the people it saw are kept."""
        cameras.remove(camera_id)
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    @router.post("/{camera_id}/pause", responses=MISSING)
    def pause_camera(camera_id: Name) -> CameraOut:
        """Stop reading a camera, and keep it in the list."""
        return cameras.set(msgspec.structs.replace(cameras.known(camera_id), enabled=False))

    @router.post("/{camera_id}/resume", responses=MISSING)
    def resume_camera(camera_id: Name) -> CameraOut:
        """Read a paused camera again."""
        return cameras.set(msgspec.structs.replace(cameras.known(camera_id), enabled=True))

    return router
