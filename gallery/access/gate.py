"""Who somebody is: by a session, a token, a proxy's word, or because nobody needs to sign in."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from msgspec.structs import replace

from gallery.access import users
from gallery.access.attempts import Attempts, Proven, network_of
from gallery.access.errors import AccountRefused, NotSignedIn
from gallery.access.passwords import check_password, hash_password, is_outdated, is_password
from gallery.access.tokens import digest_of, read_token
from gallery.access.users import OPEN, lesser, user_name
from gallery.store.accounts import Accounts, ApiToken, Role, Session, User

SESSION_S = 12 * 3600
SLACK_NS = 300 * 10**9  # a clock that goes back by more ends the sessions opened since
WRONG = "wrong name or password"

Way = Literal["password", "token", "proxy", "oidc", "open", "command"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may do what a role may.

    Attributes:
        name: As words and the audit log show it.
        way: How they were recognised.
        user: The account, where there is one.
    """

    name: str
    role: Role
    way: Way
    user: User | None = None

    @property
    def must_change(self) -> bool:
        """Tell whether they must choose a password before anything else."""
        return self.way == "password" and self.user is not None and self.user.must_change


@dataclass(frozen=True, slots=True, repr=False)
class Gate:
    """Recognises people by their credentials.

    Attributes:
        token: The token of the settings, which may do everything; empty without one.
        open: Whether nobody needs to sign in as long as there is neither a user nor that token.
        everybody: Whether nobody needs to sign in at all.
        proxied: Role of people whom a proxy names and who are no users.
        issuer: The identity provider whose word counts; empty without one.
    """

    accounts: Accounts
    token: str = ""
    open: bool = True
    everybody: bool = False
    proxied: Role = "viewer"
    issuer: str = ""
    clock: Callable[[], int] = time.time_ns
    attempts: Attempts = field(default_factory=Attempts)
    proven: Proven = field(default_factory=Proven)

    def needed(self) -> bool:
        """Tell whether one has to sign in."""
        return not self.everybody and (bool(self.token) or not self.open or self.accounts.any_user())

    def anybody(self) -> Caller | None:
        """Return whoever asks without a credential; None if they have to sign in."""
        return None if self.needed() else Caller(OPEN, "admin", "open")

    def of_token(self, text: str, address: str) -> Caller | None:
        """Return who has a token; None if it is none.

        A token that was right before is not refused because others of the same address are wrong.

        Raises:
            NotSignedIn: It has expired.
            TooManyTries: Too many tokens from this address were wrong.
        """
        digest, key = digest_of(text), f"tokens from {network_of(address)}"  # not of who signs in from there
        if not self.proven.has(digest):
            self.attempts.begin(key)
        found = self._of_token(text)
        if found is None:
            self.proven.forget(digest)
        elif not self.proven.has(digest):
            self.attempts.succeeded(key)
            self.proven.add(digest)
        return found

    def _of_token(self, text: str) -> Caller | None:
        if self._is_own(text):
            return Caller(OPEN, "admin", "token")
        token = read_token(self.accounts, text, self.clock())
        return None if token is None else self._holder(token)

    def of_proxy(self, text: str) -> Caller | None:
        """Return whom a trusted proxy names; None if that is no name."""
        try:
            name = user_name(text)
        except AccountRefused:
            return None
        user = self.accounts.user(name)
        return Caller(name, self.proxied if user is None else user.role, "proxy", user)

    def of_session(self, cookie: str) -> Caller | None:
        """Return who opened a session; None if it has ended."""
        session = self.accounts.session(digest_of(cookie)) if cookie else None
        if session is None or not session.opened_ns - SLACK_NS <= self.clock() < session.ends_ns:
            return None
        if session.role is not None:
            named = self.issuer and session.since == self.issuer
            return Caller(session.user, session.role, "oidc") if named else None
        if session.token_id:
            token = self.accounts.token(session.token_id)
            return None if token is None or self._has_expired(token) else self._holder(token)
        if not session.user:
            return Caller(OPEN, "admin", "token") if self.token and session.since == digest_of(self.token) else None
        user = self.accounts.user(session.user)
        return Caller(user.name, user.role, "password", user) if user and user.since == session.since else None

    def user_named(self, text: str) -> str:
        """Return the name of a user; empty if there is none, since people type passwords where names belong."""
        user = self._account(text)
        return "" if user is None else user.name

    def sign_in(self, name: str, password: str, address: str) -> str:
        """Open a session of a user, and return its cookie.

        Raises:
            NotSignedIn: The name or the password is wrong.
            TooManyTries: Too many attempts failed.
        """
        user = self._checked(name, password, address)
        return self._opened(self._session(user.name, user.since))

    def sign_in_by_token(self, text: str, address: str) -> str:
        """Open a session with a token, and return its cookie.

        Raises:
            NotSignedIn: It is no token, or has expired.
            TooManyTries: Too many attempts failed.
        """
        key = f"address {network_of(address)}"
        self.attempts.begin(key)
        if self._is_own(text):
            session = self._session("", digest_of(self.token))
        else:
            token = read_token(self.accounts, text, self.clock())
            if token is None or self._holder(token) is None:
                raise NotSignedIn("this is not a token of this API")
            session = self._session("", "", token.token_id)
        self.attempts.succeeded(key)
        return self._opened(session)

    def sign_in_by_provider(self, name: str, role: Role) -> str:
        """Open a session of somebody whom the identity provider has named, and return its cookie."""
        return self._opened(replace(self._session(name, self.issuer), role=role))

    def sign_out(self, cookie: str) -> None:
        """End a session."""
        self.accounts.drop_session(digest_of(cookie))

    def choose_password(self, name: str, current: str, new: str, address: str) -> str:
        """Give a user who knows the current password another one, end all sessions, and return the cookie of a new one.

        Raises:
            NotSignedIn: The current password is wrong.
            AccountRefused: The new one is too simple, or the current one again.
            TooManyTries: Too many attempts failed.
        """
        user = self._checked(name, current, address)
        check_password(new, user.name)
        if new == current:
            raise AccountRefused("this is the current password; choose another")
        hashed = hash_password(new)
        self.accounts.change_users(lambda known: users.with_password(known, user.name, hashed, must_change=False))
        return self.sign_in(name, new, address)

    def _checked(self, name: str, password: str, address: str) -> User:
        keys = (f"user {name.strip().lower()[:64]}", f"address {network_of(address)}")
        self.attempts.begin(*keys)
        user = self._account(name)
        known = "" if user is None else user.password
        if not is_password(password, known) or user is None:
            raise NotSignedIn(WRONG)
        self.attempts.succeeded(*keys)
        if is_outdated(known):
            newer = hash_password(password)
            self.accounts.change_users(partial(_rehashed, user.name, known, newer))
        return user

    def _account(self, name: str) -> User | None:
        try:
            return self.accounts.user(user_name(name))
        except AccountRefused:
            return None

    def _holder(self, token: ApiToken) -> Caller | None:
        """Return who a token stands for; None if its owner is gone."""
        if not token.owner:
            return Caller(f"token:{token.name}", token.role, "token")
        user = self.accounts.user(token.owner)
        if user is None or user.born != token.born:
            return None
        return Caller(user.name, lesser(token.role, user.role), "token", user)

    def _has_expired(self, token: ApiToken) -> bool:
        return bool(token.expires_ns) and token.expires_ns <= self.clock()

    def _is_own(self, text: str) -> bool:
        given, own = text.encode(errors="surrogatepass"), self.token.encode()
        return secrets.compare_digest(given, own) and bool(self.token)

    def _session(self, user: str, since: str, token_id: str = "") -> Session:
        now_ns = self.clock()
        return Session(user=user, since=since, token_id=token_id, opened_ns=now_ns, ends_ns=now_ns + SESSION_S * 10**9)

    def _opened(self, session: Session) -> str:
        cookie = secrets.token_urlsafe(32)
        self.accounts.put_session(digest_of(cookie), session)
        return cookie


def _rehashed(name: str, before: str, newer: str, known: users.Users) -> users.Users:
    return users.rehashed(known, name, before, newer)
