"""Cameras that answer on the network, in the form in which the API tells of them."""

from collections.abc import Callable, Sequence

from deploy.errors import RunError
from deploy.onvif.device import LOGIN_NEEDED, Camera, describe_all
from deploy.onvif.probe import discover, interfaces
from deploy.onvif.soap import Login
from deploy.onvif.words import names_of, url_of
from gallery.api.discovery import FoundCamera, FoundStream
from gallery.errors import CannotSearch

WAIT_S = 3.0
NEEDS_LOGIN = "it wants a user and a password"


def find_cameras(
    user: str, password: str, allowed: Callable[[str], bool], *, names: Sequence[str] = (), wait_s: float = WAIT_S
) -> list[FoundCamera]:
    """Return the cameras that answer on some network interfaces, or on all; see `gallery.api.discovery.Finder`.

    Raises:
        CannotSearch: No interface lets multicast out.
    """
    try:
        items = [(host, found) for host, found in discover(interfaces(names), wait_s) if allowed(host)]
    except RunError as error:
        raise CannotSearch(str(error)) from error
    cameras = describe_all(items, lambda: Login(user, password) if user else None)
    return [_found(name, camera) for name, camera in zip(names_of(cameras), cameras, strict=True)]


def _found(name: str, camera: Camera) -> FoundCamera:
    return FoundCamera(
        name=name,
        host=camera.host,
        model=camera.name,
        login=camera.login,
        streams=tuple(
            FoundStream(url_of(camera, one), one.profile.name, one.profile.codec, one.profile.width, one.profile.height)
            for one in camera.streams
        ),
        problem=NEEDS_LOGIN if camera.problem == LOGIN_NEEDED else camera.problem,
    )
