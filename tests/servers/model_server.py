"""A server of one file on loopback that misbehaves on demand, and remembers what it was asked for."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!DOCTYPE html><html><head><title>Access  denied</title></head><body>Ask your administrator.</body></html>"
Behaviour = Callable[["Visit"], None]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: `start` is where its Range begins, 0 without one; `number` counts from 0."""

    handler: BaseHTTPRequestHandler
    data: bytes
    start: int
    number: int

    def answer(self, status: int, body: bytes, *, length: int | None = None, **headers: str) -> None:
        """Send an answer; a `length` beyond the body is a promise that is not kept."""
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.send_header("Content-Length", str(len(body) if length is None else length))
        self.handler.end_headers()
        self.handler.wfile.write(body)
        self.handler.wfile.flush()


def whole(visit: Visit) -> None:
    """Send the file, or its rest where it is asked for."""
    body = visit.data[visit.start :]
    if not visit.start:
        visit.answer(200, body)
    elif not body:
        visit.answer(416, b"", Content_Range=f"bytes */{len(visit.data)}")
    else:
        visit.answer(206, body, Content_Range=f"bytes {visit.start}-{len(visit.data) - 1}/{len(visit.data)}")


def broken_off(visit: Visit) -> None:
    """Send half of what is left the first time, and hang up; then like `whole`."""
    if visit.number:
        whole(visit)
        return
    half = len(visit.data) // 2
    visit.answer(200, visit.data[:half], length=len(visit.data))
    visit.handler.connection.shutdown(socket.SHUT_RDWR)


def always_broken_off(visit: Visit) -> None:
    """Send the first half and hang up, whatever is asked for."""
    visit.answer(200, visit.data[: len(visit.data) // 2], length=len(visit.data))
    visit.handler.connection.shutdown(socket.SHUT_RDWR)


def without_range(visit: Visit) -> None:
    """Send the whole file, whatever is asked for."""
    visit.answer(200, visit.data)


def elsewhere(visit: Visit) -> None:
    """Send a piece that was not asked for, as a broken cache does; the whole file without a Range."""
    if visit.start:
        visit.answer(206, visit.data[1:], Content_Range=f"bytes 1-{len(visit.data) - 1}/{len(visit.data)}")
        return
    visit.answer(200, visit.data)


def error_page(visit: Visit) -> None:
    """Send a proxy's page as if it were the file."""
    visit.answer(200, PAGE, Content_Type="text/html")


def another_file(visit: Visit) -> None:
    """Send something of the same length."""
    visit.answer(200, bytes(len(visit.data)))


def endless(visit: Visit) -> None:
    """Send three times as much as there is."""
    visit.answer(200, visit.data * 3)


def status(code: int) -> Behaviour:
    """Return a behaviour that is an error."""
    return lambda visit: visit.answer(code, b"no")


@dataclass(slots=True)
class ModelServer:
    """A running server.

    Attributes:
        url: Of the folder that holds the file, whatever its name.
        asked: The path and the Range of every request.
        released: Set to let those go on that hang.
    """

    data: bytes
    behaviour: Behaviour = whole
    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def hang(self, visit: Visit) -> None:
        """Say nothing until the test ends."""
        self.released.wait(timeout=60)

    def hang_in_the_middle(self, visit: Visit) -> None:
        """Send half, then say nothing until the test ends."""
        visit.answer(200, visit.data[: len(visit.data) // 2], length=len(visit.data))
        self.released.wait(timeout=60)


@contextmanager
def serving(data: bytes) -> Iterator[ModelServer]:
    """Serve some bytes on a free port of loopback."""
    served = ModelServer(data)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
            served.asked.append((self.path, asked))
            self.close_connection = True
            served.behaviour(Visit(self, served.data, start, len(served.asked) - 1))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        served.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
