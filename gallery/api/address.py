"""Taking the address of the API before anything heavy is loaded, so that a taken port is told at once."""

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
