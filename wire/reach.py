"""Explains why a server cannot be reached. Callers pass the address without a password."""

import errno
import socket
import ssl
from collections.abc import Iterator

CLOSED = "closed the connection"
SILENT = "does not answer in time"

_WORDS: dict[type[OSError], str] = {  # the first match is used
    socket.gaierror: "the host name in {} cannot be resolved",
    ConnectionRefusedError: "nothing listens at {}",
    FileNotFoundError: "there is no socket at {}",
    PermissionError: "the user of this process may not use {}",
    TimeoutError: f"{{}} {SILENT}",
    ConnectionError: f"{{}} {CLOSED}",
}


def why_unreachable(error: BaseException, address: str) -> str | None:
    """Explain an error caused by the operating system or by TLS; None for other errors."""
    for cause in _chain(error):
        if isinstance(cause, OSError):
            return _words(cause, address)
    return None


def is_untrusted(error: BaseException) -> bool:
    """Tell whether either side rejected a certificate or TLS cannot be negotiated, so that waiting does not help."""
    return any(isinstance(cause, ssl.SSLError) and not _broke_off(cause) for cause in _chain(error))


def _words(error: OSError, address: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {address} is not trusted: {error.verify_message}"
    if _broke_off(error):
        return f"{address} {CLOSED}"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return f"TLS with {address} fails: {reason}"
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words.format(address)
    if error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}:
        return f"there is no route to {address}"
    return f"{address}: {error.strerror or type(error).__name__}"


def _broke_off(error: OSError) -> bool:
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
