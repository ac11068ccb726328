"""Reading the memory bus in no group: all of a compacted topic, or the latest of one key."""

import threading
from collections.abc import Sequence

from wire.bus import Record
from wire.memory_log import Log


class MemoryFollower:
    """Reads all of a compacted topic; see `wire.bus.Follower`."""

    def __init__(self, changed: threading.Condition, logs: Sequence[Log]) -> None:
        self._changed = changed
        self._positions = dict.fromkeys(logs, 0)

    def poll(self, timeout_s: float) -> list[Record]:
        """Return new records, or nothing after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: not self.at_end(), timeout_s)
            return [record for log in self._positions for record in self._take(log)]

    def at_end(self) -> bool:
        """Tell whether all records have been returned."""
        return all(log.end <= position for log, position in self._positions.items())

    def close(self) -> None:
        """Do nothing."""

    def _take(self, log: Log) -> list[Record]:
        position, self._positions[log] = self._positions[log], log.end
        return log.read(position, log.end - position)


class MemoryWatcher:
    """Reads the records of one key that are still kept; see `wire.bus.GrouplessBus.watch`."""

    def __init__(self, changed: threading.Condition, log: Log, key: str, since_ns: int) -> None:
        self._changed = changed
        self._log = log
        self._key = key
        self._since_ns = since_ns
        self._position = 0

    def poll(self, timeout_s: float) -> list[Record]:
        """Return new records, or nothing after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: not self.at_end(), timeout_s)
            found = self._log.read(self._position, self._log.end - self._position)
            self._position = self._log.end
        return [record for record in found if record.key == self._key and record.time_ns >= self._since_ns]

    def at_end(self) -> bool:
        """Tell whether all records have been returned."""
        return self._log.end <= self._position

    def close(self) -> None:
        """Do nothing."""
