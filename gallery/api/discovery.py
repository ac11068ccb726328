"""`/v1/cameras/discover`: the cameras of the network in which the API runs, for whoever adds one."""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, HTTPException, status
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from gallery.api.encoding import new_router
from gallery.api.schemas import ProblemOut
from gallery.config import ApiSettings
from gallery.errors import CannotSearch
from wire.bounds import Bounds, OutOfBounds
from wire.message import UNSENDABLE

PAUSE_S = 5.0  # between two searches: each sends to the whole network, and to every device that answers
OFF = "this API looks for no cameras (api.camera_discovery); add them by their addresses"
BUSY = "another search for cameras has just begun: wait a few seconds"
REFUSALS: dict[int | str, dict[str, Any]] = {
    409: {"model": ProblemOut, "description": "Nothing can be sent to this network, or searching is switched off"},
}


@dataclass(frozen=True, slots=True)
class FoundStream:
    """A stream of a camera; `url` has `USER:PASSWORD@` where the camera wants a login."""

    url: str
    profile: str
    codec: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera that answered.

    Attributes:
        name: A name for it that is different from those of the others.
        model: What it calls itself.
        login: Whether it wants a user and a password.
        problem: Why there are no streams, for the user; empty if there are some.
    """

    name: str
    host: str
    model: str
    login: bool
    streams: tuple[FoundStream, ...]
    problem: str


class Finder(Protocol):
    """Looks for cameras."""

    def __call__(self, user: str, password: str, allowed: Callable[[str], bool]) -> list[FoundCamera]:
        """Return the cameras that answer, and ask only those at hosts that are allowed; no user is no login.

        Raises:
            CannotSearch: Nothing can be sent.
        """


def _printable(text: str) -> str:
    if UNSENDABLE.search(text):
        raise ValueError("must not contain control characters")
    return text


_SCHEMA = {"type": "string", "maxLength": 256, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
LoginText = Annotated[
    str, AfterValidator(_printable), Field(max_length=256, repr=False), WithJsonSchema({**_SCHEMA, "default": ""})
]


class DiscoverIn(BaseModel):
    """The user and the password of the cameras, if they want them; only digests are sent to those that ask."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user: LoginText = ""
    password: LoginText = ""


class FoundStreamOut(BaseModel):
    """A stream of a camera; `url` has `USER:PASSWORD@` where the camera wants a login."""

    url: str
    profile: str
    codec: str
    width: int
    height: int


class FoundCameraOut(BaseModel):
    """A camera that answered; `problem` says why there are no streams, and `login` whether it wants a user."""

    name: str
    host: str
    model: str
    login: bool
    streams: list[FoundStreamOut]
    problem: str


class FoundCamerasOut(BaseModel):
    """The cameras that answered, by their addresses."""

    cameras: list[FoundCameraOut]


def discovery_router(
    find: Finder | None, settings: ApiSettings, clock: Callable[[], float] = time.monotonic
) -> APIRouter:
    """Return the route; without `find`, or if the settings say so, it refuses."""
    router = new_router(prefix="/v1/cameras", tags=["cameras"])
    bounds, searching = Bounds(settings.camera_hosts), threading.Lock()
    again_s = 0.0

    def is_allowed(host: str) -> bool:
        try:
            bounds.check_host(host)
        except OutOfBounds:
            return False
        return True

    def begin() -> None:
        nonlocal again_s
        if not searching.acquire(blocking=False):
            raise _busy()
        if clock() < again_s:
            searching.release()
            raise _busy()
        again_s = clock() + PAUSE_S

    @router.post("/discover", responses=REFUSALS)
    def find_cameras(login: DiscoverIn) -> FoundCamerasOut:
        """Look for ONVIF cameras on the networks of this machine, for about three seconds, and ask for their streams.

        With `api.camera_hosts` only cameras at these hosts are asked and listed. Nothing is added.
        """
        if find is None or not settings.camera_discovery:
            raise HTTPException(status.HTTP_409_CONFLICT, OFF)
        begin()
        try:
            found = find(login.user, login.password, is_allowed)
        except CannotSearch as error:
            raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
        finally:
            searching.release()
        return FoundCamerasOut(cameras=[FoundCameraOut(**asdict(camera)) for camera in found])

    return router


def _busy() -> HTTPException:
    return HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, BUSY, headers={"Retry-After": f"{PAUSE_S:.0f}"})
