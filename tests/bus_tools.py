"""A bus that fails where a test says so, around any real one."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from wire.bus import Bus, Consumer, Discarded, Follower, Producer, Record, TopicPartition


class FlakyBus:
    """Another bus whose `send`, `flush` and `commit` raise the errors of a script, one a call, until none is left.

    A None in the script lets its call succeed.

    Attributes:
        before: Raised instead of the call.
        after: Raised although the call took effect, as when its answer is lost.
    """

    def __init__(self, bus: Bus) -> None:
        self.before: dict[str, list[Exception | None]] = {}
        self.after: dict[str, list[Exception | None]] = {}
        self._bus = bus

    def fail(self, script: dict[str, list[Exception | None]], call: str) -> None:
        error = script[call].pop(0) if script.get(call) else None
        if error is not None:
            raise error

    def now_ns(self) -> int:
        return self._bus.now_ns()

    def ensure_topics(self) -> None:
        self._bus.ensure_topics()

    def producer(self) -> "FlakyProducer":
        return FlakyProducer(self, self._bus.producer())

    def consumer(self, group: str, topics: Collection[str], **options: Any) -> "FlakyConsumer":
        return FlakyConsumer(self, self._bus.consumer(group, topics, **options))

    def table(self, topic: str) -> dict[str, Record]:
        return self._bus.table(topic)

    def follow(self, topic: str) -> Follower:
        return self._bus.follow(topic)

    def watch(self, topic: str, key: str, since_s: float) -> Follower:
        return self._bus.watch(topic, key, since_s)

    def backlog(self, topic: str, group: str, key: str) -> int:
        return self._bus.backlog(topic, group, key)

    def ends(self, topic: str, keys: Collection[str] | None = None) -> dict[TopicPartition, int]:
        return self._bus.ends(topic, keys)

    def discard(
        self, before: Mapping[TopicPartition, int], waits_for: Callable[[str], bool], keys: Collection[str] = ()
    ) -> dict[TopicPartition, Discarded]:
        self.fail(self.before, "discard")
        return self._bus.discard(before, waits_for, keys)

    def close(self) -> None:
        self._bus.close()


class FlakyProducer:
    def __init__(self, bus: FlakyBus, inner: Producer) -> None:
        self._bus = bus
        self._inner = inner

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        self._bus.fail(self._bus.before, "send")
        self._inner.send(topic, key, value)
        self._bus.fail(self._bus.after, "send")

    def flush(self, timeout_s: float) -> None:
        self._bus.fail(self._bus.before, "flush")
        self._inner.flush(timeout_s)
        self._bus.fail(self._bus.after, "flush")

    def close(self) -> None:
        self._inner.close()


class FlakyConsumer:
    def __init__(self, bus: FlakyBus, inner: Consumer) -> None:
        self._bus = bus
        self._inner = inner

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        return self._inner.poll(max_records, timeout_s)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._bus.fail(self._bus.before, "commit")
        self._inner.commit(offsets)
        self._bus.fail(self._bus.after, "commit")

    def lag(self) -> int:
        return self._inner.lag()

    def close(self) -> None:
        self._inner.close()
