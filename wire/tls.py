"""TLS as the settings of a server ask for it."""

import re
import ssl
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import SecretStr

from wire.errors import SettingsError


class TlsSettings(Protocol):
    """The part of a server's settings that is about TLS."""

    section: ClassVar[str]

    @property
    def ssl_ca_file(self) -> Path | None:
        """Return who signed the server's certificate."""

    @property
    def ssl_certificate_file(self) -> Path | None:
        """Return our own certificate."""

    @property
    def ssl_key_file(self) -> Path | None:
        """Return its key."""

    @property
    def ssl_key_password(self) -> SecretStr | None:
        """Return the password of the key."""

    @property
    def ssl_check_hostname(self) -> bool:
        """Return whether names are compared."""


def context_of(settings: TlsSettings) -> ssl.SSLContext:
    """Return how we speak TLS.

    Raises:
        SettingsError: A file holds no certificate, or a key cannot be read; names the setting.
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
    except OSError as error:  # also of TLS
        cause = re.sub(r"^\[.*?\] ", "", error.strerror or str(error)) or "cannot be used"
        shown = str(getattr(settings, key))
        raise SettingsError(f"{settings.section}.{key} = {shown!r}: {cause}; expected PEM") from None
    return context


def key_password(settings: TlsSettings) -> str | None:
    """Return the password of our key."""
    return None if settings.ssl_key_password is None else settings.ssl_key_password.get_secret_value()
