"""Parses URLs whose passwords may contain any character; `wire.mask` shows them without secrets.

People paste passwords unencoded, so a password may contain the very characters that separate the parts of a URL
(`/ ? # @ : [ ]`). A URL is accepted if only one host can be meant; an ambiguous one is refused rather than guessed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote, unquote

LOGIN_EXAMPLE = "[USER:PASSWORD@]"
LISTEN_EXAMPLES = ("udp://@:PORT", "udp://@GROUP:PORT")
EXAMPLES = (LOGIN_EXAMPLE, "://USER:PASSWORD@", *LISTEN_EXAMPLES)  # in our own messages, which stay readable
LISTENING_SCHEME = "udp"  # its address is one of this machine or a multicast group; there is no login
NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https", LISTENING_SCHEME)
ANY_ADDRESS = "0.0.0.0"
TRANSPORTS = ("tcp", "udp", "multicast")
DEVICE_NODES = ("/dev/video", "/dev/v4l/")
LOCAL_SCHEMES = ("file", "unix")  # a path without a host
MAX_LENGTH = 4096
MAX_INDEX_DIGITS = 3

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_END = re.compile(r"[/?#]")  # ends the part with user and host
_QUERY = re.compile(r"\?[\w.%-]+=")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\W_](?:[\w.-]*\w)?\.?)(?::(?P<port>[0-9]{0,5}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSAFE_IN_LOGIN = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9!$&'()*+,;=._~%-]")
_UNSAFE_IN_PATH = re.compile(r"[^\x21-\x7e]")
_ENDS_IN_PORT = re.compile(r":[0-9]+\Z")
_TRANSPORT = re.compile(r"#transport=(.*)\Z", re.DOTALL)


class UrlError(ValueError):
    """Raised when a URL cannot be parsed; the message quotes nothing of the URL, which may hold a password."""


@dataclass(frozen=True, slots=True, repr=False)
class Url:
    """A parsed URL.

    Attributes:
        scheme: In lower case.
        login: User and password as typed, None if there are none.
        host: Without brackets; empty for `LOCAL_SCHEMES`.
        port: None for the scheme's default port.
        rest: Path, query and fragment.
    """

    scheme: str
    login: str | None
    host: str
    port: int | None
    rest: str

    def __repr__(self) -> str:
        return f"Url({self.scheme})"  # the host may be the beginning of a password

    @property
    def user(self) -> str | None:
        """Return the user, decoded."""
        return None if self.login is None else unquote(self.login.partition(":")[0])

    @property
    def password(self) -> str | None:
        """Return the password, decoded."""
        return None if self.login is None or ":" not in self.login else unquote(self.login.partition(":")[2])

    @property
    def transport(self) -> str | None:
        """Return the transport that `#transport=` at the end of an RTSP URL names, None if it names none."""
        named = _TRANSPORT.search(self.rest) if self.scheme.startswith("rtsp") else None
        return None if named is None else named[1]

    @property
    def address(self) -> str:
        """Return host and port, if any, in URL syntax."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def quoted(self) -> str:
        """Return the URL in a form that libraries parse correctly: ambiguous characters are percent-encoded."""
        user, colon, password = (self.login or "").partition(":")
        login = "" if self.login is None else f"{_quoted_login(user)}{colon}{_quoted_login(password)}@"
        return f"{self.scheme}://{login}{self.address}{_UNSAFE_IN_PATH.sub(_percent, self.rest)}"

    def without_transport(self) -> "Url":
        """Return the URL as the camera expects it."""
        return self if self.transport is None else replace(self, rest=_TRANSPORT.sub("", self.rest))


def read_url(text: str) -> Url:
    """Parse `SCHEME://[USER[:PASSWORD]@]HOST[:PORT][/PATH]`.

    Raises:
        UrlError: It is malformed, or more than one host can be meant.
    """
    check_text(text)
    scheme, separator, tail = text.strip().partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise UrlError("malformed URL: expected SCHEME://HOST/PATH")
    split = split_tail(scheme.lower(), tail)
    if scheme.lower() == LISTENING_SCHEME and (split is None or not _ENDS_IN_PORT.search(split[1])):
        raise UrlError("malformed URL: expected {}, or {} for a multicast group".format(*LISTEN_EXAMPLES))
    if split is None:
        raise UrlError(
            f"malformed URL: expected {scheme.lower()}://{LOGIN_EXAMPLE}HOST[:PORT]/PATH with a port of 1 to 65535; "
            "in a password, write / as %2F, ? as %3F, # as %23 and @ as %40; after the host, write @ as %40"
        )
    login, host, rest = split
    named = _HOST.fullmatch(host)
    name = "" if named is None else named["host"].strip("[]")
    port = None if named is None or not named["port"] else int(named["port"])
    return Url(scheme.lower(), login, name, port, rest)


def check_source(text: str) -> None:
    """Check that a text can name a camera: a network URL, a file or folder with or without `file://`, a device index.

    Raises:
        UrlError: It cannot.
    """
    check_text(text)
    if text.isdecimal() and len(text) > MAX_INDEX_DIGITS:
        raise UrlError(f"a device index has at most {MAX_INDEX_DIGITS} digits; write a file of this name as ./NAME")
    scheme, separator, _ = text.strip().partition("://")
    if not separator or scheme.lower() == "file":
        return
    if _SCHEME.fullmatch(scheme) and scheme.lower() not in NETWORK_SCHEMES:
        raise UrlError(f"{scheme.lower()}:// is not supported; use {', '.join(NETWORK_SCHEMES)}, a file, a folder or 0")
    transport = read_url(text).transport
    if transport is not None and transport not in TRANSPORTS:
        raise UrlError(f"#transport= at the end of a URL must be {', '.join(TRANSPORTS[:-1])} or {TRANSPORTS[-1]}")


def is_live(text: str) -> bool:
    """Tell whether the source is live (a network URL or a device) rather than a file or a folder."""
    scheme, separator, _ = text.strip().partition("://")
    return is_device(text) or (bool(separator) and scheme.lower() in NETWORK_SCHEMES)


def is_device(text: str) -> bool:
    """Tell whether a text names a camera of this machine: by its index, or by its node like `/dev/video0`."""
    return text.isdecimal() or text.startswith(DEVICE_NODES)


def check_text(text: str) -> None:
    """Check that a text can be sent and opened at all.

    Raises:
        UrlError: It is empty, too long, or contains control characters or lone surrogates.
    """
    if not text.strip():
        raise UrlError("must not be empty")
    if len(text) > MAX_LENGTH:
        raise UrlError(f"must not be longer than {MAX_LENGTH} characters, got {len(text)}")
    if _CONTROL.search(text):
        raise UrlError("must not contain line breaks or other control characters")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise UrlError("must be UTF-8; rename the file")


def split_tail(scheme: str, tail: str) -> tuple[str | None, str, str] | None:
    """Split what follows `://` into login, host with port, and rest; None unless exactly one host can be meant."""
    if scheme in LOCAL_SCHEMES:
        return _split_local(tail)
    if scheme == LISTENING_SCHEME:
        return _split_listening(tail)
    first, *others = _readings(tail)
    if first is not None and (is_address(first[1]) or "@" not in _QUERY.split(first[2], 1)[0]):
        return first
    possible = [reading for reading in others if reading is not None]
    for reading in possible:
        if is_address(reading[1]):
            return reading
    if first is None:  # a password with a `/`, unless the part after it looks like a query
        return possible[0] if len(possible) == 1 and not _QUERY.search(possible[0][0] or "") else None
    return None if _may_be_cut(first) else first


def _split_local(tail: str) -> tuple[str | None, str, str] | None:
    if tail.startswith("/"):
        return None, "", tail
    at = tail.find("@/")
    if at >= 0:
        return tail[:at], "", tail[at + 1 :]
    return None if set(tail) & {"@", ":"} else (None, "", tail)


def _split_listening(tail: str) -> tuple[str | None, str, str] | None:
    named = tail.removeprefix("@")
    host, rest = named[: _end(named, 0)], named[_end(named, 0) :]
    host = f"{ANY_ADDRESS}{host}" if host.startswith(":") else host
    return (None, host, rest) if _is_host(host) and "@" not in rest else None


def _readings(tail: str) -> Iterator[tuple[str | None, str, str] | None]:
    """Yield the standard reading, then one per later `@` as the end of the password; None if it has no valid host."""
    end = _end(tail, 0)
    at = tail.rfind("@", 0, end)
    yield _reading(tail, at, end)
    at = tail.find("@", end)
    while at >= 0:
        yield _reading(tail, at, _end(tail, at))
        at = tail.find("@", at + 1)


def _reading(tail: str, at: int, end: int) -> tuple[str | None, str, str] | None:
    host = tail[at + 1 : end]
    return (tail[:at] if at >= 0 else None, host, tail[end:]) if _is_host(host) else None


def _end(tail: str, start: int) -> int:
    found = _END.search(tail, start)
    return len(tail) if found is None else found.start()


def _may_be_cut(reading: tuple[str | None, str, str]) -> bool:
    """Tell whether the apparent host may be part of a login that was cut at a `/`: `NAME:123/...@HOST`."""
    login, host, _ = reading
    return login is not None or ":" in host


def _is_host(text: str) -> bool:
    named = _HOST.fullmatch(text)
    if named is None or not 0 < int(named["port"] or 1) <= 65535:
        return False
    return not text.startswith("[") or _is_ip(named["host"])


def is_address(text: str) -> bool:
    """Tell whether a text is certainly a host and not a user name: an IP address or `localhost`."""
    named = _HOST.fullmatch(text)
    return named is not None and (named["host"] == "localhost" or _is_ip(named["host"]))


def _is_ip(host: str) -> bool:
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return isinstance(address, IPv6Address) == host.startswith("[")


def _quoted_login(text: str) -> str:
    return _UNSAFE_IN_LOGIN.sub(_percent, text)


def _percent(found: re.Match[str]) -> str:
    return quote(found[0], safe="")
