"""How many cameras each partition has, from the table of cameras. Part of `wire.kafka`."""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress

from wire import codec
from wire.bus import CAMERAS, Record
from wire.errors import DecodeError, SettingsError, TransientError
from wire.kafka.client import Names
from wire.kafka.follower import KafkaBusFollower
from wire.messages import CameraSpec
from wire.settings import KafkaSettings

log = logging.getLogger(__name__)

FIRST_READ_S = 5.0
AGE_S = 5.0


class CameraCounts:
    """Follows the table of cameras; not thread-safe."""

    def __init__(self, settings: KafkaSettings, names: Names) -> None:
        self._follower: KafkaBusFollower | None = KafkaBusFollower(settings, names, names.partitions(CAMERAS.name))
        self._enabled: set[tuple[int, str]] = set()  # partition and key
        self._read_s = -AGE_S

    def read_all(self) -> Mapping[int, int]:
        """Return the cameras of each partition that has some, once the table is read, or what is known after 5 s."""
        deadline = time.monotonic() + FIRST_READ_S
        while not self._read(wait_s=0.1) and time.monotonic() < deadline:
            pass
        return self._counts()

    def read_new(self) -> Mapping[int, int] | None:
        """Return the same with what has been written since; None if it was asked for in the last 5 s."""
        if self._follower is None or time.monotonic() - self._read_s < AGE_S:
            return None
        self._read(wait_s=0.0)
        return self._counts()

    def close(self) -> None:
        """Release the connection."""
        follower, self._follower = self._follower, None
        if follower is not None:
            with suppress(TransientError):  # there is nothing left to lose
                follower.close()

    def _read(self, wait_s: float) -> bool:
        """Read what there is; return whether there is no use in waiting for more."""
        if self._follower is None:
            return True
        self._read_s = time.monotonic()
        try:
            while records := self._follower.poll(wait_s):
                for record in records:
                    self._note(record)
            return self._follower.at_end()
        except TransientError as error:
            log.debug("the cameras of partitions are those known before: %s", error)
        except SettingsError as error:
            log.warning("partitions are shared out by their number, not by their cameras: %s", error)
            self.close()
        return True

    def _note(self, record: Record) -> None:
        place = (record.partition, record.key)
        if record.value is not None and _is_enabled(record.value):
            self._enabled.add(place)
        else:
            self._enabled.discard(place)

    def _counts(self) -> Mapping[int, int]:
        counts: dict[int, int] = {}
        for partition, _ in self._enabled:
            counts[partition] = counts.get(partition, 0) + 1
        return counts


def _is_enabled(value: bytes) -> bool:
    try:
        message = codec.decode(value)
    except DecodeError:  # ingest says so
        return False
    return isinstance(message, CameraSpec) and message.enabled
