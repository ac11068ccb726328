"""What the recorder tells the rest of a site: why a camera is not recorded, and what erasures deleted."""

from typing import Any, Protocol

import msgspec
import redis

from gallery.store.server import translated_errors


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
    """

    done_ns: int
    segments: int
    size_bytes: int
    digest: str
    cameras: tuple[Deleted, ...]


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


class RedisRecordingNotes:
    """The notes of a site in Redis: the hashes `recorded` (by camera) and `unrecorded` (by word)."""

    def __init__(self, client: "redis.Redis", site_id: str) -> None:
        self._client: Any = client
        self._prefix = f"climbtrack:{{{site_id}}}:"

    def put_state(self, camera_id: str, reason: str) -> None:
        """Note why a camera that should be recorded is not; empty while it is."""
        with translated_errors(self._client):
            self._client.hset(f"{self._prefix}recorded", camera_id, reason)

    def forget_state(self, camera_id: str) -> None:
        """Note that a camera is not to be recorded."""
        with translated_errors(self._client):
            self._client.hdel(f"{self._prefix}recorded", camera_id)

    def states(self) -> dict[str, str]:
        """Return the noted cameras and reasons."""
        with translated_errors(self._client):
            found = self._client.hgetall(f"{self._prefix}recorded")
        return {camera.decode(): reason.decode() for camera, reason in found.items()}

    def put_erased(self, word_id: str, proof: RecordingsErased) -> None:
        """Note what was deleted because of an erasure."""
        with translated_errors(self._client):
            self._client.hset(f"{self._prefix}unrecorded", word_id, msgspec.msgpack.encode(proof))

    def erased(self, word_id: str) -> RecordingsErased | None:
        """Return what was deleted because of an erasure."""
        with translated_errors(self._client):
            blob = self._client.hget(f"{self._prefix}unrecorded", word_id)
        return None if blob is None else msgspec.msgpack.decode(blob, type=RecordingsErased)
