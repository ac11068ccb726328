"""What the URL of a camera means, and where a local one is."""

from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from ingest.errors import SourceError
from wire.url import UrlError, check_source, is_live

Kind = Literal["network", "file", "folder", "device"]

_FILE = "file:"
_HOSTS_HERE = ("//localhost/", "///")


def kind_of(url: str) -> Kind:
    """Tell what a URL means.

    Raises:
        SourceError: It is malformed, has a scheme that is not supported, or its path cannot be looked at.
    """
    try:
        check_source(url)
        if is_live(url):
            return "device" if url.isdecimal() else "network"
        return "folder" if path_of(url).is_dir() else "file"
    except UrlError as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"cannot be opened: {error.strerror}") from error


def path_of(url: str) -> Path:
    """Return the path of a local URL: a path as it is, or a `file:` URL whose escapes (`%20`) are decoded.

    Where both readings are possible, the one that exists is meant: a file may be called `file:a.mp4` or `100%25.mp4`.
    """
    plain = _at_home(url)
    if url[: len(_FILE)].lower() != _FILE or plain.exists():
        return plain
    rest = url[len(_FILE) :]
    for host in _HOSTS_HERE:
        if rest.lower().startswith(host):
            rest = rest[len(host) - 1 :]
            break
    rest = rest.removeprefix("//")
    raw, decoded = _at_home(rest), _at_home(unquote(rest))
    return raw if raw.exists() and not decoded.exists() else decoded


def has_end(url: str) -> bool:
    """Tell whether trying again is pointless: files and folders, and what is not supported; not cameras."""
    try:
        return kind_of(url) in {"file", "folder"}
    except SourceError:
        return True


def _at_home(text: str) -> Path:
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user
        return path
