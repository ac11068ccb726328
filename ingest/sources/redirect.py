"""Finds out where a server redirects to: libav says only that it could not read."""

import http.client
import re
import socket
import ssl
from base64 import b64encode
from contextlib import closing

from ingest.config import IngestSettings
from ingest.sources.connect import ca_file
from wire.url import Url

PATIENCE_S = 2.0
RTSP_PORTS = {"rtsp": 554, "rtsps": 322}
LONGEST_ANSWER = 16 * 1024

_RTSP_REDIRECT = re.compile(rb"\ARTSP/1\.[0-9] 3[0-9]{2} .*?\r\nLocation: *([^\r\n]+)", re.DOTALL | re.IGNORECASE)


def target_of(address: Url, settings: IngestSettings) -> str | None:
    """Ask once more, and return where a web server redirects to; None if it does not."""
    try:
        with closing(_connection(address, settings)) as connection:
            connection.request("GET", address.rest.partition("#")[0] or "/", headers=_login(address))
            answer = connection.getresponse()
            return answer.getheader("Location") if 300 <= answer.status < 400 else None
    except (OSError, http.client.HTTPException):
        return None


def rtsp_target_of(address: Url, settings: IngestSettings) -> str | None:
    """Ask an RTSP server for a description, and return where it redirects to; None if it does not.

    libav follows such redirects and cannot be told not to, so the server is asked before libav does. One that wants to
    deceive can answer libav otherwise.
    """
    where = address.without_transport()
    wanted = f"{where.scheme}://{where.address}{where.rest}"
    request = f"DESCRIBE {wanted} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with _rtsp_connection(address, settings) as connection:
            connection.sendall(request.encode())
            answer = b""
            while b"\r\n\r\n" not in answer and len(answer) < LONGEST_ANSWER:
                part = connection.recv(LONGEST_ANSWER)
                if not part:
                    break
                answer += part
    except OSError:  # opening it tells what is wrong
        return None
    found = _RTSP_REDIRECT.match(answer.partition(b"\r\n\r\n")[0])
    return None if found is None else found[1].decode("utf-8", "replace").strip()


def _rtsp_connection(address: Url, settings: IngestSettings) -> socket.socket:
    plain = socket.create_connection((address.host, address.port or RTSP_PORTS[address.scheme]), PATIENCE_S)
    if address.scheme == "rtsp":
        return plain
    try:
        return _trusted(settings).wrap_socket(plain, server_hostname=address.host)
    except OSError:
        plain.close()
        raise


def _connection(address: Url, settings: IngestSettings) -> http.client.HTTPConnection:
    if address.scheme == "http":
        return http.client.HTTPConnection(address.host, address.port, timeout=PATIENCE_S)
    trusted = _trusted(settings)
    return http.client.HTTPSConnection(address.host, address.port, timeout=PATIENCE_S, context=trusted)


def _trusted(settings: IngestSettings) -> ssl.SSLContext:
    if settings.tls_verify:
        return ssl.create_default_context(cafile=ca_file(settings))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _login(address: Url) -> dict[str, str]:
    if address.user is None:
        return {}
    login = f"{address.user}:{address.password or ''}"
    return {"Authorization": "Basic " + b64encode(login.encode()).decode()}
