"""How libav connects to an address: transport, timeouts, and which certificates are trusted."""

import ssl
from pathlib import Path

from ingest.config import IngestSettings
from wire.url import Url

TRANSPORT_STREAM_OPTIONS = {
    "merge_pmt_versions": "1"
}  # follows a change of PID in a transport stream; others ignore it
LIVE_EDGE = {"live_start_index": "-1"}  # of HLS: a playlist that still grows is read from its last segment
WEB_ONLY = {
    "protocol_whitelist": "http,https,httpproxy,tls,tcp,crypto,data"
}  # what a web server sends may not lead elsewhere
ALONE = {"max_redirects": "0"}  # of HTTP
UDP_OPTIONS = {"overrun_nonfatal": "1", "buffer_size": str(4 << 20)}  # a burst may overrun a socket: lose part, go on
BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Arch
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, Red Hat
    Path("/etc/ssl/ca-bundle.pem"),  # SUSE
    Path("/etc/ssl/cert.pem"),  # Alpine, macOS
)
_RTSP_TRANSPORTS = {"tcp": "tcp", "udp": "udp", "multicast": "udp_multicast"}
_ENCRYPTED = frozenset({"rtsps", "https"})


def options_of(address: Url, settings: IngestSettings) -> dict[str, str]:
    """Return libav's options for an address.

    RTSP streams are requested over TCP, which loses nothing, or over UDP from a camera that refuses TCP, unless the URL
    names a transport. Certificates are checked; libav's default is to trust anyone.
    """
    options = {"timeout": str(round(settings.read_timeout_s * 1e6))}  # of the socket, us
    if address.scheme in _ENCRYPTED and settings.tls_verify:
        options |= {"tls_verify": "1", "ca_file": ca_file(settings)}
    if address.scheme.startswith("rtsp"):
        return options | _rtsp_options(address.transport)
    return options | TRANSPORT_STREAM_OPTIONS | (UDP_OPTIONS if address.scheme == "udp" else LIVE_EDGE | WEB_ONLY)


def ca_file(settings: IngestSettings) -> str:
    """Return the file of trusted certificates: that of the settings, else the system's."""
    if settings.tls_ca_file is not None:
        return str(settings.tls_ca_file)
    stated = ssl.get_default_verify_paths().cafile  # None where OpenSSL has a folder only, which GnuTLS does not read
    return str(stated or next((one for one in BUNDLES if one.exists()), BUNDLES[0]))


def _rtsp_options(transport: str | None) -> dict[str, str]:
    if transport is None:
        return {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"}
    return {"rtsp_transport": _RTSP_TRANSPORTS[transport]}
