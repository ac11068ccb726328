"""How far a worker is with one camera."""

from dataclasses import dataclass

from reid_worker.repeats import Ended
from reid_worker.stream import CameraStream
from wire.bus import TopicPartition


@dataclass(slots=True, eq=False)
class Camera:
    """The progress of a camera.

    Attributes:
        partition: Partition of `frames` that holds its chunks.
        next_offset: Chunks before this offset are done.
        needed: First offset that a restart would need, None if there is none.
        replayed_to_ns: What was sent before was analysed by another worker, and is analysed again in the same way.
        ended: Its latest stream that has ended, if that was by itself.
    """

    partition: TopicPartition
    next_offset: int = 0
    needed: int | None = None
    stream: CameraStream | None = None
    replayed_to_ns: int = 0
    ended: Ended | None = None
