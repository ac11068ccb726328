"""How far the cameras of a run are, read from what the worker publishes."""

from dataclasses import dataclass

from wire import codec
from wire.bus import TRACKLETS, Bus
from wire.errors import DecodeError
from wire.messages import CameraProgress

GROUP = "watch"
MAX_RECORDS = 256


@dataclass(frozen=True, slots=True)
class CameraTotals:
    """What was done with a camera, over all its connections.

    Attributes:
        stream_id: The connection that is open now, or was the last.
        ended: That one is over.
        reason: Why it ended, when that is not simply the end of a file.
    """

    stream_id: str = ""
    frames: int = 0
    analysed: int = 0
    dropped: int = 0
    tracklets: int = 0
    ended: bool = False
    reason: str = ""


def add(before: CameraTotals, progress: CameraProgress) -> CameraTotals:
    """Return the totals of finished connections `before` and of the one that `progress` tells about."""
    return CameraTotals(
        stream_id=progress.stream_id,
        frames=before.frames + progress.frames,
        analysed=before.analysed + progress.analysed,
        dropped=before.dropped + progress.dropped,
        tracklets=before.tracklets + progress.tracklets,
        ended=progress.ended,
        reason=progress.reason,
    )


class Watch:
    """Reads camera progress from a bus, from now on; not thread-safe."""

    def __init__(self, bus: Bus) -> None:
        self._consumer = bus.consumer(GROUP, [TRACKLETS.name], start="end")
        self._consumer.poll(1, 0.0)  # joins; what is sent from here on will be seen
        self._finished: dict[str, CameraTotals] = {}
        self._totals: dict[str, CameraTotals] = {}

    def poll(self, timeout_s: float) -> dict[str, CameraTotals]:
        """Read what came, waiting for it at most `timeout_s`; return the totals by camera."""
        for record in self._consumer.poll(MAX_RECORDS, timeout_s):
            self._note(record.value)
        return dict(self._totals)

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()

    def _note(self, value: bytes | None) -> None:
        try:
            message = codec.decode(value or b"")
        except DecodeError:
            return  # the gallery puts it to the dead letters
        if not isinstance(message, CameraProgress):
            return
        last = self._totals.get(message.camera_id, CameraTotals())
        if last.stream_id != message.stream_id:
            self._finished[message.camera_id] = last
        self._totals[message.camera_id] = add(self._finished[message.camera_id], message)
