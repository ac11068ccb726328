"""Changes of a site's keys in Redis, as backups keep them: a site is what its changes make of nothing, in order."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

Kind = Literal["hash", "zset", "set", "list", "string", "stream", "without", "delete", "expire"]

REMOVE = {"hash": "HDEL", "zset": "ZREM", "set": "SREM"}


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A change of one key.

    Attributes:
        kind: A type of Redis: `parts` are added to a key of that type. `without`: elements are removed from it, `parts`
            being the type and the elements. `delete`: the key is deleted. `expire`: it ends at a time.
        key: What follows `climbtrack:{site}:` in its name.
        parts: `hash`: fields and values, alternating; `zset`: members and scores; `set`, `list`: elements; `string`:
            its value; `stream`: id, fields and values of one entry; `expire`: milliseconds since 1970, in digits.
    """

    kind: Kind
    key: str
    parts: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Return about how many bytes it takes."""
        return len(self.key) + sum(map(len, self.parts)) + 8 * len(self.parts)


def commands(change: Change, name: str) -> Iterator[Sequence[Any]]:
    """Yield the commands that apply a change to the key `name`."""
    parts = change.parts
    match change.kind:
        case "hash":
            yield "HSET", name, *parts
        case "zset":
            yield "ZADD", name, *(part for at in range(0, len(parts), 2) for part in (parts[at + 1], parts[at]))
        case "set":
            yield "SADD", name, *parts
        case "list":
            yield "RPUSH", name, *parts
        case "string":
            yield "SET", name, *parts
        case "stream":
            yield "XADD", name, *parts
        case "without":
            yield REMOVE[parts[0].decode()], name, *parts[1:]
        case "delete":
            yield "UNLINK", name
        case "expire":
            yield "PEXPIREAT", name, *parts
