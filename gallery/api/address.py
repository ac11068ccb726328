"""Taking the address of the API before anything heavy is loaded, so that a taken port is told at once."""

import errno
import socket


def take(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        OSError: Somebody else has the address, or it is not ours to take.
        OverflowError: There is no such port.
    """
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen()
    except (OSError, OverflowError):
        taken.close()
        raise
    return taken


def why_not(error: OSError | OverflowError) -> str:
    """Say why an address cannot be taken, and what to change: the host or the port."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, socket.gaierror) or (isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL):
        return f"{reason}; the host must be an address of this machine, like 127.0.0.1, or 0.0.0.0 for all of them"
    return f"{reason}; choose another port, or 0 for any free one"
