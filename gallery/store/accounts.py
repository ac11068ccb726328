"""Who may use a site: its users, API tokens and sessions, the record of what they did, and the store of all these.

`memory_accounts.MemoryAccounts` is the reference; `redis_accounts.RedisAccounts` must behave the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

Role = Literal["viewer", "operator", "admin"]

MAX_SESSIONS = 10_000  # of a site; beyond, those that end first end now
PRUNED = 100  # old entries of the audit log that one new entry deletes at most


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One user of a site.

    Attributes:
        name: As `access.users.user_name` allows it.
        password: Argon2 hash; empty for somebody whom a proxy signs in. It is not in the repr.
        must_change: The password was chosen by somebody else, and only serves to choose another.
        since: Random text that changes with the password; sessions opened before do not have it.
        born: Random text of this account; tokens of an earlier one of the same name do not have it.
    """

    name: str
    role: Role
    password: str
    created_ns: int
    since: str
    born: str
    must_change: bool = False

    def __repr__(self) -> str:
        return f"User({self.name}, {self.role})"


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token for programs; of its secret only a digest is kept.

    Attributes:
        token_id: Part of the token itself, by which it is found.
        name: What it is for.
        digest: SHA-256 of its secret part, in hexadecimal.
        owner: User whom it belongs to, and who limits its role; empty for a service.
        born: `User.born` of the owner.
        expires_ns: 0 is never.
    """

    token_id: str
    name: str
    role: Role
    digest: str
    created_ns: int
    owner: str = ""
    born: str = ""
    expires_ns: int = 0

    def __repr__(self) -> str:
        return f"ApiToken({self.token_id}, {self.name}, {self.role})"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that has signed in, as a user or with a token.

    Attributes:
        user: Empty for a session opened with a token.
        since: `User.since` of the user, the digest of the token of the settings, or the issuer that named the user.
        role: Of somebody whom an identity provider named; None for others, whose role is that of their account.
        token_id: Of the API token; empty for that of the settings.
    """

    user: str
    since: str
    opened_ns: int
    ends_ns: int
    token_id: str = ""
    role: Role | None = None

    def __repr__(self) -> str:
        return f"Session({self.user or self.token_id})"


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody looked at or changed.

    It holds numbers of people, never their names or tracklets, so that it can outlive their erasure.

    Attributes:
        who: A user, `token:NAME` of a service, or `operator` where nobody signs in; empty if nobody was recognised.
        way: How they were recognised: `password`, `token`, `proxy`, `oidc`, `open` or `command`.
        what: As `gallery.access.rules` names it.
        identities: Numbers of the people it was about.
        about: Another thing it was about: a camera, a user, the id of a word.
        address: Where the request came from.
        status: HTTP status of the answer; 0 for a command.
    """

    time_ns: int
    who: str
    way: str
    what: str
    identities: tuple[int, ...] = ()
    about: str = ""
    address: str = ""
    status: int = 0


class Audited(msgspec.Struct, frozen=True):
    """One entry of the record; `seq` counts from 1."""

    seq: int
    deed: Deed


class Accounts(Protocol):
    """Users, tokens, sessions and the audit log of one site. Thread-safe.

    Every method may raise `StoreUnavailable`; the call can then be repeated.
    """

    def any_user(self) -> bool:
        """Return whether there is a user."""

    def users(self) -> dict[str, User]:
        """Return all users by name."""

    def user(self, name: str) -> User | None:
        """Return a user."""

    def change_users(self, change: Callable[[Mapping[str, User]], Mapping[str, User]]) -> None:
        """Replace all users by what `change` makes of them, as if nobody else changed them at the same time.

        `change` may be called several times; what it raises is passed on, and nothing is changed.
        """

    def tokens(self) -> list[ApiToken]:
        """Return all tokens, the oldest first."""

    def token(self, token_id: str) -> ApiToken | None:
        """Return a token."""

    def put_token(self, token: ApiToken) -> None:
        """Add a token."""

    def drop_token(self, token_id: str) -> bool:
        """Delete a token; return whether it was there."""

    def put_session(self, digest: str, session: Session, most: int = MAX_SESSIONS) -> None:
        """Open a session; those that had ended when it was opened, and those above `most`, are deleted."""

    def session(self, digest: str) -> Session | None:
        """Return a session, even if it has ended meanwhile."""

    def drop_session(self, digest: str) -> None:
        """Delete a session."""

    def record(self, deed: Deed, *, oldest_ns: int, most: int) -> None:
        """Append to the audit log; entries above `most` are deleted, and up to `PRUNED` before `oldest_ns`."""

    def audit(self, before: int, limit: int) -> Sequence[Audited]:
        """Return up to `limit` entries with a smaller `seq` than `before`, the newest first."""
