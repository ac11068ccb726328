"""`/v1/cameras/test`: what a camera shows, before it is added."""

import base64
import time
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, status
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from gallery.api.camera_address import check_address
from gallery.api.encoding import new_router
from gallery.api.schemas import SOURCE_SCHEMA, ProblemOut, source_url
from gallery.asking import Asker
from gallery.config import ApiSettings
from gallery.errors import NoAnswer, TooManySearches
from wire.messages import CameraTest, CameraTested
from wire.orientation import upright_size

NOT_DECODED = "it sends video that cannot be decoded: restart the camera, or choose H.264 as its codec"
REFUSALS: dict[int | str, dict[str, Any]] = {
    429: {"model": ProblemOut, "description": "Too many tests and searches are waiting for their answers"},
    504: {"model": ProblemOut, "description": "No ingest answered in time"},
}


class CameraTestIn(BaseModel):
    """An address to test, as in `CameraIn`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: Annotated[str, AfterValidator(source_url), Field(repr=False), WithJsonSchema(SOURCE_SCHEMA)]


class CameraTestOut(BaseModel):
    """What a camera shows, or why it shows nothing.

    `problem`: cause and remedy, null if there is a picture. `picture`: upright, JPEG in base64; null where the site's
    privacy is not `full`. `width`, `height`: of the upright video, pixels. `fps`: frames per second, null if only one
    came. `waited_s`: seconds until the first picture.
    """

    problem: str | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    waited_s: float | None = None
    picture: str | None = None


def camera_test_router(asker: Asker, settings: ApiSettings) -> APIRouter:
    """Return the route."""
    router = new_router(prefix="/v1/cameras", tags=["cameras"])

    @router.post("/test", responses=REFUSALS)
    def try_camera(camera: CameraTestIn) -> CameraTestOut:
        """Open an address once, for 12 s at most, and return a picture or what is wrong. Nothing is added."""
        try:
            bounds = check_address(camera.url, settings)
        except ValueError as error:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
        query = CameraTest(
            query_id=uuid.uuid4().hex, asker=asker.name, time_ns=time.time_ns(), url=camera.url, bounds=bounds
        )
        try:
            return _out(asker.ask_camera(query))
        except TooManySearches as error:
            raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, str(error), headers={"Retry-After": "1"}) from error
        except NoAnswer as error:
            raise HTTPException(status.HTTP_504_GATEWAY_TIMEOUT, str(error)) from error

    return router


def _out(tested: CameraTested) -> CameraTestOut:
    first = tested.first
    if first is None:
        return CameraTestOut(problem=tested.problem)
    from gallery.live.picture import PictureDecoder  # it loads FFmpeg

    hidden = not first.packets  # the site's privacy is not `full`
    decoder = PictureDecoder(first.codec, first.extradata, first.orientation)
    picture = None if hidden else decoder.latest(first.packets, end=True)
    width, height = upright_size(first.orientation, first.width, first.height)
    return CameraTestOut(
        problem=None if picture or hidden else NOT_DECODED,
        codec=first.codec,
        width=width,
        height=height,
        fps=round(first.fps, 2) or None,
        waited_s=tested.waited_ms / 1000,
        picture=base64.b64encode(picture).decode() if picture else None,
    )
