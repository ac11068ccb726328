"""When certificates end: reads the validity of X.509 certificates (RFC 5280, section 4.1) in PEM files."""

import math
import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from wire.metrics import ServiceMetrics
from wire.settings import TlsSettings

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_EXPLICIT_VERSION, _UTC_TIME = 0xA0, 0x17  # tags of DER


def export_expiry(metrics: ServiceMetrics, *settings: TlsSettings) -> None:
    """Export when the certificates of these settings end; files are read again at every scrape, as they may be renewed.

    Of authorities the last to end counts, since a bundle may hold old ones; of our own certificate and its chain the
    first. What the server presents is left to the server's own monitoring.
    """
    for one in settings:
        if one.ssl_ca_file is not None:
            authorities = metrics.certificate_expiry.labels(server=one.section, file="ca")
            authorities.set_function(partial(_end, one.ssl_ca_file, max))
        if one.ssl_certificate_file is not None:
            own = metrics.certificate_expiry.labels(server=one.section, file="certificate")
            own.set_function(partial(_end, one.ssl_certificate_file, min))


def not_after(der: bytes) -> float:
    """Return the end of a certificate's validity, s since the Unix epoch.

    Raises:
        ValueError, IndexError: The bytes are not a certificate.
    """
    (_, certificate), *_ = _values(der)
    (_, signed), *_ = _values(certificate)
    fields = [field for field in _values(signed) if field[0] != _EXPLICIT_VERSION]
    _, (tag, text) = _values(fields[3][1])  # the validity, after serial number, signature algorithm and issuer
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC).timestamp()


def _end(path: Path, choose: Callable[[Iterable[float]], float]) -> float:
    """Return when the chosen certificate of a PEM file ends, s since the Unix epoch; NaN if it cannot be read."""
    try:
        found = _PEM.findall(path.read_text(encoding="ascii", errors="replace"))
        return choose([not_after(ssl.PEM_cert_to_DER_cert(text)) for text in found])
    except (OSError, ValueError, IndexError):
        return math.nan


def _values(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each value of a DER sequence (X.690, section 8.1)."""
    at = 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, at = int.from_bytes(der[at : at + width]), at + width
        yield tag, der[at : at + size]
        at += size
