"""Which addresses of cameras the API may be given: an address is a way into the network and the file system."""

import os
from collections.abc import Collection, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import unquote

from gallery.config import ApiSettings
from wire.url import is_device, is_live, read_url


def check_address(url: str, settings: ApiSettings) -> None:
    """Check that the settings allow a source, which `wire.url.check_source` has accepted.

    Raises:
        ValueError: Its scheme, its host or its folder is not listed.
    """
    scheme = _scheme_of(url)
    if scheme not in settings.camera_schemes:
        raise ValueError(
            f"{_KINDS.get(scheme, f'{scheme}://')} may not be added here; api.camera_schemes allows "
            f"{', '.join(settings.camera_schemes)}"
        )
    if scheme == "device":
        return
    if scheme == "file":
        _check_folder(url, settings.camera_folders)
    else:
        _check_host(read_url(url).host, settings.camera_hosts)


_KINDS = {"file": "files", "device": "devices"}


def _scheme_of(url: str) -> str:
    if is_device(url):
        return "device"
    return read_url(url).scheme if is_live(url) else "file"


def _check_host(host: str, allowed: Collection[str]) -> None:
    if not allowed or host.rstrip(".").casefold() in {name.casefold() for name in allowed}:
        return
    try:
        address = ip_address(host)
    except ValueError:
        raise ValueError(_NO_HOST) from None  # a name is not looked up: it may mean another address later
    if not any(address in network for network in map(_network, allowed) if network is not None):
        raise ValueError(_NO_HOST)


_NO_HOST = "this host is not allowed; add its name or address to api.camera_hosts if it may be read"


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _check_folder(url: str, allowed: Collection[str]) -> None:
    if not allowed:
        return
    folders = [os.path.realpath(folder) for folder in allowed]
    for path in _readings(url):
        if not any(os.path.commonpath((path, folder)) == folder for folder in folders):
            raise ValueError(f"only files in {', '.join(folders)} may be added here; see api.camera_folders")


def _readings(url: str) -> Iterator[str]:
    """Yield every path that ingest may take an address for, absolute and without `..`."""
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
        yield os.path.realpath(Path(text).expanduser())
