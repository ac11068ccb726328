"""The TCP ports of a cluster on this machine: what the settings ask for, checked or chosen before anything starts."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from deploy.errors import UsageError

BETWEEN_INSTANCES = 10  # the default ports of the services are neighbours


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process listens.

    Attributes:
        name: Of the process.
        host: As bound: it may stand for every address of this machine.
        port: 0 until one was chosen.
        key: The setting or option that chooses the port.
    """

    name: str
    host: str
    port: int
    key: str

    @property
    def reachable(self) -> str:
        """Return `host:port` for clients on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host and host[0] != "[" else f"{host}:{self.port}"


def instance(address: Address, number: int) -> Address:
    """Return the address of the second, third, … process of a kind, given that of the first."""
    port = address.port + BETWEEN_INSTANCES * (number - 1) if address.port else 0
    return replace(address, name=f"{address.name}-{number}", port=port)


def take(addresses: Sequence[Address]) -> dict[str, Address]:
    """Return the addresses by name, with a free port in place of 0.

    Raises:
        UsageError: A port is in use, by others or by two of these; names the process, the port and the setting.
    """
    taken: dict[str, Address] = {}
    with ExitStack() as held:
        for address in sorted(addresses, key=lambda one: one.port == 0):  # chosen ports must not be those asked for
            port = held.enter_context(_listener(address, taken)).getsockname()[1]
            taken[address.name] = replace(address, port=port)
    return {address.name: taken[address.name] for address in addresses}


def _listener(address: Address, taken: dict[str, Address]) -> socket.socket:
    """Return a socket that listens there."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        other = next((one.name for one in taken.values() if one.port == address.port), None)
        cause = f"{other} has it already" if other else getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"port {address.port} of {address.host} ({address.name}): {cause}; "
            f"stop what uses it, or choose another with {address.key}, where 0 picks a free one"
        ) from error
    return listener
