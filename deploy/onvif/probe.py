"""Sends one multicast probe on every network interface, and collects the devices that answer (WS-Discovery)."""

import selectors
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import ExitStack
from uuid import uuid4

from deploy.errors import RunError, UsageError
from deploy.onvif.soap import Found, matches, probe

GROUP, PORT = "239.255.255.250", 3702
REPEAT_S = 0.5  # datagrams get lost: the probe is sent twice
MAX_DATAGRAM = 65535


def interfaces(names: Iterable[str] = ()) -> list[str]:
    """Return the names of the network interfaces to ask on: the given ones, else all but the loopback.

    Raises:
        UsageError: This machine has no such interface.
    """
    known = [name for _, name in socket.if_nameindex()]
    for name in names:
        if name not in known:
            raise UsageError(f"--interface {name}: this machine has {', '.join(known)}")
    return list(names) or [name for name in known if not name.startswith("lo")]


def discover(names: Iterable[str], timeout_s: float) -> list[tuple[str, Found]]:
    """Return the address and description of every device that answers a probe on these interfaces, each once.

    Raises:
        RunError: No interface lets multicast out.
    """
    found: dict[str, tuple[str, Found]] = {}
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        refused = []
        for name in names:
            try:
                selector.register(stack.enter_context(_asked(name)), selectors.EVENT_READ)
            except OSError as error:
                refused.append(f"{name}: {error.strerror}")
        if not selector.get_map():
            raise RunError(f"multicast cannot be sent on any network interface ({'; '.join(refused) or 'none is up'})")
        for host, data in _answers(selector, timeout_s):
            for one in matches(data):
                found.setdefault(one.endpoint or host, (host, one))
    return sorted(found.values(), key=lambda item: socket.inet_aton(item[0]))


def _asked(interface: str) -> socket.socket:
    """Return a socket that has sent the probe on one interface."""
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        choice = struct.pack("@4s4si", bytes(4), bytes(4), socket.if_nametoindex(interface))  # struct ip_mreqn
        asked.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, choice)
        asked.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        asked.settimeout(0)
        asked.sendto(probe(str(uuid4())), (GROUP, PORT))
    except OSError:
        asked.close()
        raise
    return asked


def _answers(selector: selectors.BaseSelector, timeout_s: float) -> Iterable[tuple[str, bytes]]:
    end_s = time.monotonic() + timeout_s
    again_s = time.monotonic() + min(REPEAT_S, timeout_s / 2)
    while (now_s := time.monotonic()) < end_s:
        if now_s >= again_s:
            again_s = end_s
            _ask_again(selector)
        for key, _ in selector.select(min(again_s, end_s) - now_s):
            asked = key.fileobj
            assert isinstance(asked, socket.socket)
            data, (host, _) = asked.recvfrom(MAX_DATAGRAM)
            yield host, data


def _ask_again(selector: selectors.BaseSelector) -> None:
    for key in selector.get_map().values():
        asked = key.fileobj
        assert isinstance(asked, socket.socket)
        try:
            asked.sendto(probe(str(uuid4())), (GROUP, PORT))
        except OSError:
            continue  # the interface went down; others may still answer
