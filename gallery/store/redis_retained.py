"""What the bus retained of people who were erased, in Redis."""

from typing import Any

import msgspec
import redis

from gallery.store.retained import RetainedErased
from gallery.store.server import translated_errors


class RedisRetainedNotes:
    """The notes of a site in Redis: the hash `unretained`, by word."""

    def __init__(self, client: "redis.Redis", site_id: str) -> None:
        self._client: Any = client
        self._key = f"climbtrack:{{{site_id}}}:unretained"

    def put(self, word_id: str, note: RetainedErased) -> None:
        """Note what became of the records."""
        with translated_errors(self._client):
            self._client.hset(self._key, word_id, msgspec.msgpack.encode(note))

    def of(self, word_id: str) -> RetainedErased | None:
        """Return what became of the records."""
        with translated_errors(self._client):
            blob = self._client.hget(self._key, word_id)
        return None if blob is None else msgspec.msgpack.decode(blob, type=RetainedErased)
