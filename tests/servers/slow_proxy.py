"""A proxy in front of a server, whose answers are as late as a test wants."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class SlowProxy:
    """Passes on what is sent to `port`; answers come later by `delay_s`.

    Attributes:
        delay_s: How late every piece of an answer comes.
        silent: While set, no answer comes at all.
    """

    def __init__(self, port: int, to: int) -> None:
        self.port = port
        self.delay_s = 0.0
        self.silent = threading.Event()
        self._to = to
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._threads = [threading.Thread(target=self._accept, name="slow-proxy")]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                asker, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:  # closed, or the server is away
                continue
            self._open += [asker, server]
            for source, sink, late in ((asker, server, False), (server, asker, True)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, late), name="slow-proxy")
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, late: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                while late and self.silent.is_set() and not self._closing.wait(0.05):
                    pass
                if late:
                    self._closing.wait(self.delay_s)
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
