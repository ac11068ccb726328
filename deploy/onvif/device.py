"""Asks one ONVIF device for its streams, over HTTP."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import httpx

from deploy.errors import UsageError
from deploy.onvif import soap
from deploy.onvif.soap import Found, Login, Profile, SoapError
from wire.mask import mask_url
from wire.url import UrlError, read_url

TIMEOUT_S = 5.0
AT_ONCE = 16
NONCE_BYTES = 16
CONTENT_TYPE = "application/soap+xml; charset=utf-8"
LOGIN_NEEDED = "it wants a user and a password: repeat with --user"
LOGIN_REFUSED = "it refuses this user or password"


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of a camera and its address, without a login."""

    profile: Profile
    url: str


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that was found.

    Attributes:
        streams: What it offers, the main stream first; empty if it did not say.
        problem: Why there are none, for the user.
        login: Whether it asked for a user and a password.
    """

    host: str
    name: str
    streams: tuple[Stream, ...] = ()
    problem: str = ""
    login: bool = False


def describe(host: str, found: Found, login: Login | None) -> Camera:
    """Ask a device for its streams; what goes wrong is in `problem`."""
    name = found.scopes.get("name") or found.scopes.get("hardware") or ""
    camera = Camera(host, name)
    try:
        # Certificates of cameras are mostly their own. The password is never sent, only digests of it.
        with httpx.Client(timeout=TIMEOUT_S, verify=False, auth=_digest(login), trust_env=False) as client:  # noqa: S501
            streams = _Device(client, login).streams(_reachable(found.addresses, host))
            return replace(camera, streams=tuple(_at(host, one) for one in streams), login=login is not None)
    except SoapError as error:
        denied = LOGIN_NEEDED if login is None else LOGIN_REFUSED
        return replace(camera, problem=denied if error.denied else str(error), login=error.denied)
    except httpx.HTTPError as error:
        return replace(camera, problem=f"it does not answer ONVIF requests ({type(error).__name__})")


def describe_all(items: Iterable[tuple[str, Found]], ask_login: Callable[[], Login | None]) -> list[Camera]:
    """Ask every device for its streams, and those that want a login once more with the one that `ask_login` gives."""
    items = list(items)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cameras = list(pool.map(lambda item: describe(item[0], item[1], None), items))
        login = ask_login() if any(camera.problem == LOGIN_NEEDED for camera in cameras) else None
        if login is None:
            return cameras
        closed = {at: items[at] for at, camera in enumerate(cameras) if camera.problem == LOGIN_NEEDED}
        opened = dict(
            zip(closed, pool.map(lambda item: describe(item[0], item[1], login), closed.values()), strict=True)
        )
    return [opened.get(at, camera) for at, camera in enumerate(cameras)]


def by_address(text: str) -> tuple[str, Found]:
    """Return host and device of an address, `HOST[:PORT]`, without a probe: ONVIF fixes the path of its service.

    Raises:
        UsageError: It is not such an address.
    """
    try:
        url = read_url(f"http://{text}/onvif/device_service")
    except UrlError:
        raise UsageError(f"{mask_url(text)}: expected HOST or HOST:PORT") from None
    return url.host, Found("", (url.quoted(),), {})


class _Device:
    """The services of one device."""

    def __init__(self, client: httpx.Client, login: Login | None) -> None:
        self._client = client
        self._login = login
        self._ahead = timedelta()  # of this machine's clock

    def streams(self, address: str) -> list[Stream]:
        """Return the streams with their addresses.

        Raises:
            SoapError: The device refuses, or has no video.
        """
        self._set_clock(address)
        media = soap.media_address_of(self._ask(address, soap.get_capabilities()))
        if not media:
            raise SoapError("it has no media service; is it a recorder or a door station?")
        media = _reachable((media,), urlsplit(address).hostname or "")
        profiles = soap.profiles_of(self._ask(media, soap.get_profiles()))
        if not profiles:
            raise SoapError("it offers no video; set up a stream in the camera's own page")
        return [Stream(one, soap.stream_of(self._ask(media, soap.get_stream(one.token)))) for one in profiles]

    def _set_clock(self, address: str) -> None:
        """Date the login by the camera's own clock, which may be wrong: a digest with another date is refused."""
        now = datetime.now(UTC)
        try:
            told = soap.time_of(self._ask(address, soap.get_time(), signed=False))
        except SoapError:
            return
        self._ahead = (told or now) - now

    def _ask(self, address: str, body: str, *, signed: bool = True) -> bytes:
        login = self._login if signed else None
        data = soap.request(body, login, datetime.now(UTC) + self._ahead, os.urandom(NONCE_BYTES))
        answer = self._client.post(address, content=data, headers={"Content-Type": CONTENT_TYPE})
        if answer.status_code in {401, 403}:
            raise SoapError("", denied=True)
        if answer.status_code == 404:
            raise SoapError("it has no ONVIF service at this address, or ONVIF is switched off in its settings")
        return answer.content


def _digest(login: Login | None) -> httpx.DigestAuth | None:
    return None if login is None else httpx.DigestAuth(login.user, login.password)


def _reachable(addresses: tuple[str, ...], host: str) -> str:
    """Return the address at the host that answered; a device may list addresses of its other networks first."""
    same = [url for url in addresses if urlsplit(url).hostname == host]
    return same[0] if same else _with_host(addresses[0], host)


def _at(host: str, stream: Stream) -> Stream:
    return replace(stream, url=_with_host(stream.url, host))


def _with_host(url: str, host: str) -> str:
    parts = urlsplit(url)
    port = "" if parts.port is None else f":{parts.port}"
    return urlunsplit(parts._replace(netloc=f"{host}{port}"))
