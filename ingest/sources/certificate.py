"""Finds out why a camera's certificate is refused: libav says only that it is."""

import socket
import ssl

from ingest.config import IngestSettings
from ingest.errors import AccessDenied
from ingest.sources.connect import ca_file
from wire.url import Url

PORTS = {"rtsps": 322, "https": 443}
PATIENCE_S = 1.0
TRUST = "or set ingest.tls_verify: false to trust any certificate"
_VERIFY_HOSTNAME_MISMATCH = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def refusal(address: Url, settings: IngestSettings) -> AccessDenied | None:
    """Connect once more, and return why the certificate of an address is refused; None if it is not."""
    if address.scheme not in PORTS or not settings.tls_verify:
        return None
    port = address.port or PORTS[address.scheme]
    try:
        context = ssl.create_default_context(cafile=ca_file(settings))
        with (
            socket.create_connection((address.host, port), min(PATIENCE_S, settings.connect_timeout_s)) as plain,
            context.wrap_socket(plain, server_hostname=address.host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return AccessDenied(f"its certificate is refused ({error.verify_message})", _remedy(error.verify_code))
    except OSError:
        return None


def _remedy(code: int) -> str:
    if code in _VERIFY_HOSTNAME_MISMATCH:
        return f"write the URL with the name in the certificate, {TRUST}"
    return f"save it, or that of the authority that signed it, as a PEM file for ingest.tls_ca_file, {TRUST}"
