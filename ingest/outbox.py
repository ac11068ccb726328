"""Sends chunks to a bus that may be slow: live cameras drop their oldest frames, complete recordings wait."""

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import msgspec

from ingest.clock import Clock
from ingest.config import IngestSettings
from ingest.metrics import IngestMetrics
from wire import codec, trace
from wire.bus import FRAMES, Bus, Producer
from wire.errors import PermanentError, TransientError
from wire.messages import FrameChunk

log = logging.getLogger(__name__)

RETRY_S = 0.25
STUCK_S = 30.0  # a backlog unchanged for this long is one the worker cannot commit yet, so sending resumes slowly
FLUSH_EVERY = 16  # chunks, at most 14 MB, that are kept until they are stored safely
FLUSH_S = 30.0
LAST_FLUSH_S = 3.0
MAX_WITHOUT_KEYFRAME = 150  # chunks, half a minute: some cameras refresh gradually and never send a keyframe


@dataclass(frozen=True, slots=True)
class Link:
    """A camera's connection to the bus.

    Attributes:
        stop: Set once, when nothing may wait any more.
        paused: Nothing is sent while set: another worker may own the camera.
    """

    camera_id: str
    bus: Bus
    producer: Producer
    settings: IngestSettings
    metrics: IngestMetrics
    clock: Clock
    stop: threading.Event
    paused: threading.Event

    def drop(self, frames: int, reason: str) -> None:
        """Count frames that will not be sent."""
        self.metrics.dropped_frames.labels(camera=self.camera_id, reason=reason).inc(frames)

    def try_send(self, chunk: FrameChunk) -> None:
        """Try once to send a chunk; one that can never be sent is counted and dropped.

        Raises:
            TransientError: The bus is full or unavailable.
        """
        try:
            self.producer.send(FRAMES.name, self.camera_id, codec.encode(chunk))
            trace.note_sent(log, "ingest", FRAMES.name, chunk)
        except PermanentError as error:
            log.error("camera %s: %d frames cannot be sent: %s", self.camera_id, len(chunk.packets), error)  # noqa: TRY400
            self.drop(len(chunk.packets), "rejected")
            if chunk.ended and chunk.packets:  # readers of the stream must still learn that it ended
                self.try_send(msgspec.structs.replace(chunk, packets=()))


class Outbox(Protocol):
    """Takes a camera's chunks, in order."""

    def put(self, chunk: FrameChunk) -> None:
        """Send a chunk, now or later."""

    def deliver(self) -> None:
        """Wait until everything is stored safely on the bus, or `stop` is set."""

    def send_last(self, chunk: FrameChunk) -> None:
        """Send what remains and a last chunk even though `stop` is set, without waiting long."""

    def waiting(self) -> int:
        """Return the number of chunks that have not been sent."""

    def close(self) -> None:
        """Release the bus."""


class PatientOutbox:
    """Loses nothing: waits for room on the bus, and for a worker that is behind.

    Sent chunks are kept until a flush confirms that they are stored, and sent again if it fails; readers recognise a
    repeated chunk by its stream and number.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._unsafe: list[FrameChunk] = []

    def put(self, chunk: FrameChunk) -> None:
        """Send a chunk as soon as there is room; only `stop` ends the wait."""
        self._wait_for_worker()
        self._send(chunk)
        self._unsafe.append(chunk)
        if len(self._unsafe) >= FLUSH_EVERY:
            self.deliver()

    def deliver(self) -> None:
        """Wait until everything is stored safely on the bus, or `stop` is set."""
        while not self._link.stop.is_set():
            try:
                self._link.producer.flush(FLUSH_S)
            except TransientError as error:
                log.warning("camera %s: sending the last chunks again: %s", self._link.camera_id, error)
                for chunk in self._unsafe:
                    self._send(chunk)
            else:
                self._unsafe = []
                return

    def send_last(self, chunk: FrameChunk) -> None:
        """Send a last chunk even though `stop` is set, without waiting long."""
        _send_last(self._link, [chunk])

    def waiting(self) -> int:
        """Return the number of chunks not known to be stored."""
        return len(self._unsafe)

    def close(self) -> None:
        """Release the bus."""
        self._link.producer.close()

    def _send(self, chunk: FrameChunk) -> None:
        link = self._link
        while not link.stop.is_set():
            if not link.paused.is_set():
                try:
                    link.try_send(chunk)
                except TransientError as error:
                    log.debug("camera %s waits: %s", link.camera_id, error)
                else:
                    return
            link.clock.wait(link.stop, RETRY_S)

    def _wait_for_worker(self) -> None:
        link = self._link
        most = link.settings.max_backlog_chunks
        seen = -1
        since_s = link.clock.monotonic_s()
        while not link.stop.is_set():
            backlog = self._backlog()
            if backlog <= most:
                return
            now_s = link.clock.monotonic_s()
            if backlog != seen:
                seen, since_s = backlog, now_s
            elif now_s - since_s > STUCK_S:
                log.warning(
                    "camera %s: no worker progress for %.0f s with %d chunks unprocessed; check the worker",
                    link.camera_id,
                    STUCK_S,
                    backlog,
                )
                return
            link.clock.wait(link.stop, RETRY_S)

    def _backlog(self) -> int:
        link = self._link
        try:
            return link.bus.backlog(FRAMES.name, link.settings.worker_group, link.camera_id)
        except TransientError:
            return link.settings.max_backlog_chunks + 1  # nothing can be sent either


class LatestOutbox:
    """Stays current: buffers what the bus has no room for, up to a limit, and drops the oldest beyond it.

    After a gap everything up to the next keyframe is dropped too, as it cannot be decoded.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._queue: deque[FrameChunk] = deque()
        self._bytes = 0
        self._retry_s = 0.0
        self._lost = _Lost("", 0)
        self._to_skip = 0  # chunks that may still be dropped while waiting for a keyframe

    def put(self, chunk: FrameChunk) -> None:
        """Queue a chunk and send as much as the bus accepts."""
        if self._to_skip and not self._is_gap_over(chunk):
            self._to_skip -= 1
            self._drop(chunk, "no_keyframe")
            return
        self._to_skip = 0
        self._queue.append(chunk)
        self._bytes += _size(chunk)
        self._send_queued()
        while self._bytes > self._link.settings.outbox_bytes:
            self._drop_oldest()

    def deliver(self) -> None:
        """Wait until everything is stored safely on the bus, or `stop` is set."""
        link = self._link
        while self._queue and not link.stop.is_set():
            self._send_queued()
            if self._queue:
                link.clock.wait(link.stop, RETRY_S)
        _send_last(link, [])

    def send_last(self, chunk: FrameChunk) -> None:
        """Send what remains and a last chunk even though `stop` is set, without waiting long."""
        _send_last(self._link, [*self._queue, chunk])
        self._queue.clear()

    def waiting(self) -> int:
        """Return the number of chunks that have not been sent."""
        return len(self._queue)

    def close(self) -> None:
        """Release the bus."""
        self._link.producer.close()

    def _send_queued(self) -> None:
        link = self._link
        began_s = link.clock.monotonic_s()
        if link.paused.is_set() or began_s < self._retry_s:
            return
        try:
            while self._queue:
                link.try_send(self._with_loss(self._queue[0]))
                self._lost = _Lost("", 0)
                self._pop()
        except TransientError:
            now_s = link.clock.monotonic_s()  # so that at most half of the time is spent in sends that block and fail
            self._retry_s = now_s + max(now_s - began_s, RETRY_S)

    def _with_loss(self, chunk: FrameChunk) -> FrameChunk:
        if not self._lost.frames or self._lost.stream_id != chunk.stream_id:
            return chunk
        return msgspec.structs.replace(chunk, dropped_before=chunk.dropped_before + self._lost.frames)

    def _drop_oldest(self) -> None:
        log.warning("camera %s: the bus is full, dropping the oldest frames", self._link.camera_id)
        self._drop(self._pop(), "bus_full")
        while self._queue and not self._is_gap_over(self._queue[0]):
            self._drop(self._pop(), "no_keyframe")
        if not self._queue:
            self._to_skip = MAX_WITHOUT_KEYFRAME

    def _pop(self) -> FrameChunk:
        chunk = self._queue.popleft()
        self._bytes -= _size(chunk)
        return chunk

    def _is_gap_over(self, chunk: FrameChunk) -> bool:
        return chunk.starts_with_keyframe or chunk.ended or chunk.seq == 0

    def _drop(self, chunk: FrameChunk, reason: str) -> None:
        frames = len(chunk.packets)
        before = self._lost.frames if self._lost.stream_id == chunk.stream_id else 0
        self._lost = _Lost(chunk.stream_id, before + frames)
        self._link.drop(frames, reason)


@dataclass(frozen=True, slots=True)
class _Lost:
    stream_id: str
    frames: int


def _send_last(link: Link, chunks: list[FrameChunk]) -> None:
    try:
        for chunk in chunks:
            link.try_send(chunk)
        link.producer.flush(LAST_FLUSH_S)
    except TransientError as error:
        log.warning("camera %s: the end of its stream could not be sent: %s", link.camera_id, error)


def _size(chunk: FrameChunk) -> int:
    return sum(len(packet.data) for packet in chunk.packets)
