"""Which addresses a webhook may be sent to: public ones, and those of this network that the settings list."""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from gallery.outputs.config import network_of
from gallery.outputs.errors import NotSent

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def address_of(host: str, port: int, allowed: Collection[str]) -> str:
    """Return the address of a host to connect to: checking and then resolving again could give another one.

    Raises:
        NotSent: The host is unknown, or one of its addresses is not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSent(f"{host}: this host is unknown here") from error
    addresses = [str(info[4][0]) for info in found]
    for address in addresses:
        check_address(host, address, allowed)
    return addresses[0]


def check_webhook(url: str, allowed: Collection[str]) -> None:
    """Check what can be said of a webhook before anything is sent: a host that is unknown now may be known later.

    Raises:
        NotSent: It is of this network, and not listed.
    """
    try:
        address_of(*host_and_port(url), allowed)
    except NotSent as error:
        if error.final:
            raise


def host_and_port(url: str) -> tuple[str, int]:
    """Return where a webhook is."""
    parts = urlsplit(url)
    return str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)


def check_address(host: str, address: str, allowed: Collection[str]) -> None:
    """Check that a webhook may be sent to an address of a host.

    Raises:
        NotSent: It is an address of this network, and neither it nor the host is listed.
    """
    where = _meant(ipaddress.ip_address(address.partition("%")[0]))
    if host.casefold() in {name.casefold() for name in allowed}:
        return
    networks = [network for name in allowed if (network := network_of(name)) is not None]
    if any(where in network for network in networks if network.version == where.version):
        return
    if where.is_global and not where.is_multicast:
        return
    named = host if host == str(where) else f"{host} ({where})"
    raise NotSent(f"{named} is not public; if it may be reached, add {host} to alerts.webhook_hosts", final=True)


def _meant(address: _Address) -> _Address:
    """Return the IPv4 address that is written within an IPv6 address, if it is such a one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
