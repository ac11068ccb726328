"""Run the API in a thread of this process."""

import socket
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from deploy.errors import RunError, UsageError
from gallery.api.address import explain_bind_failure, open_listener

if TYPE_CHECKING:
    from fastapi import FastAPI

START_S = 30.0
DRAIN_S = 2  # event streams never end on their own
POLL_S = 0.01
# Whatever wakes up waits this long for threads that compute: an event loop, at every turn, for the handlers that read
# and decode rows. Python has 5 ms, thus 200 turns a second, and a request takes several.
SWITCH_S = 0.0005


def bind(host: str, port: int) -> socket.socket:
    """Bind an address early, so that a conflict is reported before anything is started; port 0 picks a free one.

    Raises:
        UsageError: The address is in use, or may not be bound.
    """
    try:
        return open_listener(host, port)
    except (OSError, OverflowError) as error:
        raise UsageError(f"--port {port} on {host}: {explain_bind_failure(error)}") from error


def url_of(taken: socket.socket, scheme: str = "http") -> str:
    """Return the URL of a bound socket."""
    host, port = taken.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class ApiServer:
    """Serve an application on a socket until closed; use as a context manager."""

    def __init__(self, app: "FastAPI", taken: socket.socket, tls: Mapping[str, Any] | None = None) -> None:
        import uvicorn

        options: dict[str, Any] = {"log_config": None, "access_log": False, "timeout_graceful_shutdown": DRAIN_S}
        options |= tls or {}
        config = uvicorn.Config(app, proxy_headers=False, **options)  # `gallery.api.access.proxy` reads them
        self._server = uvicorn.Server(config)
        self._socket = taken
        self._thread = threading.Thread(target=self._server.run, args=([taken],), name="api", daemon=True)
        self.url = url_of(taken, "https" if tls else "http")

    def __enter__(self) -> Self:
        """Start the server and wait until it accepts requests.

        Raises:
            RunError: The server did not start in time.
        """
        self._usual_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()
        waited_s = 0.0
        while not self._server.started:
            self._thread.join(POLL_S)
            waited_s += POLL_S
            if not self._thread.is_alive() or waited_s > START_S:
                raise RunError("the API did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the requests in progress, then stop."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        sys.setswitchinterval(self._usual_s)

    def alive(self) -> bool:
        """Return whether the server is still running."""
        return self._thread.is_alive()
