"""Masks secrets in URLs and text; when in doubt, it masks too much rather than too little."""

import re
from collections.abc import Iterable
from urllib.parse import quote

from wire.url import EXAMPLES, LOCAL_SCHEMES, MAX_LENGTH, UrlError, is_address, read_url, split_tail

HIDDEN = "***"

_HEAD = re.compile(r"\s*(?:[\w .-]*=)?(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)")  # also of NAME=URL
_PART_OF_URL = re.compile(r"[:/@?#=&]")
# Names that cameras, proxies and stores use for secrets, in a query or, as XMEye does, in the path.
_SECRET = re.compile(
    r"(?:pass|pwd|psw|loginpas|secret|token|key|auth|sig|cred|session|jwt|otp"
    r"|(?<![a-z])(?:pas|pw|sid|pin|code|hash))[\w.%-]*?=",
    re.IGNORECASE,
)
_PAIR_IN_PATH = re.compile(r"(?<=/)[^/?#:]+:.+", re.DOTALL)  # /user:password/
_BARE_LOGIN = re.compile(r"^[^@]*:.*@", re.DOTALL)  # user:password@host without a scheme
_HALF_LOGIN = re.compile(r"://[^/?#@\[]*:(?![0-9]{0,5}(?:[/?#]|$)|PORT)")  # user:password without a host
_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:(?:(?![A-Za-z][A-Za-z0-9+.-]*://)[^\n])*@\S*|\S*)")
_PUNCTUATION = ".,;:!?)]}>'\"`"


def mask_url(text: str) -> str:
    """Mask the user, the password and anything else in a URL that may be a secret. Never fails.

    A path, a device index and other text that is not a URL are returned unchanged, unless they look like a login.

    >>> mask_url("rtsp://admin:p[a/s#s@10.0.0.7:554/live?channel=1&pwd=abc")
    'rtsp://***@10.0.0.7:554/live?channel=1&pwd=***'
    """
    head, separator, tail = text.partition("://")
    named = _HEAD.fullmatch(head)
    if not separator or named is None:
        return _without_secrets(_BARE_LOGIN.sub(f"{HIDDEN}@", text))
    local = named["scheme"].lower() in LOCAL_SCHEMES
    split = split_tail(named["scheme"].lower(), tail) if len(text) <= MAX_LENGTH else None
    if split is None or ("@" in split[2] and not local and not is_address(split[1])):
        return f"{head}://{HIDDEN}"
    login, host, rest = split
    rest = _without_secrets(rest)
    if not local:
        rest = f"/{HIDDEN}" if "@" in rest else _PAIR_IN_PATH.sub(HIDDEN, rest)
    return f"{head}://{'' if login is None else f'{HIDDEN}@'}{host}{rest}"


def mask_name(text: str) -> str:
    """Return a name unchanged, or masked if it may be part of a URL."""
    return HIDDEN if _PART_OF_URL.search(text) else text


def scrub(text: str) -> str:
    """Mask the URLs in text from other sources, such as error messages of libraries and tracebacks."""
    return _IN_TEXT.sub(_masked, text) if "://" in text else text


def secrets_of(text: str) -> tuple[str, ...]:
    """Return the secrets of a URL, in every form in which a library may print them."""
    try:
        url = read_url(text)
    except UrlError:
        return (text, repr(text)[1:-1])
    password = url.password or ""
    return tuple(filter(None, (text, repr(text)[1:-1], url.quoted(), url.login, password, quote(password))))


def hide(text: str, secrets: Iterable[str | None]) -> str:
    """Mask these secrets in a text."""
    for secret in sorted({secret for secret in secrets if secret}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _without_secrets(text: str) -> str:
    """Mask everything after the first name of a secret, as there is no telling where the secret ends."""
    found = _SECRET.search(text)
    return text if found is None else text[: found.end()] + HIDDEN


def _masked(found: re.Match[str]) -> str:
    if any(example in found[0] for example in EXAMPLES):
        return found[0]
    url = found[0].rstrip(_PUNCTUATION)
    shown = mask_url(url) if "@" in url or _HALF_LOGIN.search(url) else _without_secrets(url)
    return shown + found[0][len(url) :]
