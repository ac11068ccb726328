"""API tokens: `climb_ID_SECRET`. The secret is random and shown once; only its digest is kept."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from gallery.access.errors import AccountRefused, NotSignedIn
from gallery.store.accounts import Accounts, ApiToken, Role, User

MAX_TOKENS = 1_000
DAY_NS = 86_400 * 10**9
_FORM = re.compile(r"climb_([0-9a-f]{12})_([A-Za-z0-9_-]{32})")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token, and the text that is shown once."""

    token: ApiToken
    text: str = field(repr=False)


def make_token(
    accounts: Accounts, name: str, role: Role, now_ns: int, *, days: float | None = None, owner: User | None = None
) -> NewToken:
    """Add a token of a user, or of a service, and return it; without `days` it does not expire.

    Raises:
        AccountRefused: There are too many.
    """
    if len(accounts.tokens()) >= MAX_TOKENS:
        raise AccountRefused(f"there are {MAX_TOKENS} tokens already; revoke some")
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(24)
    token = ApiToken(
        token_id=token_id,
        name=name,
        role=role,
        digest=digest_of(secret),
        created_ns=now_ns,
        owner="" if owner is None else owner.name,
        born="" if owner is None else owner.born,
        expires_ns=0 if days is None else now_ns + int(days * DAY_NS),
    )
    accounts.put_token(token)
    return NewToken(token, f"climb_{token_id}_{secret}")


def read_token(accounts: Accounts, text: str, now_ns: int) -> ApiToken | None:
    """Return the token that a text is; None if it is none.

    A token that is found to have expired is deleted, so that a clock that goes back does not revive it.

    Raises:
        NotSignedIn: It has expired.
    """
    form = _FORM.fullmatch(text)
    token = accounts.token(form[1]) if form else None
    if form is None or token is None or not secrets.compare_digest(token.digest, digest_of(form[2])):
        return None
    if token.expires_ns and token.expires_ns <= now_ns:
        accounts.drop_token(token.token_id)
        raise NotSignedIn(f"the token {token.name} has expired; make another one")
    return token


def drop_tokens_of(accounts: Accounts, name: str) -> None:
    """Delete the tokens of a user who was removed; they are refused in any case."""
    for token in accounts.tokens():
        if token.owner == name:
            accounts.drop_token(token.token_id)


def digest_of(secret: str) -> str:
    """Return the digest under which a random secret is kept."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
