"""URLs that may hold secrets: shown without them, and read whatever characters their passwords have.

People paste a password as it is, so it may hold the very characters that separate the parts of a URL (`/ ? # @ : [ ]`).
Showing hides too much rather than too little; reading takes the one host that can be meant, and never guesses.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote, unquote

HIDDEN = "***"
LOGIN_EXAMPLE = "[USER:PASSWORD@]"
NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")
LOCAL_SCHEMES = ("file", "unix")  # a path and no host
MAX_LENGTH = 4096
MAX_INDEX_DIGITS = 3

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HEAD = re.compile(r"\s*(?:[\w .-]*=)?(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)")  # also of NAME=URL
_PART_OF_URL = re.compile(r"[:/@?#=&]")
_END = re.compile(r"[/?#]")  # of what names user and host
_QUERY = re.compile(r"\?[\w.%-]+=")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\W_](?:[\w.-]*\w)?\.?)(?::(?P<port>[0-9]{0,5}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Names of what cameras, proxies and stores take as a secret, in a query or, as XMEye does, in the path.
_SECRET = re.compile(
    r"(?:pass|pwd|psw|loginpas|secret|token|key|auth|sig|cred|session|jwt|otp"
    r"|(?<![a-z])(?:pas|pw|sid|pin|code|hash))[\w.%-]*?=",
    re.IGNORECASE,
)
_PAIR_IN_PATH = re.compile(r"(?<=/)[^/?#:]+:.+", re.DOTALL)  # /user:password/
_BARE_LOGIN = re.compile(r"^[^@]*:.*@", re.DOTALL)  # user:password@host, where the scheme was forgotten
_HALF_LOGIN = re.compile(r"://[^/?#@\[]*:(?![0-9]{0,5}(?:[/?#]|$)|PORT)")  # user:password, where the host is missing
_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:(?:(?![A-Za-z][A-Za-z0-9+.-]*://)[^\n])*@\S*|\S*)")
_PUNCTUATION = ".,;:!?)]}>'\"`"
_UNSAFE_IN_LOGIN = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9!$&'()*+,;=._~%-]")
_UNSAFE_IN_PATH = re.compile(r"[^\x21-\x7e]")


class UrlError(ValueError):
    """Raised when a URL cannot be understood; the text holds nothing of the URL, which may hold a password."""


@dataclass(frozen=True, slots=True, repr=False)
class Url:
    """A URL in its parts.

    Attributes:
        scheme: In lower case.
        login: User and password as they were typed, None where there are none.
        host: Without brackets; empty for `LOCAL_SCHEMES`.
        port: None where the scheme's own is meant.
        rest: Path, query and fragment.
    """

    scheme: str
    login: str | None
    host: str
    port: int | None
    rest: str

    def __repr__(self) -> str:
        return f"Url({mask_url(self.quoted())})"

    @property
    def user(self) -> str | None:
        """Return the user, decoded."""
        return None if self.login is None else unquote(self.login.partition(":")[0])

    @property
    def password(self) -> str | None:
        """Return the password, decoded."""
        return None if self.login is None or ":" not in self.login else unquote(self.login.partition(":")[2])

    @property
    def address(self) -> str:
        """Return the host, and the port where there is one, as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def quoted(self) -> str:
        """Return the URL as libraries take it: what they could misread is percent-encoded."""
        user, colon, password = (self.login or "").partition(":")
        login = "" if self.login is None else f"{_quoted_login(user)}{colon}{_quoted_login(password)}@"
        return f"{self.scheme}://{login}{self.address}{_UNSAFE_IN_PATH.sub(_percent, self.rest)}"


def read_url(text: str) -> Url:
    """Return the parts of `SCHEME://[USER[:PASSWORD]@]HOST[:PORT][/PATH]`.

    Raises:
        UrlError: It is none, or several hosts can be meant.
    """
    check_text(text)
    scheme, separator, tail = text.strip().partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise UrlError("malformed URL: expected SCHEME://HOST/PATH")
    split = _split(scheme.lower(), tail)
    if split is None:
        raise UrlError(
            f"malformed URL: expected {scheme.lower()}://{LOGIN_EXAMPLE}HOST[:PORT]/PATH with a port of 1 to 65535; "
            "in a password, write / as %2F, ? as %3F, # as %23 and @ as %40; behind the host, write @ as %40"
        )
    login, host, rest = split
    named = _HOST.fullmatch(host)
    name = "" if named is None else named["host"].strip("[]")
    port = None if named is None or not named["port"] else int(named["port"])
    return Url(scheme.lower(), login, name, port, rest)


def check_source(text: str) -> None:
    """Return when this can be a camera: a network URL, a file or folder with or without `file://`, a device index.

    Raises:
        UrlError: It cannot.
    """
    check_text(text)
    if text.isdecimal() and len(text) > MAX_INDEX_DIGITS:
        raise UrlError(f"a device index has at most {MAX_INDEX_DIGITS} digits; a file of this name is written ./NAME")
    scheme, separator, _ = text.strip().partition("://")
    if not separator or scheme.lower() == "file":
        return
    if _SCHEME.fullmatch(scheme) and scheme.lower() not in NETWORK_SCHEMES:
        raise UrlError(f"{scheme.lower()}:// is not supported; use {', '.join(NETWORK_SCHEMES)}, a file, a folder or 0")
    read_url(text)


def is_live(text: str) -> bool:
    """Tell whether a camera is meant, at a network URL or a device index, and not a file or a folder."""
    scheme, separator, _ = text.strip().partition("://")
    return text.isdecimal() or (bool(separator) and scheme.lower() in NETWORK_SCHEMES)


def check_text(text: str) -> None:
    """Return when a text can be sent and opened at all.

    Raises:
        UrlError: It cannot.
    """
    if not text.strip():
        raise UrlError("must not be empty")
    if len(text) > MAX_LENGTH:
        raise UrlError(f"must not be longer than {MAX_LENGTH} characters, got {len(text)}")
    if _CONTROL.search(text):
        raise UrlError("must not hold line breaks or other control characters")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise UrlError("must be UTF-8; rename the file")


def mask_url(text: str) -> str:
    """Return a URL without its user, its password and whatever else may be a secret. Never fails.

    A path, a device index and other text that is no URL come back as they are, unless they look like a login.

    >>> mask_url("rtsp://admin:p[a/s#s@10.0.0.7:554/live?channel=1&pwd=abc")
    'rtsp://***@10.0.0.7:554/live?channel=1&pwd=***'
    """
    head, separator, tail = text.partition("://")
    named = _HEAD.fullmatch(head)
    if not separator or named is None:
        return _without_secrets(_BARE_LOGIN.sub(f"{HIDDEN}@", text))
    local = named["scheme"].lower() in LOCAL_SCHEMES
    split = _split(named["scheme"].lower(), tail) if len(text) <= MAX_LENGTH else None
    if split is None or ("@" in split[2] and not local and not _is_address(split[1])):
        return f"{head}://{HIDDEN}"
    login, host, rest = split
    rest = _without_secrets(rest)
    if not local:
        rest = f"/{HIDDEN}" if "@" in rest else _PAIR_IN_PATH.sub(HIDDEN, rest)
    return f"{head}://{'' if login is None else f'{HIDDEN}@'}{host}{rest}"


def mask_name(text: str) -> str:
    """Return what was given as a name as it is, unless it may be a part of a URL."""
    return HIDDEN if _PART_OF_URL.search(text) else text


def scrub(text: str) -> str:
    """Return a text with the URLs in it masked, for what others wrote: messages of libraries, tracebacks."""
    return _IN_TEXT.sub(_masked, text) if "://" in text else text


def secrets_of(text: str) -> tuple[str, ...]:
    """Return what must not show of a URL, in all the ways that others may write it."""
    try:
        url = read_url(text)
    except UrlError:
        return (text, repr(text)[1:-1])
    password = url.password or ""
    return tuple(filter(None, (text, repr(text)[1:-1], url.quoted(), url.login, password, quote(password))))


def hide(text: str, secrets: Iterable[str | None]) -> str:
    """Return a text without these secrets."""
    for secret in sorted({secret for secret in secrets if secret}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _split(scheme: str, tail: str) -> tuple[str | None, str, str] | None:
    """Return login, host with port, and rest of what stands behind `://`; None where no one host can be meant."""
    if scheme in LOCAL_SCHEMES:
        return _split_local(tail)
    first, *others = _readings(tail)
    if first is not None and (_is_address(first[1]) or "@" not in _QUERY.split(first[2], 1)[0]):
        return first
    possible = [reading for reading in others if reading is not None]
    for reading in possible:
        if _is_address(reading[1]):
            return reading
    if first is None:  # a password with a `/`, unless what is cut off by it looks like a query
        return possible[0] if len(possible) == 1 and not _QUERY.search(possible[0][0] or "") else None
    return None if _may_be_cut(first) else first


def _split_local(tail: str) -> tuple[str | None, str, str] | None:
    if tail.startswith("/"):
        return None, "", tail
    at = tail.find("@/")
    if at >= 0:
        return tail[:at], "", tail[at + 1 :]
    return None if set(tail) & {"@", ":"} else (None, "", tail)


def _readings(tail: str) -> Iterator[tuple[str | None, str, str] | None]:
    """Yield the reading of the standard, then those with an `@` behind it as the end of the password; None: no host."""
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
    """Tell whether what looks like the host may be the middle of a login, cut at a `/`: `NAME:123/...@HOST`."""
    login, host, _ = reading
    return login is not None or ":" in host


def _is_host(text: str) -> bool:
    named = _HOST.fullmatch(text)
    if named is None or not 0 < int(named["port"] or 1) <= 65535:
        return False
    return not text.startswith("[") or _is_ip(named["host"])


def _is_address(text: str) -> bool:
    """Tell whether a host is so for sure: nobody's name is an IP address."""
    named = _HOST.fullmatch(text)
    return named is not None and (named["host"] == "localhost" or _is_ip(named["host"]))


def _is_ip(host: str) -> bool:
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return isinstance(address, IPv6Address) == host.startswith("[")


def _without_secrets(text: str) -> str:
    """Hide everything behind the first name of a secret: where the secret ends, only its owner knows."""
    found = _SECRET.search(text)
    return text if found is None else text[: found.end()] + HIDDEN


def _masked(found: re.Match[str]) -> str:
    if LOGIN_EXAMPLE in found[0]:
        return found[0]
    url = found[0].rstrip(_PUNCTUATION)
    shown = mask_url(url) if "@" in url or _HALF_LOGIN.search(url) else _without_secrets(url)
    return shown + found[0][len(url) :]


def _quoted_login(text: str) -> str:
    return _UNSAFE_IN_LOGIN.sub(_percent, text)


def _percent(found: re.Match[str]) -> str:
    return quote(found[0], safe="")
