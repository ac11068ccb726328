"""Error messages for failed downloads of model files: cause, then remedy. URLs are shown without passwords."""

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from reid_worker.detectors.catalogue import Content, ModelFile
from reid_worker.detectors.files import describe, expected
from reid_worker.web_page import web_page
from wire.mask import HIDDEN, mask_url, scrub

FULL = (errno.ENOSPC, errno.EDQUOT)
ANOTHER_FOLDER = "name another folder in CLIMBTRACK_MODELS"
PROXY_UNUSABLE = "the proxy set in the environment cannot be used: HTTPS_PROXY must look like http://HOST:PORT"
PROXY_PASSWORD = "the proxy requires a password (407): HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"  # noqa: S105 - an example


def refused(model: ModelFile, url: str, cause: str, folder: Path) -> str:
    """Return the message for a download that failed."""
    mirror = "a mirror" if url == model.address else "another mirror"
    remedy = f"copy {model.file} into {folder} yourself, or set {mirror} in CLIMBTRACK_WORKER_MIRROR"
    return f"detector {model.name}: {shown(url)}: {cause}; {remedy}"


def disk(model: ModelFile, folder: Path, error: OSError) -> str:
    """Return the message for a folder that cannot hold a file."""
    if error.errno in FULL:
        needs = f"{model.name} needs {model.size_bytes / 1e6:.1f} MB"
        return f"detector {model.name}: the disk of {folder} is full: {needs}; make room, or {ANOTHER_FOLDER}"
    return read_only(model, [f"{folder}: {error.strerror or error}"])


def read_only(model: ModelFile, failed: Sequence[str]) -> str:
    """Return the message if no folder is writable."""
    return f"detector {model.name}: cannot be stored: {', '.join(failed)}; make it writable, or {ANOTHER_FOLDER}"


def status(code: int, phrase: str, model: ModelFile) -> str:
    """Return the cause for an HTTP status."""
    if code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        return PROXY_PASSWORD
    if code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        return f"{model.file} does not exist there ({code})"
    return f"the server answers {code} {phrase}".rstrip()


def wrong(model: ModelFile, found: Content, start: bytes) -> str:
    """Return the cause for a wrong file that begins with `start`."""
    page = web_page(start)
    if page is not None:
        return web_page_instead(page)
    return f"refused, as it is not the expected file: {describe(found)}; expected {expected(model)}"


def web_page_instead(page: str) -> str:
    """Return the cause for a web page."""
    return f"received {page} instead of the file, probably from a proxy or a login page"


def transport(error: httpx.HTTPError, url: str, connect_s: float, silence_s: float) -> str:
    """Return the cause for a failed connection."""
    proxy = proxy_of(url)
    via = f" through the proxy {proxy}" if proxy else ""
    if isinstance(error, httpx.ProxyError):
        return PROXY_PASSWORD if "407" in str(error) else f"no connection{via}: {scrub(str(error))}"
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection{via} within {connect_s:g} s"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer{via} for {silence_s:g} s"
    if isinstance(error, httpx.ConnectError):
        text = re.sub(r"^\[Errno -?\d+\] ", "", scrub(str(error)))
        advice = " (SSL_CERT_FILE names the certificates to trust)" if "CERTIFICATE" in text else ""
        return f"no connection{via}: {text}{advice}"
    if isinstance(error, httpx.RemoteProtocolError | httpx.NetworkError):
        return f"the connection{via} broke"
    return scrub(str(error)) or type(error).__name__


def so_far(done: int, model: ModelFile) -> str:
    """Return how much was received so far, to append to a cause."""
    return f", {kept(done, model.size_bytes)}" if done else ""


def kept(done: int, total: int) -> str:
    """Return how much was received, and what the next attempt does."""
    return f"{done} of {total} bytes were received, and the next attempt resumes there"


def shown(url: str) -> str:
    """Format a URL without user, password and query.

    >>> shown("https://me:secret@host:8443/models/a.onnx?key=1")
    'https://host:8443/models/a.onnx'
    """
    return mask_url(url).partition("?")[0].replace(f"{HIDDEN}@", "")


def proxy_of(url: str) -> str:
    """Return HOST:PORT of the proxy that the environment sets for this URL; empty without one."""
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return proxy.rstrip("/").rpartition("@")[2].rpartition("/")[2]
