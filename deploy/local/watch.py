"""Follow the progress of a run's cameras, as published by the worker."""

from dataclasses import dataclass

from wire import codec
from wire.bus import TRACKLETS, Bus
from wire.errors import DecodeError
from wire.messages import CameraProgress

GROUP = "watch"
MAX_RECORDS = 256


@dataclass(frozen=True, slots=True)
class CameraTotals:
    """Totals of a camera over all its connections.

    Attributes:
        stream_id: The current connection, or the last one.
        ended: Whether that connection has ended.
        reason: Why it ended, unless it was simply the end of a file.
    """

    stream_id: str = ""
    frames: int = 0
    analysed: int = 0
    dropped: int = 0
    tracklets: int = 0
    ended: bool = False
    reason: str = ""


def add(before: CameraTotals, progress: CameraProgress) -> CameraTotals:
    """Return the totals of the finished connections in `before` and of the connection that `progress` describes."""
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
    """Consumer of camera progress, starting now; not thread-safe."""

    def __init__(self, bus: Bus) -> None:
        self._consumer = bus.consumer(GROUP, [TRACKLETS.name], start="end")
        self._consumer.poll(1, 0.0)  # joins the group, so that everything published from here on is seen
        self._finished: dict[str, CameraTotals] = {}
        self._totals: dict[str, CameraTotals] = {}

    def poll(self, timeout_s: float) -> dict[str, CameraTotals]:
        """Read new progress, waiting at most `timeout_s`; return the totals by camera."""
        for record in self._consumer.poll(MAX_RECORDS, timeout_s):
            self._note(record.value)
        return dict(self._totals)

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _note(self, value: bytes | None) -> None:
        try:
            message = codec.decode(value or b"")
        except DecodeError:
            return  # the gallery sends it to the dead letters
        if not isinstance(message, CameraProgress):
            return
        last = self._totals.get(message.camera_id, CameraTotals())
        if last.stream_id != message.stream_id:
            self._finished[message.camera_id] = last
        self._totals[message.camera_id] = add(self._finished[message.camera_id], message)
