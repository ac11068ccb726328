"""Why a server cannot be reached, in words. The address is given by whoever asks, without a password."""

import errno
import socket
import ssl
from collections.abc import Iterator

CLOSED = "closed the connection"
SILENT = "does not answer in time"

_WORDS: dict[type[OSError], str] = {  # the first that fits
    socket.gaierror: "the name of the host in {} cannot be resolved",
    ConnectionRefusedError: "nothing listens at {}",
    FileNotFoundError: "there is no socket at {}",
    PermissionError: "the user of this process may not use {}",
    TimeoutError: f"{{}} {SILENT}",
    ConnectionError: f"{{}} {CLOSED}",
}


def why_unreachable(error: BaseException, address: str) -> str | None:
    """Return what the operating system or TLS says about a connection; None where neither is behind an error."""
    for behind in _chain(error):
        if isinstance(behind, OSError):
            return _words(behind, address)
    return None


def is_untrusted(error: BaseException) -> bool:
    """Tell whether a certificate was refused, ours or theirs, or TLS cannot be agreed on: waiting does not help."""
    return any(isinstance(behind, ssl.SSLError) and not _broke_off(behind) for behind in _chain(error))


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
        return f"no network leads to {address}"
    return f"{address}: {error.strerror or type(error).__name__}"


def _broke_off(error: OSError) -> bool:
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
