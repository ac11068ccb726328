"""A worker whose work is a fixed time per frame, for which it holds no core, as if a GPU did all of it.

It reads the topics of the worker in the worker's group, by the same loop and the same bus, and tells on its standard
output, a JSON line a time, which partitions it has and which frames it is done with.
"""

import json
import sys
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing

from prometheus_client import CollectorRegistry

from wire.bus import FRAMES, TopicPartition
from wire.health import ServiceMonitor
from wire.kafka.bus import KafkaBus
from wire.messages import FrameChunk
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received, Rejected, Service
from wire.settings import KafkaSettings
from wire.signals import stop_on_signals

MAX_CHUNKS = 8  # at once: what is not done is counted as lag


class FixedCost:
    """A handler that waits for so long for each frame and publishes nothing."""

    def __init__(self, cost_s: float, stop: threading.Event) -> None:
        self._cost_s = cost_s
        self._stop = stop
        self._owned: set[TopicPartition] = set()

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        """Take the time that the frames of the batch cost."""
        chunks = [got.message for got in batch if isinstance(got.message, FrameChunk)]
        if chunks:
            frames, began_s = sum(len(chunk.packets) for chunk in chunks), time.monotonic()
            self._stop.wait(self._cost_s * frames)
            _tell(began_s=began_s, ended_s=time.monotonic(), frames=frames)
        return ()

    def flushed(self) -> None:
        """Nothing is published, so there is nothing to note."""

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return nothing: what was handled is done."""
        return {}

    def waiting(self) -> int:
        """Return 0: what was handled is done."""
        return 0

    def busy(self) -> bool:
        """Return False: there is no work without records."""
        return False

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Tell what it has now."""
        self._owned.update(partitions)
        self._tell_owned()

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Tell what it has now."""
        self._owned.difference_update(partitions)
        self._tell_owned()

    def _tell_owned(self) -> None:
        _tell(owned=sorted(part.partition for part in self._owned if part.topic == FRAMES.name))


def main() -> None:
    """Run until SIGTERM; the arguments are the settings of Kafka as JSON, the group, and the seconds for a frame."""
    settings, group, cost_s = KafkaSettings.model_validate_json(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    monitor = ServiceMonitor(group, ServiceMetrics(CollectorRegistry()))
    with stop_on_signals() as stop, closing(KafkaBus(settings)) as bus:
        handler = FixedCost(cost_s, stop)
        Service(group, bus, handler, topics=[FRAMES.name], monitor=monitor, max_records=lambda: MAX_CHUNKS).run(stop)


def _tell(**said: object) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
