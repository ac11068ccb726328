"""Bind the API's address before anything heavy is loaded, so that an occupied port is reported at once."""

import errno
import socket


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks a free port.

    Raises:
        OSError: The address is in use, or does not belong to this machine, or needs more privileges.
        OverflowError: The port is out of range.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, or asyncio does not know it for TCP and leaves Nagle's algorithm on: a body then waits 40 ms for the client
    # to acknowledge its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError):
        listener.close()
        raise
    return listener


def explain_bind_failure(error: OSError | OverflowError) -> str:
    """Return why an address cannot be bound, and whether to change the host or the port."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, socket.gaierror) or (isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL):
        return f"{reason}; the host must be an address of this machine, like 127.0.0.1, or 0.0.0.0 for all of them"
    return f"{reason}; choose another port, or 0 for any free one"
