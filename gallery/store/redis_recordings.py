"""What the recorder tells the rest of a site, in Redis."""

from typing import Any

import msgspec
import redis

from gallery.store.recordings import RecordingsErased
from gallery.store.server import translated_errors


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
