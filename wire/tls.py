"""TLS contexts from the settings of a server."""

import re
import ssl

from wire.errors import SettingsError
from wire.secret_file import check_access
from wire.settings import TlsSettings


def context_of(settings: TlsSettings) -> ssl.SSLContext:
    """Return the TLS context for a server.

    Raises:
        SettingsError: A file contains no certificate, or a key cannot be read; names the setting.
    """
    context = ssl.create_default_context()
    context.check_hostname = settings.ssl_check_hostname
    key = "ssl_ca_file"
    try:
        if settings.ssl_ca_file is not None:
            context.load_verify_locations(settings.ssl_ca_file)
        if settings.ssl_certificate_file is not None:
            key = "ssl_certificate_file" if settings.ssl_key_file is None else "ssl_key_file"
            # A function, and never None: without a password OpenSSL would ask at the terminal.
            password = lambda: key_password(settings) or ""  # noqa: E731
            context.load_cert_chain(settings.ssl_certificate_file, settings.ssl_key_file, password)
            check_access(f"{settings.section}.{key}", settings.ssl_key_file or settings.ssl_certificate_file)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    except OSError as error:  # includes ssl.SSLError
        cause = re.sub(r"^\[.*?\] ", "", error.strerror or str(error)) or "cannot be used"
        shown = str(getattr(settings, key))
        raise SettingsError(f"{settings.section}.{key} = {shown!r}: {cause}; expected PEM") from None
    return context


def key_password(settings: TlsSettings) -> str | None:
    """Return the password of the client key."""
    return None if settings.ssl_key_password is None else settings.ssl_key_password.get_secret_value()
