"""Users, tokens, sessions and the audit log in Redis, beside the rest of their site: `accounts.Accounts`.

The keys are documented at the top of `users.lua`, `session.lua` and `audit.lua`; `:tokens` is a hash of tokens by id.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, TypeVar

import msgspec
import redis

from gallery.store.accounts import MAX_SESSIONS, PRUNED, ApiToken, Audited, Deed, Session, User
from gallery.store.server import translated_errors
from gallery.store.store import microseconds

Record = TypeVar("Record")

_encode = msgspec.msgpack.encode
_user = msgspec.msgpack.Decoder(User).decode
_token = msgspec.msgpack.Decoder(ApiToken).decode
_session = msgspec.msgpack.Decoder(Session).decode
_deed = msgspec.msgpack.Decoder(Deed).decode


class RedisAccounts:
    """Keeps the accounts of a site in Redis; see `gallery.store.accounts.Accounts`."""

    def __init__(self, client: "redis.Redis", site_id: str) -> None:
        self._client: Any = client
        self._prefix = f"climbtrack:{{{site_id}}}:"
        self._change = self._script("users.lua")
        self._open = self._script("session.lua")
        self._append = self._script("audit.lua")

    def any_user(self) -> bool:
        """Return whether there is a user."""
        with translated_errors(self._client):
            return bool(self._client.hlen(self._key("users")))

    def users(self) -> dict[str, User]:
        """Return all users by name."""
        with translated_errors(self._client):
            found = self._client.hgetall(self._key("users"))
        return {name.decode(): _user(blob) for name, blob in found.items()}

    def user(self, name: str) -> User | None:
        """Return a user."""
        return self._one("users", name, _user)

    def change_users(self, change: Callable[[Mapping[str, User]], Mapping[str, User]]) -> None:
        """Replace all users by what `change` makes of them."""
        keys = [self._key("users"), self._key("users-version")]
        done = False
        while not done:  # somebody makes progress in every round
            with translated_errors(self._client):
                version = self._client.get(keys[1]) or b"0"
            before = self.users()  # if they are newer than the version, the script refuses
            after = change(before)
            gone = [name for name in before if name not in after]
            written = [
                part for name, user in after.items() if before.get(name) != user for part in (name, _encode(user))
            ]
            with translated_errors(self._client):
                done = bool(self._change(keys=keys, args=[version, len(gone), *gone, *written]))

    def tokens(self) -> list[ApiToken]:
        """Return all tokens, the oldest first."""
        with translated_errors(self._client):
            found = [_token(blob) for blob in self._client.hvals(self._key("tokens"))]
        return sorted(found, key=lambda token: (token.created_ns, token.token_id))

    def token(self, token_id: str) -> ApiToken | None:
        """Return a token."""
        return self._one("tokens", token_id, _token)

    def put_token(self, token: ApiToken) -> None:
        """Add a token."""
        with translated_errors(self._client):
            self._client.hset(self._key("tokens"), token.token_id, _encode(token))

    def drop_token(self, token_id: str) -> bool:
        """Delete a token; return whether it was there."""
        with translated_errors(self._client):
            return bool(self._client.hdel(self._key("tokens"), token_id))

    def put_session(self, digest: str, session: Session, most: int = MAX_SESSIONS) -> None:
        """Open a session, and delete those that have ended or are too many."""
        times = [microseconds(session.ends_ns), microseconds(session.opened_ns)]
        with translated_errors(self._client):
            keys = [self._key("sessions"), self._key("session-ends")]
            self._open(keys=keys, args=[digest, _encode(session), *times, most])

    def session(self, digest: str) -> Session | None:
        """Return a session."""
        return self._one("sessions", digest, _session)

    def drop_session(self, digest: str) -> None:
        """Delete a session."""
        with translated_errors(self._client):
            self._client.hdel(self._key("sessions"), digest)
            self._client.zrem(self._key("session-ends"), digest)

    def record(self, deed: Deed, *, oldest_ns: int, most: int) -> None:
        """Append to the audit log, and delete old entries at its beginning."""
        keys = [self._key("audit"), self._key("audit-seq")]
        times = [microseconds(deed.time_ns), microseconds(oldest_ns)]
        with translated_errors(self._client):
            self._append(keys=keys, args=[_encode(deed), *times, most, PRUNED])

    def audit(self, before: int, limit: int) -> Sequence[Audited]:
        """Return entries before one of the audit log, the newest first."""
        if limit <= 0:
            return []
        with translated_errors(self._client):
            rows = self._client.zrevrangebyscore(self._key("audit"), f"({before}", "-inf", start=0, num=limit)
        return [Audited(int(seq), _deed(blob)) for seq, _, blob in (row.split(b"|", 2) for row in rows)]

    def _one(self, kind: str, field: str, decode: Callable[[bytes], Record]) -> Record | None:
        with translated_errors(self._client):
            blob = self._client.hget(self._key(kind), field)
        return None if blob is None else decode(blob)

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _script(self, name: str) -> Any:
        return self._client.register_script(files("gallery.store").joinpath(name).read_text(encoding="utf-8"))
