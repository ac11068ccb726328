"""Checks that a broker accepts our login. Part of `wire.kafka`.

The client retries a failed login forever and reports only that it could not connect, so TLS and SASL are tried here
first, once for every client that is created.
"""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager

from kafka.net.sasl import get_sasl_mechanism

from wire.errors import SettingsError, TransientError
from wire.reach import CLOSED, is_untrusted, why_unreachable
from wire.settings import KafkaSettings
from wire.tls import context_of
from wire.url import read_url

DEFAULT_PORT = 9092
ADDRESS = "kafka.servers (CLIMBTRACK_KAFKA_SERVERS)"
HANDSHAKE, AUTHENTICATE = (17, 1), (36, 0)  # number and version of requests
NOT_SASL, UNKNOWN_MECHANISM = 34, 33  # error codes of the protocol
MAX_ANSWER_BYTES = 1024 * 1024


def reach(settings: KafkaSettings) -> None:
    """Return once one of the servers accepts our login.

    Raises:
        SettingsError: A server rejects our user, certificate or protocol.
        TransientError: No server accepts a connection.
    """
    reasons = []
    for server in settings.servers.split(","):
        try:
            _try_login(settings, server.strip())
        except TransientError as error:
            reasons.append(str(error))
        else:
            return
    causes = "; ".join(reasons)
    security = " and kafka.security_protocol" if CLOSED in causes else ""
    raise TransientError(f"Kafka: {causes}; start it or set {ADDRESS}{security}")


def _try_login(settings: KafkaSettings, server: str) -> None:
    address = read_url(f"kafka://{server}")
    place = (address.host, address.port or DEFAULT_PORT)
    with _named(server), closing(socket.create_connection(place, settings.connect_timeout_ms / 1000)) as plain:
        if settings.security_protocol == "PLAINTEXT":
            return
        with closing(_encrypted(settings, plain, address.host)) as connection:
            if settings.security_protocol.startswith("SASL_"):
                _log_in(settings, _Conversation(connection, server))


def _encrypted(settings: KafkaSettings, plain: socket.socket, host: str) -> socket.socket:
    if not settings.security_protocol.endswith("SSL"):
        return plain
    connection = context_of(settings).wrap_socket(plain, server_hostname=host)
    if not settings.security_protocol.startswith("SASL_"):
        _wait_for_refusal(connection)
    return connection


def _wait_for_refusal(connection: ssl.SSLSocket) -> None:
    """Return unless the server rejects our certificate: since TLS 1.3 it does so only after the handshake."""
    connection.settimeout(0.2)
    try:
        if connection.recv(1) == b"":
            raise ConnectionResetError
    except TimeoutError:
        return  # the server is waiting for a request


@contextmanager
def _named(server: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        words = why_unreachable(error, server)
        if is_untrusted(error):
            remedy = "check kafka.security_protocol, kafka.ssl_ca_file and kafka.ssl_certificate_file"
            raise SettingsError(f"Kafka: {words}; {remedy}") from None
        raise TransientError(words) from None


class _Conversation:
    """The part of Kafka's protocol that a login needs."""

    def __init__(self, connection: socket.socket, server: str) -> None:
        self._connection = connection
        self.server = server

    def request(self, request: tuple[int, int], body: bytes) -> bytes:
        """Send a request and return the response without its header."""
        message = struct.pack(">hhih", *request, 0, -1) + body
        self._connection.sendall(struct.pack(">i", len(message)) + message)
        (size,) = struct.unpack(">i", self._read(4))
        if not 4 <= size <= MAX_ANSWER_BYTES:
            raise SettingsError(f"what listens at {self.server} is not a Kafka broker; correct {ADDRESS}")
        return self._read(size)[4:]

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                raise ConnectionResetError
            data += part
        return data


def _log_in(settings: KafkaSettings, broker: _Conversation) -> None:
    name, user, password = settings.sasl_mechanism, settings.sasl_username, settings.sasl_password
    assert name is not None
    assert password is not None
    answer = broker.request(HANDSHAKE, _short(name.encode()))
    (code,) = struct.unpack_from(">h", answer)
    if code == NOT_SASL:
        raise SettingsError(
            f"Kafka at {broker.server} does not use logins on this port: set kafka.security_protocol to PLAINTEXT or "
            f"SSL, or name another port in {ADDRESS}"
        )
    if code == UNKNOWN_MECHANISM:
        raise SettingsError(
            f"Kafka at {broker.server} does not support kafka.sasl_mechanism = {name!r}; choose another one"
        )
    login = {"sasl_plain_username": user, "sasl_plain_password": password.get_secret_value(), "sasl_mechanism": name}
    mechanism = get_sasl_mechanism(name)(host=broker.server, **login)
    while not mechanism.is_done():
        token = mechanism.auth_bytes()
        answer = broker.request(AUTHENTICATE, struct.pack(">i", len(token)) + token)
        (code, length) = struct.unpack_from(">hh", answer)
        if code:
            raise SettingsError(
                f"Kafka at {broker.server} refuses this user or password; "
                "correct kafka.sasl_username, kafka.sasl_password (or sasl_password_file) and kafka.sasl_mechanism"
            )
        mechanism.receive(answer[8 + max(0, length) :])


def _short(text: bytes) -> bytes:
    return struct.pack(">h", len(text)) + text
