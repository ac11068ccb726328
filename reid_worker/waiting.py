"""Chunks that were polled and not processed yet: those of live cameras first, recordings in what time is left.

Chunks of live cameras are short, so that they are processed soon. While a worker is behind, those that have come
meanwhile are processed as one: larger batches cost less.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from msgspec.structs import replace

from wire.bus import Record, TopicPartition
from wire.messages import MAX_CHUNK_NS, FrameChunk


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One chunk to process, or several of a live camera as one.

    Attributes:
        record: The record of the first one.
        newest: The record of the last one.
    """

    record: Record
    newest: Record
    chunk: FrameChunk

    @property
    def live(self) -> bool:
        """Whether its camera must stay current."""
        return self.chunk.mode == "latency"


class Waiting:
    """The chunks of each camera, in order.

    Attributes:
        recorded_bytes: Size of the chunks of recordings.
    """

    def __init__(self) -> None:
        self.recorded_bytes = 0
        self._round_ns = 0  # when the round of live cameras began
        self._live: dict[str, deque[Item]] = {}
        self._recorded: dict[str, deque[Item]] = {}

    def __len__(self) -> int:
        return sum(map(len, (*self._live.values(), *self._recorded.values())))

    def add(self, item: Item) -> None:
        """Add the next chunk of a camera; one that has become live goes on after what was recorded before."""
        name = item.chunk.camera_id
        if item.live and name not in self._recorded:
            self._live.setdefault(name, deque()).append(item)
            return
        before = self._live.pop(name, deque())
        self._recorded.setdefault(name, before).append(item)
        self.recorded_bytes += sum(map(_size, (*before, item)))

    def live_wave(self, now_ns: int) -> list[Item]:
        """Remove and return the first chunks of live cameras.

        Of all that waits; then, until nothing is left that had come before, of cameras with more of it than others.
        Else a camera that was a second behind once would stay so: what is taken of it lasts no longer than the work.
        """
        behind = [name for name, items in self._live.items() if items[0].record.time_ns <= self._round_ns]
        if not behind:
            self._round_ns = now_ns
        return _take(self._live, behind or list(self._live))

    def with_following(self, item: Item) -> Item:
        """Return a live camera's item together with the waiting chunks that continue it, up to half a second."""
        queue = self._live.get(item.chunk.camera_id)
        while queue and _continues(item.chunk, queue[0].chunk):
            following = queue.popleft()
            item = Item(item.record, following.newest, _joined(item.chunk, following.chunk))
        if queue is not None and not queue:
            del self._live[item.chunk.camera_id]
        return item

    def recorded_wave(self, most: int | None) -> list[Item]:
        """Remove and return the first chunk of up to `most` recordings, in turn; of all if None."""
        wave = _take(self._recorded, list(self._recorded)[:most])
        self.recorded_bytes -= sum(map(_size, wave))
        return wave

    def live_chunks(self) -> int:
        """Return how many chunks of live cameras wait."""
        return sum(map(len, self._live.values()))

    def has_live(self) -> bool:
        """Tell whether chunks of live cameras wait."""
        return bool(self._live)

    def has_recorded(self) -> bool:
        """Tell whether chunks of recordings wait."""
        return bool(self._recorded)

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """Forget the chunks of partitions that another worker will process."""
        for queues in (self._live, self._recorded):
            for name in [name for name, items in queues.items() if items[0].record.source in partitions]:
                del queues[name]
        self.recorded_bytes = sum(_size(item) for items in self._recorded.values() for item in items)

    def first_offsets(self) -> dict[TopicPartition, int]:
        """Return the first offset that waits, of each partition with one."""
        first: dict[TopicPartition, int] = {}
        for items in (*self._live.values(), *self._recorded.values()):
            record = items[0].record
            first[record.source] = min(record.offset, first.get(record.source, record.offset))
        return first


def _continues(chunk: FrameChunk, following: FrameChunk) -> bool:
    next_index = chunk.first_index + sum(packet.shown for packet in chunk.packets)
    if following.stream_id != chunk.stream_id or following.first_index != next_index or not following.packets:
        return False
    if following.starts_with_keyframe and following.codec != "mjpeg":
        return False
    times = [packet.pts_ns for packet in (*chunk.packets, *following.packets)]
    return max(times) - min(times) < MAX_CHUNK_NS


def _joined(chunk: FrameChunk, following: FrameChunk) -> FrameChunk:
    packets = (*chunk.packets, *following.packets)
    return replace(chunk, packets=packets, ended=following.ended, reason=following.reason)


def _size(item: Item) -> int:
    return len(item.record.value or b"")


def _take(queues: dict[str, deque[Item]], names: Collection[str]) -> list[Item]:
    wave = []
    for name in names:
        items = queues.pop(name)
        wave.append(items.popleft())
        if items:
            queues[name] = items  # at the end: its turn comes after the others'
    return wave
