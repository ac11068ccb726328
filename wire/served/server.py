"""Serve the bus of this process to another one, which has the other end of a channel.

The channel is a pair of unix sockets without a name, so that nobody else can reach the bus. The other process opens a
line for each of its producers and followers: it sends one end of a new pair over the channel. A thread serves a line.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import msgspec

from wire.bus import Follower, GrouplessBus, Producer
from wire.errors import PermanentError, WireError
from wire.served import calls
from wire.served.calls import Answer, Call

_decoder = msgspec.msgpack.Decoder(Call)


class BusServer:
    """Serves a bus, and the metrics of this process; use as a context manager.

    It ends when the other end of the channel is closed; the lines that are open then end with the other process.
    """

    def __init__(self, bus: GrouplessBus, metrics: Callable[[], bytes]) -> None:
        self._bus = bus
        self._metrics = metrics
        self._channel, self.other_end = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="bus-server", daemon=True)

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more lines."""
        with suppress(OSError):  # the other end is closed
            self._channel.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._channel.close()
        self.other_end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                said, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
                if not said:
                    return
                for descriptor in descriptors:
                    line = Connection(descriptor)
                    threading.Thread(target=self._serve, args=(line,), name="bus-line", daemon=True).start()

    def _serve(self, line: Connection) -> None:
        with line, closing(_Session(self._bus, self._metrics)) as session, suppress(EOFError, OSError):
            while True:
                answer = session.answer(_decoder.decode(line.recv_bytes()))
                line.send_bytes(msgspec.msgpack.encode(answer))


class _Session:
    """What one line has opened."""

    def __init__(self, bus: GrouplessBus, metrics: Callable[[], bytes]) -> None:
        self._bus = bus
        self._metrics = metrics
        self._producer: Producer | None = None
        self._follower: Follower | None = None

    def answer(self, call: Call) -> Answer:
        """Carry out a call."""
        try:
            return self._answer(call)
        except WireError as error:
            return calls.Failed(type(error).__name__, str(error))

    def close(self) -> None:
        """Release what was opened."""
        for opened in (self._producer, self._follower):
            if opened is not None:
                opened.close()

    def _answer(self, call: Call) -> Answer:
        match call:
            case calls.Send(topic, key, value):
                self._producer = self._producer or self._bus.producer()
                self._producer.send(topic, key, value)
            case calls.Follow(topic):
                self._follower = self._bus.follow(topic)
            case calls.Watch(topic, key, since_s):
                self._follower = self._bus.watch(topic, key, since_s)
            case calls.Poll(timeout_s):
                return calls.Records(self._opened().poll(timeout_s))
            case calls.AskAtEnd():
                return calls.AtEnd(self._opened().at_end())
            case calls.AskMetrics():
                return calls.Metrics(self._metrics())
        return calls.Done()

    def _opened(self) -> Follower:
        if self._follower is None:
            raise PermanentError("this line follows nothing")
        return self._follower
