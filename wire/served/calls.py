"""What a process says to the one that holds the bus, and is answered: one call, one answer, in MessagePack."""

import msgspec

from wire.bus import Record


class Send(msgspec.Struct, frozen=True, tag=True):
    """Store a record; the answer is `Done`."""

    topic: str
    key: str
    value: bytes | None


class Follow(msgspec.Struct, frozen=True, tag=True):
    """Read a compacted topic from its beginning, with every `Poll` that comes; the answer is `Done`."""

    topic: str


class Watch(msgspec.Struct, frozen=True, tag=True):
    """Read the records of a key, with every `Poll` that comes; the answer is `Done`."""

    topic: str
    key: str
    since_s: float


class Poll(msgspec.Struct, frozen=True, tag=True):
    """Read on; the answer is `Records`."""

    timeout_s: float


class AskAtEnd(msgspec.Struct, frozen=True, tag=True):
    """Ask whether everything has been read; the answer is `AtEnd`."""


class AskMetrics(msgspec.Struct, frozen=True, tag=True):
    """Ask for the metrics of the process that holds the bus; the answer is `Metrics`."""


Call = Send | Follow | Watch | Poll | AskAtEnd | AskMetrics


class Done(msgspec.Struct, frozen=True, tag=True):
    """It is done."""


class Records(msgspec.Struct, frozen=True, tag=True):
    """What was read."""

    records: list[Record]


class AtEnd(msgspec.Struct, frozen=True, tag=True):
    """Whether everything has been read."""

    reached: bool


class Metrics(msgspec.Struct, frozen=True, tag=True):
    """What Prometheus reads."""

    text: bytes


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The call failed; `kind` is one of `client.ERRORS`."""

    kind: str
    reason: str


Answer = Done | Records | AtEnd | Metrics | Failed
