"""What a user reads when a model file could not be had: the cause, then what to do. No URL shows its password."""

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from reid_worker.detectors.catalogue import Content, ModelFile
from reid_worker.detectors.files import describe, expected, web_page
from wire.mask import HIDDEN, mask_url, scrub

FULL = (errno.ENOSPC, errno.EDQUOT)
ANOTHER_FOLDER = "name another folder in CLIMBTRACK_MODELS"
PROXY_UNUSABLE = "the proxy that the environment names cannot be used: HTTPS_PROXY looks like http://HOST:PORT"
PROXY_PASSWORD = "the proxy wants a password (407): HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"  # noqa: S105 - no secret


def refused(model: ModelFile, url: str, cause: str, folder: Path) -> str:
    """Return the message for a download that failed."""
    mirror = "name a mirror in" if url == model.address else "name a better mirror in"
    remedy = f"put {model.file} into {folder} by hand, or {mirror} CLIMBTRACK_WORKER_MIRROR"
    return f"detector {model.name}: {shown(url)}: {cause}; {remedy}"


def disk(model: ModelFile, folder: Path, error: OSError) -> str:
    """Return the message for a folder that does not take a file."""
    if error.errno in FULL:
        needs = f"{model.name} needs {model.size_bytes / 1e6:.1f} MB"
        return f"detector {model.name}: the disk of {folder} is full: {needs}; make room, or {ANOTHER_FOLDER}"
    return read_only(model, [f"{folder}: {error.strerror or error}"])


def read_only(model: ModelFile, failed: Sequence[str]) -> str:
    """Return the message where no folder can be written."""
    return f"detector {model.name}: cannot be kept: {', '.join(failed)}; make it writable, or {ANOTHER_FOLDER}"


def status(code: int, phrase: str, model: ModelFile) -> str:
    """Return the cause that an HTTP status is."""
    if code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        return PROXY_PASSWORD
    if code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        return f"there is no {model.file} ({code})"
    return f"the server answers {code} {phrase}".rstrip()


def wrong(model: ModelFile, found: Content, start: bytes) -> str:
    """Return the cause that another file is, which begins with `start`."""
    page = web_page(start)
    if page is not None:
        return came_instead(page)
    return f"refused, another file: {describe(found)}; expected {expected(model)}"


def came_instead(page: str) -> str:
    """Return the cause that a web page is."""
    return f"{page} came instead of the file, as proxies and logins send it"


def transport(error: httpx.HTTPError, url: str, connect_s: float, silence_s: float) -> str:
    """Return the cause that a failed connection is."""
    proxy = proxy_of(url)
    via = f" through the proxy {proxy}" if proxy else ""
    if isinstance(error, httpx.ProxyError):
        return PROXY_PASSWORD if "407" in str(error) else f"the proxy{via} refuses: {scrub(str(error))}"
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection{via} within {connect_s:g} s"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer{via} for {silence_s:g} s"
    if isinstance(error, httpx.ConnectError):
        text = re.sub(r"^\[Errno -?\d+\] ", "", scrub(str(error)))
        advice = " (SSL_CERT_FILE names the certificates to trust)" if "CERTIFICATE" in text else ""
        return f"no connection{via}: {text}{advice}"
    if isinstance(error, httpx.RemoteProtocolError | httpx.NetworkError):
        return f"the connection{via} broke off"
    return scrub(str(error)) or type(error).__name__


def so_far(done: int, model: ModelFile) -> str:
    """Return how much is here already, to be put behind a cause."""
    return f", {kept(done, model.size_bytes)}" if done else ""


def kept(done: int, total: int) -> str:
    """Return how much is here of how much, and what the next try does."""
    return f"{done} of {total} bytes are here and the next try goes on from there"


def shown(url: str) -> str:
    """Return a URL without user, password and query.

    >>> shown("https://me:secret@host:8443/models/a.onnx?key=1")
    'https://host:8443/models/a.onnx'
    """
    return mask_url(url).partition("?")[0].replace(f"{HIDDEN}@", "")


def proxy_of(url: str) -> str:
    """Return HOST:PORT of the proxy that the environment names for this URL; empty where it is asked directly."""
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return proxy.rstrip("/").rpartition("@")[2].rpartition("/")[2]
