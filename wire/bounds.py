"""How far the address of a camera may lead: the hosts and folders that may be read, redirects and playlists included.

Part of `wire.messages`. Whoever accepts an address states its bounds, and they travel with it: ingest holds to them
when it opens the address, since only then is it known where the address leads.
"""

import os
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from msgspec import Struct

from wire.url import UrlError, read_url

WEB = ("http", "https")
STRAIGHT = "give the address that it leads to, or one that leads nowhere else"


class OutOfBounds(ValueError):  # noqa: N818 - it reads as the cause it reports
    """Raised when an address leads where it may not; its cause and its remedy name no password."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause}; {remedy}")
        self.cause = cause
        self.remedy = remedy


class Bounds(Struct, frozen=True, array_like=True):
    """What may be read.

    Attributes:
        hosts: Names, addresses and networks of hosts; without one, all.
        folders: Absolute paths of folders; without one, all.
    """

    hosts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def check_host(self, host: str) -> None:
        """Check that a host may be read; a name is not looked up, as it may mean another address later.

        Raises:
            OutOfBounds: It may not.
        """
        if not self.hosts or host.rstrip(".").casefold() in {name.casefold() for name in self.hosts}:
            return
        try:
            address = ip_address(host)
        except ValueError:
            raise OutOfBounds(*_NO_HOST) from None
        if not any(address in network for network in _networks(self.hosts)):
            raise OutOfBounds(*_NO_HOST)

    def check_path(self, path: str) -> None:
        """Check that a file may be read, after links.

        Raises:
            OutOfBounds: It is in none of the folders.
        """
        folders = [os.path.realpath(folder) for folder in self.folders]
        real = os.path.realpath(path)
        if folders and not any(os.path.commonpath((real, folder)) == folder for folder in folders):
            raise OutOfBounds(
                f"only files in {', '.join(folders)} may be read here", "name its folder in api.camera_folders"
            )

    def check_led(self, url: str) -> None:
        """Check that a redirect or a playlist of a web server may lead to a URL.

        Raises:
            OutOfBounds: It may not; the message names the host.
        """
        try:
            led = read_url(url)
        except UrlError:
            raise OutOfBounds("it leads to something that is no address of a web server", STRAIGHT) from None
        if led.scheme not in WEB:
            raise OutOfBounds(f"it leads to {led.scheme}://, which is not followed", STRAIGHT)
        try:
            self.check_host(led.host)
        except OutOfBounds as error:
            raise OutOfBounds(f"it leads to {led.address}: {error.cause}", error.remedy) from None


_NO_HOST = ("this host is not allowed", "add its name or address to api.camera_hosts if it may be read")


def _networks(texts: Collection[str]) -> list[IPv4Network | IPv6Network]:
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:  # a name
            continue
    return found
