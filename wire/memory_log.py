"""One partition of the memory bus: an ordered log with offsets that never change."""

import time
from collections.abc import Iterator
from itertools import islice

from wire.bus import Record, record_bytes


class Log:
    """Records by offset; a compacted log keeps only the last record of every key (tombstones too)."""

    def __init__(self, topic: str, partition: int, *, compacted: bool) -> None:
        self.start = 0  # offset of the oldest record that may still exist
        self.end = 0  # offset of the next record
        self.size_bytes = 0
        self._topic = topic
        self._partition = partition
        self._compacted = compacted
        self._records: dict[int, Record] = {}
        self._last: dict[str, int] = {}  # compacted only: offset of the last record of each key

    def append(self, key: str, value: bytes | None) -> None:
        """Add a record; in a compacted log it replaces the earlier record of the same key."""
        if self._compacted:
            self._remove(self._last.get(key, -1))
            self._last[key] = self.end
        record = Record(self._topic, self._partition, self.end, key, value, time.time_ns())
        self._records[self.end] = record
        self.size_bytes += record_bytes(key, value)
        self.end += 1

    def read(self, position: int, limit: int) -> list[Record]:
        """Return up to `limit` records in order, starting at offset `position`."""
        return list(islice(self._from(position), limit))

    def unread(self, position: int) -> int:
        """Return how many records are at or after offset `position`."""
        if self._compacted:
            return sum(offset >= position for offset in self._records)
        return self.end - max(position, self.start)

    def oldest(self) -> Record:
        """Return the oldest record; the log must not be empty."""
        return self._records[self.start]

    def free(self, before: int) -> None:
        """Free all records below offset `before`; does nothing in a compacted log."""
        if self._compacted:
            return
        for offset in range(self.start, min(before, self.end)):
            self._remove(offset)
            self.start = offset + 1

    def held(self, before: int) -> int:
        """Return how many records there are below an offset."""
        return sum(offset < before for offset in self._records)

    def latest(self) -> dict[str, Record]:
        """Return the last record of every key of a compacted log, tombstones left out."""
        return {record.key: record for record in self._records.values() if record.value is not None}

    def _from(self, position: int) -> Iterator[Record]:
        if self._compacted:
            return (record for offset, record in self._records.items() if offset >= position)
        return (self._records[offset] for offset in range(max(position, self.start), self.end))

    def _remove(self, offset: int) -> None:
        record = self._records.pop(offset, None)
        if record is not None:
            self.size_bytes -= record_bytes(record.key, record.value)
