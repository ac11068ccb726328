"""Which addresses of cameras the API may be given: an address is a way into the network and the file system."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from gallery.config import ApiSettings
from wire.bounds import Bounds
from wire.url import is_device, is_live, read_url

NO_FOLDER = "no file may be added here; name its folder in api.camera_folders"


def check_address(url: str, settings: ApiSettings) -> Bounds | None:
    """Check that the settings allow a source, which `wire.url.check_source` has accepted.

    Returns:
        The bounds to which whoever opens it must hold; None if there are none.

    Raises:
        ValueError: Its scheme, its host or its folder is not listed.
    """
    bounds = Bounds(settings.camera_hosts, settings.camera_folders)
    scheme = _scheme_of(url)
    if scheme not in settings.camera_schemes:
        raise ValueError(
            f"{_KINDS.get(scheme, f'{scheme}://')} may not be added here; api.camera_schemes allows "
            f"{', '.join(settings.camera_schemes)}"
        )
    if scheme == "file":
        if not bounds.folders:
            raise ValueError(NO_FOLDER)
        for path in _readings(url):
            bounds.check_path(str(path))
    elif scheme != "device":
        bounds.check_host(read_url(url).host)
    return None if bounds == Bounds() else bounds


_KINDS = {"file": "files", "device": "devices"}


def _scheme_of(url: str) -> str:
    if is_device(url):
        return "device"
    return read_url(url).scheme if is_live(url) else "file"


def _readings(url: str) -> Iterator[Path]:
    """Yield every path that ingest may take an address for."""
    texts = [url]
    if url[:5].lower() == "file:":
        rest = url[5:]
        for host in ("//localhost/", "///"):
            if rest.lower().startswith(host):
                rest = rest[len(host) - 1 :]
                break
        rest = rest.removeprefix("//")
        texts = [rest, unquote(rest)]
    for text in texts:
        yield Path(text).expanduser()
