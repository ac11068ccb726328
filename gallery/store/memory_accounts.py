"""The reference of `accounts.Accounts`, in dictionaries."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from gallery.store.accounts import MAX_SESSIONS, PRUNED, ApiToken, Audited, Deed, Session, User


class MemoryAccounts:
    """Keeps accounts for as long as the process lives; see `gallery.store.accounts.Accounts`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[str, User] = {}
        self._tokens: dict[str, ApiToken] = {}
        self._sessions: dict[str, Session] = {}
        self._audit: deque[Audited] = deque()
        self._seq = 0

    def any_user(self) -> bool:
        """Return whether there is a user."""
        return bool(self._users)

    def users(self) -> dict[str, User]:
        """Return all users by name."""
        with self._lock:
            return dict(self._users)

    def user(self, name: str) -> User | None:
        """Return a user."""
        return self._users.get(name)

    def change_users(self, change: Callable[[Mapping[str, User]], Mapping[str, User]]) -> None:
        """Replace all users by what `change` makes of them."""
        with self._lock:
            self._users = dict(change(dict(self._users)))

    def tokens(self) -> list[ApiToken]:
        """Return all tokens, the oldest first."""
        with self._lock:
            return sorted(self._tokens.values(), key=lambda token: (token.created_ns, token.token_id))

    def token(self, token_id: str) -> ApiToken | None:
        """Return a token."""
        return self._tokens.get(token_id)

    def put_token(self, token: ApiToken) -> None:
        """Add a token."""
        with self._lock:
            self._tokens[token.token_id] = token

    def drop_token(self, token_id: str) -> bool:
        """Delete a token; return whether it was there."""
        with self._lock:
            return self._tokens.pop(token_id, None) is not None

    def put_session(self, digest: str, session: Session, most: int = MAX_SESSIONS) -> None:
        """Open a session, and delete those that have ended or are too many."""
        with self._lock:
            kept = {key: one for key, one in self._sessions.items() if one.ends_ns > session.opened_ns}
            kept[digest] = session
            first = sorted(kept, key=lambda key: (kept[key].ends_ns // 1000, key))
            self._sessions = {key: kept[key] for key in first[-most:]}

    def session(self, digest: str) -> Session | None:
        """Return a session."""
        return self._sessions.get(digest)

    def drop_session(self, digest: str) -> None:
        """Delete a session."""
        with self._lock:
            self._sessions.pop(digest, None)

    def record(self, deed: Deed, *, oldest_ns: int, most: int) -> None:
        """Append to the audit log, and delete old entries at its beginning."""
        with self._lock:
            self._seq += 1
            self._audit.append(Audited(self._seq, deed))
            while len(self._audit) > most:
                self._audit.popleft()
            for _ in range(PRUNED):
                if not self._audit or self._audit[0].deed.time_ns >= oldest_ns:
                    break
                self._audit.popleft()

    def audit(self, before: int, limit: int) -> Sequence[Audited]:
        """Return entries before one of the audit log, the newest first."""
        with self._lock:
            return list(islice((entry for entry in reversed(self._audit) if entry.seq < before), max(limit, 0)))
