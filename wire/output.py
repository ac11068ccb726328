"""The output of a handled batch on its way to the bus: published again until it is stored safely."""

from collections.abc import Sequence
from dataclasses import dataclass

from wire.bus import Producer
from wire.errors import BusFull, TransientError

FLUSH_S = 30.0


@dataclass(frozen=True, slots=True)
class Published:
    """One record to publish."""

    topic: str
    key: str
    value: bytes


@dataclass(slots=True)
class Output:
    """The output of a handled batch, and how much of it has been passed to the producer."""

    records: Sequence[Published]
    sent: int = 0

    def publish(self, producer: Producer) -> None:
        """Send the remaining records in order; if the bus is full, the next attempt resumes with the same record.

        After any other failure the next attempt sends everything again: earlier records may also be lost, and must not
        arrive after later ones.
        """
        try:
            for record in self.records[self.sent :]:
                producer.send(record.topic, record.key, record.value)
                self.sent += 1
        except BusFull:
            raise
        except TransientError:
            self.sent = 0
            raise

    def flush(self, producer: Producer) -> None:
        """Return when everything is stored safely; after a failure the next attempt sends everything again."""
        try:
            producer.flush(FLUSH_S)
        except TransientError:
            self.sent = 0
            raise
