"""TLS by files: what a server needs of them, and what is wrong with them before it starts."""

import ssl
from typing import Any

from gallery.config import ApiSettings
from wire.errors import SettingsError


def tls_options(settings: ApiSettings) -> dict[str, Any]:
    """Return the options of uvicorn with which an API serves HTTPS; none where it serves HTTP.

    Raises:
        SettingsError: The files are no certificate and its key, or cannot be read.
    """
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None or key is None:
        return {}
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise SettingsError(
            f"api.tls_certificate_file {certificate} and api.tls_key_file {key}: {_cause(error)}; expected PEM files, "
            "the certificate with those of its authorities behind it, and its key without a password"
        ) from error
    return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}


def scheme_of(settings: ApiSettings) -> str:
    """Return how the addresses of an API begin."""
    return "http" if settings.tls_certificate_file is None else "https"


def _no_password() -> str:
    raise ValueError("the key has a password")


def _cause(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key is that of another certificate"
    if isinstance(error, ssl.SSLError):
        return "they hold no certificate, or no key"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
