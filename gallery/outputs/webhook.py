"""Sends one alert to a webhook over HTTP: signed, without following redirects, within a fixed time."""

import hashlib
import http.client
import re
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Collection
from contextlib import closing, suppress
from urllib.parse import unquote, urlsplit

from gallery.outputs.body import signature_of
from gallery.outputs.errors import NotSent
from gallery.outputs.reach import address_of, host_and_port
from gallery.zones.output import Output
from wire.metrics import installed_version

TOTAL_S = 10.0  # for one attempt, however slowly the receiver answers
MOST_WAIT_S = 3600.0  # that a receiver may ask for
BUSY = (408, 425, 429, 500, 502, 503, 504)
GONE = 410


def send(output: Output, delivery_id: str, body: bytes, now_s: int, allowed: Collection[str]) -> None:
    """Post a body to a webhook.

    Args:
        delivery_id: By which the receiver recognises a repetition.
        now_s: The time that is signed.
        allowed: As `alerts.webhook_hosts`.

    Raises:
        NotSent: The receiver cannot be reached, or has not answered with a status from 200 to 299.
    """
    parts = urlsplit(output.url)
    host, port = host_and_port(output.url)
    secure = parts.scheme == "https"
    connection = _Connection(host, port, address_of(host, port, allowed), output if secure else None)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(connection):
        too_long = threading.Timer(TOTAL_S, connection.abort)
        too_long.start()
        try:
            connection.request("POST", path, body, _headers(output, delivery_id, body, str(now_s)))
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise NotSent(f"{host}: {connection.explain(error)}") from error
        finally:
            too_long.cancel()
    _judge(host, answer)


def _judge(host: str, answer: http.client.HTTPResponse) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    if status == GONE:
        raise NotSent(f"{host}: answers 410, gone: nobody wants these alerts any more", final=True)
    if 300 <= status < 400:
        raise NotSent(f"{host}: answers {status}, a redirect, which is not followed; give the new address", final=True)
    wait = answer.headers.get("Retry-After", "")
    wait_s = min(float(wait), MOST_WAIT_S) if re.fullmatch(r"[0-9]{1,9}", wait) and status in BUSY else 0.0
    raise NotSent(f"{host}: answers {status}", wait_s=wait_s)


def _headers(output: Output, delivery_id: str, body: bytes, timestamp: str) -> dict[str, str]:
    parts = urlsplit(output.url)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"climbtrack/{installed_version()}",
        "Climbtrack-Delivery": delivery_id,
        "Climbtrack-Timestamp": timestamp,
        "Climbtrack-Signature": signature_of(output.secret, timestamp, body),
    }
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
    return headers


class _Connection(http.client.HTTPConnection):
    """Connects to an address that was checked, and to nothing else; over TLS if an output is given."""

    def __init__(self, host: str, port: int, address: str, secured: Output | None) -> None:
        super().__init__(host, port, timeout=TOTAL_S)
        self.default_port = 80 if secured is None else 443  # of which the header Host says nothing
        self._address = address
        self._secured = secured
        self._seen = ""  # SHA-256 of the certificate
        self.aborted = False

    def connect(self) -> None:
        """Connect, and check the server's certificate."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secured is None:
            return
        pinned = self._secured.certificate
        context = ssl.create_default_context()
        if pinned:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its digest is checked below
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        given = hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").hexdigest()
        if pinned and given != pinned:
            raise ssl.SSLCertVerificationError(f"another certificate than the one to be trusted, with SHA-256 {given}")

    def abort(self) -> None:
        """End a conversation that takes too long; called from another thread."""
        self.aborted = True
        if self.sock is not None:
            with suppress(OSError):  # it has just been closed
                self.sock.shutdown(socket.SHUT_RDWR)

    def explain(self, error: Exception) -> str:
        """Return why a conversation failed, and what helps."""
        if self.aborted or isinstance(error, TimeoutError):
            return f"no answer within {TOTAL_S:g} s"
        if untrusted := getattr(error, "verify_message", ""):
            return (
                f"its certificate is not trusted ({untrusted}); if it is your own server, give the SHA-256 of its"
                " certificate in `certificate`"
            )
        if isinstance(error, ssl.SSLError):
            return str(error.args[-1])
        return f"port {self.port}: {getattr(error, 'strerror', None) or error or type(error).__name__}"
