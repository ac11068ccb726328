"""Outputs: where alerts are sent."""

import re
from urllib.parse import urlsplit

import msgspec

from gallery.zones.zone import check_title
from wire.message import UNSENDABLE, check_name

MQTT = "mqtt"  # the output that every site has: the broker of the settings
MAX_OUTPUTS = 50  # of a site
SECRET = (16, 256)  # characters
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Output(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook.

    Attributes:
        url: `https://` or `http://`; a login or a token in it is never shown.
        secret: Signs what is sent.
        certificate: SHA-256 of the server's certificate, in hexadecimal, to be trusted although nobody vouches for it.
    """

    output_id: str
    name: str
    url: str
    secret: str
    certificate: str = ""
    enabled: bool = True

    def __post_init__(self) -> None:
        check_name("output_id", self.output_id)
        if self.output_id == MQTT:
            raise ValueError(f"output_id: {MQTT} is the broker of the settings (alerts.mqtt_url); choose another id")
        check_title("name", self.name)
        if not SECRET[0] <= len(self.secret) <= SECRET[1] or not self.secret.isascii() or not self.secret.isprintable():
            raise ValueError(f"secret: must be {SECRET[0]}-{SECRET[1]} printable ASCII characters")
        if self.certificate and not _DIGEST.fullmatch(self.certificate):
            raise ValueError("certificate: must be a SHA-256 of 64 hexadecimal digits, as sha256sum prints it")
        check_webhook_url(self.url)

    @property
    def safe_url(self) -> str:
        """Return the address without what may be secret: login, path's end and query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"

    def __repr__(self) -> str:
        """Return a text without secrets."""
        return f"Output({self.output_id!r}, {self.safe_url!r})"


def check_webhook_url(url: str) -> None:
    """Raise ValueError, which does not repeat the address, unless it is one of a web server."""
    if len(url) > 2_000 or UNSENDABLE.search(url) or " " in url or not url.isascii():
        raise ValueError("url: must be at most 2000 ASCII characters, without spaces; percent-encode others")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("url: cannot be read; give one like https://example.org/hook") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("url: must start with https:// or http:// and a host, like https://example.org/hook")
    if parts.fragment:
        raise ValueError("url: a part after # is never sent; leave it out")
