"""Servers that speak Redis: real ones of a test's own, which can be brought into any trouble, and a scripted one."""

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

PATIENCE_S = 120.0
PRIMARY = "people"  # what Sentinels call it
HELLO = b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n"


class RealRedis:
    """A Redis over one folder, on a unix socket and, where `port` is given, on loopback; use as a context manager."""

    def __init__(self, folder: Path, *options: str, program: str | None = None, port: int = 0) -> None:
        self._folder = folder
        self._options = options
        self._program = program or shutil.which("redis-server") or ""
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder / 'socket'}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start it, or start it again over what it knew, and wait until it listens."""
        path = self._folder / "socket"
        command = [self._program, "--port", str(self._port), "--unixsocket", str(path), "--save", ""]
        places = ["--dir", str(self._folder), "--logfile", str(self._folder / "log")]
        self._process = subprocess.Popen([*command, *places, *self._options], stdin=subprocess.DEVNULL)
        wait_for(lambda: _listens(path))

    def end(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self, *, yes: bool) -> None:
        """Let it answer nothing, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if yes else signal.SIGCONT)

    @contextmanager
    def admin(self, **options: Any) -> Iterator["redis.Redis"]:
        """Yield a client that is nobody's under test."""
        client = redis.Redis.from_url(self.url, **options)
        try:
            yield client
        finally:
            client.close()

    def say(self, *command: str) -> Any:
        """Return what it answers to a command."""
        with self.admin(decode_responses=True) as client:
            ask: Any = client.execute_command
            return ask(*command)

    def break_saving(self) -> None:
        """Let its snapshots fail, as they do on a full disk: a folder lies where the file goes."""
        (self._folder / "dump.rdb").mkdir()
        self.say("CONFIG", "SET", "save", "3600 1")
        self.say("BGSAVE")
        wait_for(lambda: self._saved() == "err")

    def mend_saving(self) -> None:
        """Let its snapshots succeed again."""
        (self._folder / "dump.rdb").rmdir()
        self.say("BGSAVE")
        wait_for(lambda: self._saved() == "ok")

    def _saved(self) -> str:
        with self.admin() as client:
            known: Any = client.info("persistence")
        return "saving" if known["rdb_bgsave_in_progress"] else str(known["rdb_last_bgsave_status"])


class RealSentinel:
    """A Redis Sentinel on loopback that decides alone about one primary; use as a context manager."""

    def __init__(self, folder: Path, port: int, primary: tuple[str, int], more: str = "", **login: str) -> None:
        """Keep what it is told: `more` lines of its configuration, and the login that they ask for."""
        folder.mkdir()
        self._login = login
        self._folder = folder
        self._port = port
        (folder / "sentinel.conf").write_text(sentinel_config(port, primary, quorum=1, down_after_ms=300) + more)
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        command = [shutil.which("redis-server") or "", str(self._folder / "sentinel.conf"), "--sentinel"]
        log = ["--logfile", str(self._folder / "log")]
        self._process = subprocess.Popen([*command, *log], cwd=self._folder, stdin=subprocess.DEVNULL)
        wait_for(lambda: _knows_a_replica(self._port, self._login))
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def sentinel_config(port: int, primary: tuple[str, int], *, quorum: int, down_after_ms: int) -> str:
    """Return the configuration of a Sentinel that watches a primary under the name of `PRIMARY`."""
    return (
        f"port {port}\n"
        "protected-mode no\n"
        f"sentinel monitor {PRIMARY} {primary[0]} {primary[1]} {quorum}\n"
        f"sentinel down-after-milliseconds {PRIMARY} {down_after_ms}\n"
        f"sentinel failover-timeout {PRIMARY} {10 * down_after_ms}\n"
    )


class FakeRedis:
    """Listens on loopback and answers every command with one error, once a client has said hello."""

    def __init__(self, answer: bytes, hello: bytes = HELLO) -> None:
        self.answer = answer
        self._hello = hello
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._server.getsockname()[1]}/0"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError, ValueError):
            while words := _command(lines):
                if words[0] == b"HELLO":
                    connection.sendall(self._hello.replace(b"{args}", b" ".join(b"'%b'," % w for w in words[1:])))
                elif words[0] in {b"CLIENT", b"AUTH", b"SELECT"}:
                    connection.sendall(b"+OK\r\n")
                elif self.answer:
                    connection.sendall(self.answer)
                else:
                    return


def make_certificates(folder: Path) -> None:
    """Write keys and certificates: `ca`, and signed by it `server` (127.0.0.1), `other` (another host) and `client`.

    `server-expired` and `client-expired` are those of `server` and `client` as they were, and have ended since.
    """
    folder.mkdir()
    _openssl(folder, "req", "-x509", *_new_key("ca"), "-subj", "/CN=private authority", "-out", "ca.pem", "-days", "2")
    for name, host in (("server", "IP:127.0.0.1"), ("other", "DNS:other.invalid"), ("client", "DNS:client.invalid")):
        (folder / "names").write_text(f"subjectAltName={host}\n")
        _openssl(folder, "req", *_new_key(name), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    _openssl(folder, "ec", "-in", "client.key", "-aes256", "-passout", "pass:hunter2", "-out", "locked.key")
    for name in ("server", "client"):
        _write_expired(folder, name)


def wait_for(true: Any) -> None:
    """Return when `true` says so; fail when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"not true within {PATIENCE_S} s"
        time.sleep(0.01)


def _new_key(name: str) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def _write_expired(folder: Path, name: str) -> None:
    """Write a certificate with the key and the names of another one, which ended long ago."""
    known = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
    authority: Any = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    key: Any = known.public_key()
    builder = x509.CertificateBuilder(known.issuer, known.subject, key, x509.random_serial_number())
    names = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    ended = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2020, 1, 2, tzinfo=UTC))
    signed = ended.add_extension(names, critical=False).sign(authority, hashes.SHA256())
    (folder / f"{name}-expired.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    shutil.copy(folder / f"{name}.key", folder / f"{name}-expired.key")


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _knows_a_replica(port: int, login: dict[str, str]) -> bool:
    options: Any = login
    with closing(redis.Redis(port=port, **options)) as client, suppress(redis.ConnectionError):
        ask: Any = client.sentinel_slaves
        return any(not replica["is_sdown"] and replica["master-link-status"] == "ok" for replica in ask(PRIMARY))
    return False


def _command(lines: Any) -> list[bytes]:
    """Return the words of the next command; none at the end."""
    head = lines.readline()
    if not head:
        return []
    words = []
    for _ in range(int(head[1:])):
        length = int(lines.readline()[1:])
        words.append(lines.read(length))
        lines.readline()
    return words
