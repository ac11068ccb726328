"""The states that workers publish so that cameras can be resumed, and when a state may be used."""

import logging
from collections.abc import Collection
from dataclasses import dataclass

from reid_worker.errors import StateError
from reid_worker.repeats import Ended
from reid_worker.stream import CameraStream, StreamOptions
from wire import codec
from wire.bus import FRAMES, MAX_RECORD_BYTES, WORKER_STATE, Bus, Record, TopicPartition
from wire.errors import DecodeError
from wire.messages import FrameChunk, WorkerState
from wire.service import Outgoing

log = logging.getLogger(__name__)

CLOCKS_NS = 60_000_000_000  # maximum difference between the clocks of machines
MAX_STATE_BYTES = MAX_RECORD_BYTES - 64 * 1024  # names, key and headers of a state take less than the difference


@dataclass(frozen=True, slots=True)
class Kept:
    """A state, and when it was published, in ns since the epoch."""

    state: WorkerState
    time_ns: int


class SavedStates:
    """The states of the cameras of newly assigned partitions, until each camera has sent its first chunk."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records: dict[str, Record] = {}
        self._unread: set[TopicPartition] = set()

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Schedule reading the states of these partitions of `frames`."""
        self._unread.update(partitions)

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Forget the states of those of these partitions that are of `frames`: other topics' numbers mean nothing."""
        numbers = {partition.partition for partition in partitions if partition.topic == FRAMES.name}
        self._records = {name: record for name, record in self._records.items() if record.partition not in numbers}
        self._unread -= set(partitions)

    def read(self) -> None:
        """Read the states of partitions assigned since the last call.

        Raises:
            TransientError: The bus is unavailable; the next call tries again.
        """
        if not self._unread:
            return
        numbers = {partition.partition for partition in self._unread}  # same keys, same number of partitions
        for name, record in self._bus.table(WORKER_STATE.name).items():
            if record.partition in numbers:
                self._records[name] = record
        self._unread.clear()

    def take(self, camera_id: str, first: Record) -> Kept | None:
        """Return, once, the state of a camera whose first chunk is given; None if it has no usable state."""
        record = self._records.pop(camera_id, None)
        if record is None or record.value is None:
            return None
        try:
            state = codec.decode(record.value)
        except DecodeError as error:
            log.warning("camera %s: its saved state cannot be read, starting afresh: %s", camera_id, error)
            return None
        if not isinstance(state, WorkerState):
            return None
        if first.offset < state.next_offset and first.time_ns > record.time_ns + CLOCKS_NS:
            log.warning("camera %s: its saved state belongs to an earlier topic, starting afresh", camera_id)
            return None
        return Kept(state, record.time_ns)


def restored(state: WorkerState, options: StreamOptions) -> CameraStream | None:
    """Return the stream of a state; None if it had ended, or cannot be read."""
    if state.ended:
        return None
    try:
        return CameraStream.restored(state.blob, options)
    except StateError as error:
        log.warning("camera %s: starting afresh: %s", state.camera_id, error)
        return None


def saved(chunk: FrameChunk, offset: int, blob: bytes) -> Outgoing | None:
    """Return the state before the chunk at an offset, to publish; None if it is too large for the bus."""
    if len(blob) > MAX_STATE_BYTES:
        log.warning(
            "camera %s: with so many people in view its state takes %d bytes, over the bus limit of %d; it is saved"
            " once there are fewer, and until then a restart repeats more",
            chunk.camera_id,
            len(blob),
            MAX_STATE_BYTES,
        )
        return None
    return _state(chunk, next_offset=offset, blob=blob)


def ended(chunk: FrameChunk, next_offset: int) -> Outgoing:
    """Return the state after the last chunk of a stream, to publish: there is nothing to resume."""
    return _state(chunk, next_offset=next_offset, ended=True)


def ended_of(kept: Kept) -> Ended | None:
    """Return the recording that a state says was analysed to its end, if any."""
    return Ended(kept.state.stream_id, kept.time_ns) if kept.state.whole else None


def _state(chunk: FrameChunk, *, next_offset: int, ended: bool = False, blob: bytes = b"") -> Outgoing:
    state = WorkerState(
        camera_id=chunk.camera_id,
        site_id=chunk.site_id,
        stream_id=chunk.stream_id,
        next_offset=next_offset,
        ended=ended,
        blob=blob,
        whole=ended and not chunk.reason,
    )
    return Outgoing(WORKER_STATE.name, chunk.camera_id, state)
