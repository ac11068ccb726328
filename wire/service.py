"""The service loop: every stage is a `Handler` run by `Service.run`, on the memory bus and on Kafka alike."""

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wire import codec, trace
from wire.bus import DEAD_LETTERS, PICTURES, SECRET, Bus, Consumer, Producer, Record, Start, TopicPartition
from wire.errors import DecodeError, TransientError
from wire.mask import scrub
from wire.messages import AnyMessage, DeadLetter
from wire.outage import Outage
from wire.output import Output, Published

log = logging.getLogger(__name__)

MAX_RECORDS = 64  # per poll, unless a service sets another limit
POLL_S = 0.2
MAX_LETTER_BYTES = 1024 * 1024  # a dead letter must fit where its record did, with reason and source added
BACKOFF_S = (0.1, 10.0)  # first and longest pause after a transient error; the pause doubles, with full jitter


@dataclass(frozen=True, slots=True)
class Received:
    """A record and its decoded message; None for a tombstone."""

    record: Record
    message: AnyMessage | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish."""

    topic: str
    key: str
    message: AnyMessage


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that can never succeed, and why."""

    record: Record
    reason: str


class Handler(Protocol):
    """The work of a stage.

    The loop calls `handle`, then `flushed` once all of the output is stored safely, then `needed_from`.
    """

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        """Process a batch; an empty one gives the handler a chance to do work that is due by the clock.

        The loop keeps the output and retries publishing it, so a batch is delivered again only if this method itself
        raised a `TransientError`, or after a crash: handling it twice must equal handling it once.
        """

    def flushed(self) -> None:
        """Take note that everything the last `handle` returned is stored safely on the bus. Must not fail."""

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return, per partition, the first handled offset that a restart would need again; omit partitions without one.

        Must not rely on output that was not flushed, and must not change state: it may be called any number of times.
        """

    def waiting(self) -> int:
        """Return how many records were given to `handle` and are not fully processed yet."""

    def busy(self) -> bool:
        """Tell whether there is work left that needs no further record: `handle` is then called again at once."""

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Prepare for partitions, before their first record."""

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Forget everything about partitions; another member will own them next."""


class Monitor(Protocol):
    """Receives the health of the loop; `wire.health.ServiceMonitor` turns it into probes and metrics."""

    def alive(self, *, lag: int) -> None:
        """Record that one round of the loop is done."""

    def ready(self, *, yes: bool, reason: str = "") -> None:
        """Record whether the loop can do its work."""

    def dead_letter(self, topic: str) -> None:
        """Count one record that can never succeed."""


class Service:
    """Runs one handler until stopped."""

    def __init__(
        self,
        name: str,
        bus: Bus,
        handler: Handler,
        *,
        topics: Collection[str],
        monitor: Monitor,
        start: Start = "committed",
        max_records: Callable[[], int] = lambda: MAX_RECORDS,
    ) -> None:
        self._name = name
        self._bus = bus
        self._handler = handler
        self._topics = topics
        self._monitor = monitor
        self._start: Start = start
        self._max_records = max_records
        self._owned: set[TopicPartition] = set()
        self._polled: list[Record] = []  # the batch in progress
        self._output: Output | None = None  # of that batch, once it was handled
        self._next: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._topics_exist = False

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set: at least once, in partition order.

        For every batch:
         1. poll;
         2. handle, and keep the output;
         3. publish it; records that can never succeed go to the dead letters;
         4. flush, so that nothing published can still be lost;
         5. notify the handler that its output is stored safely;
         6. commit, so that nothing finished is handled again.

        The first round creates missing topics. After a transient error and a pause the round resumes where it failed:
        a batch that was polled is not polled again, and one that was handled is not handled again. A service may
        therefore start before its servers. Any other error ends the loop before the commit. When `stop` is set, the
        round in progress is finished, the handler releases its partitions, and the consumer leaves its group.
        """
        producer = self._bus.producer()
        consumer = self._bus.consumer(
            self._name, self._topics, start=self._start, on_assigned=self._assigned, on_revoked=self._revoked
        )
        pauses, outage = _Pauses(), Outage(log, self._name)
        try:
            while not stop.is_set():
                try:
                    self._round(consumer, producer)
                except TransientError as error:
                    self._monitor.ready(yes=False, reason=str(error))
                    outage.met(error)
                    stop.wait(pauses.next_s())
                else:
                    self._monitor.ready(yes=True)
                    outage.over()
                    pauses.reset()
        finally:
            self._handler.revoked(frozenset(self._owned))  # before another member may own them
            consumer.close()
            producer.close()

    def _round(self, consumer: Consumer, producer: Producer) -> None:
        if not self._topics_exist:
            self._bus.ensure_topics()
            self._topics_exist = True
        if self._output is None:
            patience_s = 0.0 if self._handler.busy() else POLL_S
            self._polled = self._polled or consumer.poll(self._max_records(), patience_s)  # 1
            self._output = self._handle(self._polled)  # 2
        self._output.publish(producer)  # 3
        self._output.flush(producer)  # 4
        self._handler.flushed()  # 5
        for record in self._polled:
            self._next[record.source] = record.offset + 1
        self._polled, self._output = [], None
        self._commit(consumer)  # 6
        self._monitor.alive(lag=consumer.lag() + self._handler.waiting())

    def _handle(self, records: Sequence[Record]) -> Output:
        received, rejected = _decode(records)
        for got in received:
            trace.note_read(log, self._name, got.record, got.message)
        items = [*rejected, *self._handler.handle(received)]
        for item in items:
            if isinstance(item, Rejected):
                self._reject(item)
            else:
                trace.note_sent(log, self._name, item.topic, item.message)
        return Output([_published(item) for item in items])

    def _reject(self, item: Rejected) -> None:
        log.warning("%s: dead letter %s: %s", self._name, item.record.place, scrub(item.reason))
        self._monitor.dead_letter(item.record.topic)

    def _commit(self, consumer: Consumer) -> None:
        needed = self._handler.needed_from()
        offsets = {part: min(after, needed.get(part, after)) for part, after in self._next.items()}
        moved = {part: offset for part, offset in offsets.items() if self._committed.get(part) != offset}
        if moved and self._start == "committed":
            consumer.commit(moved)
            self._committed.update(moved)

    def _assigned(self, partitions: Collection[TopicPartition]) -> None:
        log.info("%s: assigned %s", self._name, sorted(partitions))
        self._owned.update(partitions)
        self._handler.assigned(partitions)

    def _revoked(self, partitions: Collection[TopicPartition]) -> None:
        log.info("%s: revoked %s", self._name, sorted(partitions))
        self._owned.difference_update(partitions)
        for partition in partitions:
            self._next.pop(partition, None)
            self._committed.pop(partition, None)
        self._handler.revoked(partitions)


class _Pauses:
    """Exponential back-off with full jitter."""

    def __init__(self) -> None:
        self._ceiling_s = BACKOFF_S[0]

    def next_s(self) -> float:
        """Return how long to wait now, and double the ceiling of the next pause."""
        pause = random.uniform(0, self._ceiling_s)
        self._ceiling_s = min(2 * self._ceiling_s, BACKOFF_S[1])
        return pause

    def reset(self) -> None:
        """Start again from the shortest pause."""
        self._ceiling_s = BACKOFF_S[0]


def _decode(records: Sequence[Record]) -> tuple[list[Received], list[Rejected]]:
    received, rejected = [], []
    for record in records:
        try:
            received.append(Received(record, None if record.value is None else codec.decode(record.value)))
        except DecodeError as error:
            rejected.append(Rejected(record, str(error)))
    return received, rejected


def _published(item: Outgoing | Rejected) -> Published:
    if isinstance(item, Outgoing):
        return Published(item.topic, item.key, codec.encode(item.message))
    record = item.record
    letter = DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        reason=scrub(item.reason),
        value=b"" if record.topic in SECRET | PICTURES else (record.value or b"")[:MAX_LETTER_BYTES],
    )
    return Published(DEAD_LETTERS.name, record.topic, codec.encode(letter))
