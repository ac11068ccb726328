"""The kind of source that a camera's URL names, and the path of a local one."""

from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from ingest.errors import SourceError
from wire.url import UrlError, check_source, is_device, is_live

Kind = Literal["network", "file", "folder", "device"]

_FILE = "file:"
_LOCAL_HOSTS = ("//localhost/", "///")


def kind_of(url: str) -> Kind:
    """Return the kind of source that a URL names.

    Raises:
        SourceError: The URL is malformed, its scheme is not supported, or its path cannot be accessed.
    """
    try:
        check_source(url)
        if is_live(url):
            return "device" if is_device(url) else "network"
        return "folder" if path_of(url).is_dir() else "file"
    except UrlError as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"cannot be opened: {error.strerror}") from error


def path_of(url: str) -> Path:
    """Return the path of a local URL: a plain path unchanged, or a `file:` URL with its escapes (`%20`) decoded.

    If both readings are possible, the one that exists is used: a file may be called `file:a.mp4` or `100%25.mp4`.
    """
    plain = _expanded(url)
    if url[: len(_FILE)].lower() != _FILE or plain.exists():
        return plain
    rest = url[len(_FILE) :]
    for host in _LOCAL_HOSTS:
        if rest.lower().startswith(host):
            rest = rest[len(host) - 1 :]
            break
    rest = rest.removeprefix("//")
    raw, decoded = _expanded(rest), _expanded(unquote(rest))
    return raw if raw.exists() and not decoded.exists() else decoded


def has_end(url: str) -> bool:
    """Tell whether there is no point in retrying: true for files, folders and unsupported URLs, not for cameras."""
    try:
        return kind_of(url) in {"file", "folder"}
    except SourceError:
        return True


def _expanded(text: str) -> Path:
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path
