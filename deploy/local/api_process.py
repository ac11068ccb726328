"""Run the API of this system in a process of its own, so that it does not wait for the interpreter lock of a pipeline.

It reads the same Redis, and the bus and the metrics of this process over a channel; see `wire.served`. `main` is the
other process: its settings come over its standard input, whose end tells it to stop, also when this process was killed.
"""

import os
import pickle
import select
import socket
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.errors import RunError
from deploy.local.api_server import DRAIN_S, ApiServer, url_of
from gallery.api.others import OtherSettings
from gallery.api.tls import tls_options
from gallery.config import ApiSettings
from wire.logs import LogForm, form_of_logs, log_to_stderr
from wire.served.client import ServedBus
from wire.served.server import BusServer
from wire.settings import RedisSettings
from wire.uncollected import uncollected

START_S = 60.0  # two seconds of imports, on a machine that loads models meanwhile
STOP_S = DRAIN_S + 10.0
LOOK_S = 1.0  # how long it takes the other process to see that its server has ended
READY = b"ready\n"


@dataclass(frozen=True, slots=True)
class ServedSite:
    """What the API is about.

    Attributes:
        redis_url: Of the Redis that holds the site.
        others: With the folder of recordings.
    """

    site_id: str
    redis_url: str
    api: ApiSettings
    others: OtherSettings


@dataclass(frozen=True, slots=True)
class _Order:
    """What the other process is told; `listener` and `channel` are descriptors that it has inherited."""

    site: ServedSite
    logs: LogForm
    listener: int
    channel: int


class ApiProcess:
    """The API on a socket that listens, from entering to leaving; use as a context manager.

    Raises:
        SettingsError: The files for TLS cannot be used.
    """

    def __init__(self, site: ServedSite, bus: BusServer, taken: socket.socket) -> None:
        self._site = site
        self._bus = bus
        self._socket = taken
        self.url = url_of(taken, "https" if tls_options(site.api) else "http")

    def __enter__(self) -> Self:
        """Start the process, and return at once."""
        order = _Order(self._site, form_of_logs(), self._socket.fileno(), self._bus.other_end.fileno())
        # The packages that this process has, whatever lies in the folder where the user stands.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            pass_fds=(order.listener, order.channel),
            start_new_session=True,  # Ctrl-C must not reach it: it answers until the stages have stopped
        )
        assert self.process.stdin is not None, "a pipe"
        self._socket.close()  # so that nobody waits for a process that has ended
        self._bus.other_end.close()
        with suppress(BrokenPipeError):  # `wait_until_ready` says so
            self.process.stdin.write(pickle.dumps(order))
            self.process.stdin.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it finish the requests in progress, and wait for its end."""
        with self.process, suppress(BrokenPipeError):  # leaving it closes its pipes
            assert self.process.stdin is not None, "a pipe"
            self.process.stdin.close()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def wait_until_ready(self) -> None:
        """Return once it accepts requests.

        Raises:
            RunError: It has ended, or needs more than a minute.
        """
        pipe = self.process.stdout
        assert pipe is not None, "a pipe"
        waiting, _, _ = select.select([pipe], [], [], START_S)
        if not waiting or pipe.readline() != READY:
            raise RunError(f"the API did not start{'' if waiting else f' within {START_S:g} s'}; the log says why")

    def alive(self) -> bool:
        """Return whether the process is still running."""
        return self.process.poll() is None


def main() -> None:
    """Serve the API until the standard input ends."""
    with uncollected():
        from deploy.onvif.finding import find_cameras
        from gallery.api.app import create_app, prepare
        from gallery.store.redis import RedisStore
        from gallery.store.server import connect

    order: _Order = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this one
    log_to_stderr(order.logs.level, plain=order.logs.plain, as_json=order.logs.as_json)
    site = order.site
    with (
        socket.socket(fileno=order.listener) as taken,
        closing(ServedBus(socket.socket(fileno=order.channel))) as bus,
        closing(connect(RedisSettings(url=site.redis_url))) as client,
    ):
        store = RedisStore(client, site.site_id)
        app = create_app(store, bus, site.api, metrics=bus.metrics, others=site.others, find=find_cameras)
        prepare(app)
        with ApiServer(app, taken, tls_options(site.api)) as server:
            sys.stdout.buffer.write(READY)
            sys.stdout.buffer.flush()
            while server.alive() and not select.select([sys.stdin.buffer], [], [], LOOK_S)[0]:
                pass
