"""`/v1/cameras`: list, add and remove cameras at run time."""

import msgspec
from fastapi import APIRouter, HTTPException, Response, status

from gallery.api.schemas import CameraIn, CameraOut, CamerasOut, Name, camera_out
from gallery.store.store import Store
from wire import codec
from wire.bus import CAMERAS, Bus
from wire.cameras import Cameras
from wire.messages import CameraSpec

FLUSH_S = 10.0


def cameras_router(store: Store, bus: Bus, cameras: Cameras) -> APIRouter:
    """Return the routes for cameras; `store` provides their progress. A response always reflects earlier changes."""
    router = APIRouter(prefix="/v1/cameras", tags=["cameras"])

    @router.get("")
    def list_cameras(site: Name | None = None) -> CamerasOut:
        """List the cameras of one site, or of all sites."""
        progress = store.progress()
        specs = (listed.spec for listed in cameras.cameras().values())
        chosen = [spec for spec in specs if site in {None, spec.site_id}]
        own = [progress.get(spec.camera_id) if spec.site_id == store.site_id else None for spec in chosen]
        return CamerasOut(cameras=[camera_out(spec, stored) for spec, stored in zip(chosen, own, strict=True)])

    @router.post("", status_code=status.HTTP_201_CREATED)
    def add_camera(camera: CameraIn) -> CameraOut:
        """Add a camera, or change the one with this name; reading starts within seconds."""
        fields = camera.model_dump(exclude={"site_id"}) | {"type": "camera"}
        try:
            spec = msgspec.convert({**fields, "site_id": camera.site_id or store.site_id}, CameraSpec)
        except ValueError as error:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
        _publish(bus, spec.camera_id, codec.encode(spec))
        cameras.catch_up()
        return camera_out(spec, None)

    @router.delete("/{camera_id}", status_code=status.HTTP_204_NO_CONTENT)
    def remove_camera(camera_id: Name) -> Response:
        """Remove a camera and stop reading it; the people it saw are kept."""
        if camera_id not in cameras.cameras():
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no camera {camera_id!r}")
        _publish(bus, camera_id, None)
        cameras.catch_up()
        store.forget_camera(camera_id)
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    return router


def _publish(bus: Bus, camera_id: str, value: bytes | None) -> None:
    producer = bus.producer()
    try:
        producer.send(CAMERAS.name, camera_id, value)
        producer.flush(FLUSH_S)
    finally:
        producer.close()
