"""What the recorder tells the rest of a site: why a camera is not recorded, and what erasures deleted.

`MemoryRecordingNotes` is the reference; `redis_recordings.RedisRecordingNotes` must behave the same.
"""

from typing import Protocol

import msgspec


class Deleted(msgspec.Struct, frozen=True):
    """Recordings of one camera that were deleted because they show a person; times in ns since the Unix epoch."""

    camera_id: str
    first_ns: int
    last_ns: int
    segments: int


class RecordingsErased(msgspec.Struct, frozen=True):
    """Proof that the recordings of an erased person were deleted.

    Attributes:
        done_ns: When that was.
        digest: SHA-256 of the names of the deleted files, sorted, each ended by a newline; in hexadecimal.
        crops: Tracks whose kept crops were deleted with them.
    """

    done_ns: int
    segments: int
    size_bytes: int
    digest: str
    cameras: tuple[Deleted, ...]
    crops: int = 0


class RecordingNotes(Protocol):
    """The notes of a site."""

    def put_state(self, camera_id: str, reason: str) -> None:
        """Note why a camera that should be recorded is not; empty while it is."""

    def forget_state(self, camera_id: str) -> None:
        """Note that a camera is not to be recorded."""

    def states(self) -> dict[str, str]:
        """Return the noted cameras and reasons."""

    def put_erased(self, word_id: str, proof: RecordingsErased) -> None:
        """Note what was deleted because of an erasure."""

    def erased(self, word_id: str) -> RecordingsErased | None:
        """Return what was deleted because of an erasure; None while the recorder has not reported it."""


class MemoryRecordingNotes:
    """The notes of a site in memory: the reference."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._erased: dict[str, RecordingsErased] = {}

    def put_state(self, camera_id: str, reason: str) -> None:
        """Note why a camera that should be recorded is not; empty while it is."""
        self._states[camera_id] = reason

    def forget_state(self, camera_id: str) -> None:
        """Note that a camera is not to be recorded."""
        self._states.pop(camera_id, None)

    def states(self) -> dict[str, str]:
        """Return the noted cameras and reasons."""
        return dict(self._states)

    def put_erased(self, word_id: str, proof: RecordingsErased) -> None:
        """Note what was deleted because of an erasure."""
        self._erased[word_id] = proof

    def erased(self, word_id: str) -> RecordingsErased | None:
        """Return what was deleted because of an erasure."""
        return self._erased.get(word_id)
