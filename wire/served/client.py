"""The bus of the process that started this one; see `wire.served.server`."""

import socket
import threading
from multiprocessing.connection import Connection
from typing import TypeVar

import msgspec

from wire.bus import Record
from wire.errors import BusFull, PermanentError, TransientError, WireError
from wire.served import calls
from wire.served.calls import Answer, Call

GONE = "the process that holds the bus has ended"
ERRORS: dict[str, type[WireError]] = {kind.__name__: kind for kind in (BusFull, TransientError, PermanentError)}

_decoder = msgspec.msgpack.Decoder(Answer)
_Answer = TypeVar("_Answer", bound=Answer)


class ServedBus:
    """The bus at the other end of a channel; see `wire.bus.GrouplessBus`."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def producer(self) -> "ServedProducer":
        """Return a new producer."""
        return ServedProducer(self._open())

    def follow(self, topic: str) -> "ServedFollower":
        """Return a new reader of a compacted topic."""
        return ServedFollower(self._open(), calls.Follow(topic))

    def watch(self, topic: str, key: str, since_s: float) -> "ServedFollower":
        """Return a new reader of one key's records."""
        return ServedFollower(self._open(), calls.Watch(topic, key, since_s))

    def metrics(self) -> bytes:
        """Return the metrics of the process that holds the bus.

        Raises:
            TransientError: It has ended.
        """
        line = self._open()
        try:
            return line.ask(calls.AskMetrics(), calls.Metrics).text
        finally:
            line.close()

    def close(self) -> None:
        """Open no more lines."""
        self._channel.close()

    def _open(self) -> "_Line":
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._channel, [b"\0"], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise TransientError(GONE) from error
        return _Line(Connection(ours.detach()))


class _Line:
    """One connection; thread-safe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def ask(self, call: Call, kind: type[_Answer]) -> _Answer:
        """Return the answer to a call.

        Raises:
            WireError: As the bus raised it, or `TransientError` if its process has ended.
        """
        with self._lock:
            try:
                self._connection.send_bytes(msgspec.msgpack.encode(call))
                answer = _decoder.decode(self._connection.recv_bytes())
            except (EOFError, OSError) as error:
                raise TransientError(GONE) from error
        if isinstance(answer, calls.Failed):
            raise ERRORS.get(answer.kind, TransientError)(answer.reason)
        assert isinstance(answer, kind), "the answer is that of the call"
        return answer

    def close(self) -> None:
        """Release the connection."""
        with self._lock:
            self._connection.close()


class ServedProducer:
    """Sends records; a record is stored as soon as it is sent. Thread-safe."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Add a record; see `wire.bus.Producer.send`."""
        self._line.ask(calls.Send(topic, key, value), calls.Done)

    def flush(self, timeout_s: float) -> None:
        """Do nothing: records are stored when sent."""

    def close(self) -> None:
        """Release the line."""
        self._line.close()


class ServedFollower:
    """Reads along; see `wire.bus.Follower`."""

    def __init__(self, line: _Line, opening: calls.Follow | calls.Watch) -> None:
        self._line = line
        try:
            line.ask(opening, calls.Done)
        except WireError:
            line.close()
            raise

    def poll(self, timeout_s: float) -> list[Record]:
        """Return new records, or nothing after `timeout_s`."""
        return self._line.ask(calls.Poll(timeout_s), calls.Records).records

    def at_end(self) -> bool:
        """Tell whether `poll` has returned everything stored on the bus so far."""
        return self._line.ask(calls.AskAtEnd(), calls.AtEnd).reached

    def close(self) -> None:
        """Release the line."""
        self._line.close()
