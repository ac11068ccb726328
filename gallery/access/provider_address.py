"""Which addresses of an identity provider can be trusted."""

from urllib.parse import urlsplit

from gallery.access.first import is_loopback


def is_safe_address(url: str) -> bool:
    """Tell whether nobody can listen to or pose as what answers there: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
