"""The few SOAP messages of WS-Discovery and ONVIF that finding a stream takes; pure.

WS-Discovery 2005/04; ONVIF Core Specification, sections 5.9 (discovery) and 5.12 (security); ONVIF Media Service.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

MAX_BYTES = 1 << 20
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_SCHEMA = "http://www.onvif.org/ver10/schema"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_ENVELOPE = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"{}>{}<s:Body>{}</s:Body></s:Envelope>'
_SCOPE = re.compile(r"onvif://www\.onvif\.org/(name|hardware|location)/(.+)", re.IGNORECASE)


class SoapError(Exception):
    """Raised when an answer is not the SOAP message that was asked for; carries the camera's reason, if any."""

    def __init__(self, reason: str, *, denied: bool = False) -> None:
        super().__init__(reason)
        self.denied = denied


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered a probe.

    Attributes:
        addresses: URLs of its device service.
        scopes: Its name, hardware and location, where stated.
    """

    endpoint: str
    addresses: tuple[str, ...]
    scopes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Profile:
    """One stream that a camera offers; the size is 0 if it is not stated."""

    token: str
    name: str
    codec: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """A user of a camera; the password is in no representation."""

    user: str
    password: str


def probe(message_id: str) -> bytes:
    """Return a probe for ONVIF video transmitters."""
    addressing = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
    discovery = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
    spaces = f' xmlns:a="{addressing}" xmlns:d="{discovery}" xmlns:n="http://www.onvif.org/ver10/network/wsdl"'
    head = (
        f"<s:Header><a:Action>{discovery}/Probe</a:Action><a:MessageID>urn:uuid:{message_id}</a:MessageID>"
        "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>"
    )
    body = "<d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe>"
    return _ENVELOPE.format(spaces, head, body).encode()


def matches(data: bytes) -> list[Found]:
    """Return the devices in an answer to a probe; none if it is anything else."""
    try:
        root = _parsed(data)
    except SoapError:
        return []
    found = []
    for match in _all(root, "ProbeMatch"):
        listed = _text(match, "XAddrs").split()
        addresses = tuple(url for url in listed if url.lower().startswith(("http://", "https://")))
        named = filter(None, map(_SCOPE.fullmatch, _text(match, "Scopes").split()))
        scopes = {one[1].lower(): unquote(one[2]).replace("_", " ").strip("/") for one in named}
        if addresses:
            found.append(Found(_text(match, "Address"), addresses, scopes))
    return found


def request(body: str, login: Login | None, now: datetime, nonce: bytes) -> bytes:
    """Return a request; with a login it carries a password digest (WS-Security UsernameToken Profile 1.0)."""
    return _ENVELOPE.format("", "" if login is None else _header(login, now, nonce), body).encode()


def get_time() -> str:
    """Return the body of a request for the camera's time, which needs no login."""
    return f'<GetSystemDateAndTime xmlns="{DEVICE}"/>'


def get_capabilities() -> str:
    """Return the body of a request for the address of the media service."""
    return f'<GetCapabilities xmlns="{DEVICE}"><Category>Media</Category></GetCapabilities>'


def get_profiles() -> str:
    """Return the body of a request for the streams of a camera."""
    return f'<GetProfiles xmlns="{MEDIA}"/>'


def get_stream(token: str) -> str:
    """Return the body of a request for the address of one stream."""
    transport = f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport>'
    setup = f'<StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>{transport}</StreamSetup>'
    return f'<GetStreamUri xmlns="{MEDIA}">{setup}<ProfileToken>{escape(token)}</ProfileToken></GetStreamUri>'


def time_of(data: bytes) -> datetime | None:
    """Return the camera's time; None if it states none."""
    for moment in _all(_parsed(data), "UTCDateTime"):
        numbers = [int(_text(moment, part) or -1) for part in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
        try:
            return datetime(*numbers, tzinfo=UTC)  # type: ignore[misc,arg-type]
        except ValueError:
            return None
    return None


def media_address_of(data: bytes) -> str:
    """Return the address of the media service; empty if the device has none."""
    return next((_text(media, "XAddr") for media in _all(_parsed(data), "Media")), "")


def profiles_of(data: bytes) -> list[Profile]:
    """Return the streams of a camera that have a video encoder, in its own order: the main stream comes first."""
    found = []
    for profile in _all(_parsed(data), "Profiles"):
        for encoder in _all(profile, "VideoEncoderConfiguration"):
            width, height = (int(_text(encoder, side) or 0) for side in ("Width", "Height"))
            token, codec = profile.get("token", ""), _text(encoder, "Encoding")
            found.append(Profile(token, _text(profile, "Name") or token, codec, width, height))
    return found


def stream_of(data: bytes) -> str:
    """Return the address of a stream.

    Raises:
        SoapError: The answer contains none.
    """
    url = _text(_parsed(data), "Uri")
    if urlsplit(url).scheme.lower() not in {"rtsp", "rtsps"}:
        raise SoapError("it states no RTSP address for its stream")
    return url


def _header(login: Login, now: datetime, nonce: bytes) -> str:
    created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(nonce + created.encode() + login.password.encode()).digest()  # noqa: S324 - so it is specified
    kind = f"{_SECURITY}username-token-profile-1.0#PasswordDigest"
    return (
        f'<s:Header><Security s:mustUnderstand="1" xmlns="{_SECURITY}wssecurity-secext-1.0.xsd"><UsernameToken>'
        f"<Username>{escape(login.user)}</Username>"
        f'<Password Type="{kind}">{base64.b64encode(digest).decode()}</Password>'
        f"<Nonce>{base64.b64encode(nonce).decode()}</Nonce>"
        f'<Created xmlns="{_SECURITY}wssecurity-utility-1.0.xsd">{created}</Created>'
        "</UsernameToken></Security></s:Header>"
    )


def _parsed(data: bytes) -> ET.Element:
    """Parse an answer.

    Raises:
        SoapError: It is not XML, declares entities, or reports a fault.
    """
    if len(data) > MAX_BYTES or b"<!DOCTYPE" in data:
        raise SoapError("its answer is not an ONVIF message")
    try:
        root = ET.fromstring(data)  # noqa: S314 - without a document type there are no entities to expand
    except ET.ParseError:
        raise SoapError("its answer is not an ONVIF message") from None
    for fault in _all(root, "Fault"):
        codes = " ".join(value.text or "" for value in _all(fault, "Value"))
        denied = "NotAuthorized" in codes or "FailedAuthentication" in codes
        raise SoapError(_text(fault, "Text") or codes or "it reports a fault", denied=denied)
    return root


def _all(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (one for one in element.iter() if one.tag.rpartition("}")[2] == name)


def _text(element: ET.Element, name: str) -> str:
    return next(((one.text or "").strip() for one in _all(element, name)), "")
