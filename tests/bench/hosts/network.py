"""Hosts of a network on one machine: every one a network namespace with one address, joined by a bridge in the hub."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

NET = "10.77.0"
HOSTS = {"broker": 10, "redis-1": 11, "redis-2": 12, "sentinel-1": 13, "sentinel-2": 14, "sentinel-3": 15,
         "ingest-1": 21, "ingest-2": 22, "worker-1": 31, "worker-2": 32, "worker-3": 33, "gallery-1": 41,
         "gallery-2": 42, "api": 51, "camera": 61}  # fmt: skip
HUB = "climbtrack-hub"
ANSWERS_S = 240.0


def sh(*command: str, check: bool = True) -> None:
    """Run a command, and show what it says only where it must succeed."""
    subprocess.run(command, check=check, capture_output=not check)


def name_of(host: str) -> str:
    """Return the name of a host's network."""
    return f"climbtrack-{host}"


def address_of(host: str) -> str:
    """Return the address of a host."""
    return f"{NET}.{HOSTS[host]}"


def inside(network: str, *command: str) -> None:
    """Run a command in a network."""
    sh("ip", "netns", "exec", network, *command)


@contextmanager
def networks() -> Iterator[None]:
    """Make the networks of all hosts, and remove them at the end."""
    tear_down()
    sh("ip", "netns", "add", HUB)
    inside(HUB, "ip", "link", "set", "lo", "up")
    inside(HUB, "ip", "link", "add", "bridge", "type", "bridge")
    inside(HUB, "ip", "addr", "add", f"{NET}.1/24", "dev", "bridge")
    inside(HUB, "ip", "link", "set", "bridge", "up")
    for host in HOSTS:
        own, cable = name_of(host), f"to-{host}"
        sh("ip", "netns", "add", own)
        inside(HUB, "ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", own)
        inside(HUB, "ip", "link", "set", cable, "master", "bridge", "up")
        inside(own, "ip", "addr", "add", f"{address_of(host)}/24", "dev", "eth0")
        inside(own, "ip", "link", "set", "eth0", "up")
        inside(own, "ip", "link", "set", "lo", "up")
    try:
        yield
    finally:
        tear_down()


def tear_down() -> None:
    """Remove the networks that are there."""
    for network in (HUB, *map(name_of, HOSTS)):
        sh("ip", "netns", "del", network, check=False)


def cut(host: str, other: str, *, yes: bool) -> None:
    """Let no packet pass between two hosts, or let them pass again."""
    change, peer = "-A" if yes else "-D", address_of(other)
    inside(name_of(host), "iptables", change, "OUTPUT", "-d", peer, "-j", "DROP")
    inside(name_of(host), "iptables", change, "INPUT", "-s", peer, "-j", "DROP")


def isolate(host: str, *, yes: bool) -> None:
    """Let no packet pass between a host and all others, or let them pass again."""
    sh("ip", "-n", HUB, "link", "set", f"to-{host}", "down" if yes else "up")


def wait_for_port(address: str, port: int) -> None:
    """Return when a server listens.

    Raises:
        SystemExit: It does not.
    """
    until_s = time.monotonic() + ANSWERS_S
    while time.monotonic() < until_s:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit(f"{address}:{port} does not answer")
