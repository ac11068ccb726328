"""Translate errors of the Redis client into errors of the gallery that name cause and remedy. Pure.

Errors that pass by themselves, or are fixed at the server, are `StoreUnavailable` and retried; those that need other
settings are `StoreRefused`.
"""

import re
from collections.abc import Collection

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.sentinel import MasterNotFoundError

from gallery.errors import StoreRefused, StoreUnavailable
from gallery.store.sentinel import SentinelLoginError
from wire.mask import hide
from wire.reach import CLOSED, SILENT, is_untrusted, why_unreachable

ADDRESS = "redis.url (CLIMBTRACK_REDIS_URL)"
TLS_MISFIT = "TLS does not fit (redis:// or rediss:// in redis.url, redis.ssl_certificate_file)"
PERMISSIONS = "ACL SETUSER {NAME} ~climbtrack:* +@read +@write +@scripting +@connection +info"
SENTINEL_PERMISSIONS = "ACL SETUSER {NAME} +sentinel|masters +@connection"

_TRANSIENT = {
    "MISCONF": (
        "cannot save to its disk and takes no writes",
        "its log gives the reason, usually a full disk or a folder it may not write; it recovers after the next save",
    ),
    "NOREPLICAS": (
        "has too few replicas to take writes",
        "bring its replicas back, or lower its min-replicas-to-write",
    ),
    "LOADING": ("is still loading its data", "just wait"),
    "TRYAGAIN": ("is moving our keys to another node", "just wait"),
    "CLUSTERDOWN": ("belongs to a cluster that is down", "`redis-cli --cluster check` shows which node is missing"),
    "MOVED": ("is a node of a cluster and our keys are on another one", f"name the node that has them in {ADDRESS}"),
    "READONLY": ("is a replica and takes no writes", f"wait for the failover to end, or name the primary in {ADDRESS}"),
    "MASTERDOWN": ("is a replica without its primary", f"bring the primary back, or name it in {ADDRESS}"),
    "OOM": (
        "has reached its maxmemory and takes no writes",
        "raise its maxmemory; a shorter gallery.retention_s then keeps usage below it",
    ),
    "BUSY": ("is busy running a script", "wait, or end the script with `redis-cli SCRIPT KILL`"),
    "MAXCLIENTS": ("has no connection left", "raise its maxclients, or close unneeded clients"),
}
_PERMANENT = {
    "NOAUTH": (
        "asks for a password",
        "set redis.password or redis.password_file, and redis.username if it has users",
    ),
    "WRONGPASS": ("refuses this user or password", "correct redis.username and redis.password (or password_file)"),
    "SENTINEL": (
        "is named by Sentinels that refuse our login",
        "correct redis.sentinel_username and redis.sentinel_password (or sentinel_password_file); the user needs"
        f" {SENTINEL_PERMISSIONS}",
    ),
    "NOPERM": ("does not allow its user what we do", f"allow it: {PERMISSIONS}"),
    "DENIED": (
        "is in protected mode and refuses other machines",
        "give it a password (requirepass) and redis.password",
    ),
    "DB": ("has no database with this number", f"name another one in {ADDRESS}"),
    "COMMAND": ("does not know a command that we use", "Redis 6.2 or newer is needed"),
}
_CLASSES: tuple[
    tuple[type[Exception], str], ...
] = (  # the first match is used; the client strips these codes from the text
    (BusyLoadingError, "LOADING"),
    (OutOfMemoryError, "OOM"),
    (ReadOnlyError, "READONLY"),
    (MasterDownError, "MASTERDOWN"),
    (ClusterDownError, "CLUSTERDOWN"),
    (TryAgainError, "TRYAGAIN"),
    (MovedError, "MOVED"),
    (AskError, "TRYAGAIN"),
    (NoPermissionError, "NOPERM"),
    (SentinelLoginError, "SENTINEL"),
    (AuthenticationWrongNumberOfArgsError, "WRONGPASS"),
)
_TEXTS = (  # no code, or behind another one: Redis before 7 wraps errors that occur in a script
    (re.compile(r"^(MISCONF|NOREPLICAS|BUSY|DENIED|NOAUTH|WRONGPASS)\b"), None),
    (re.compile(r"[:\s]-(MISCONF|NOREPLICAS|READONLY|OOM|BUSY|LOADING|MASTERDOWN|NOPERM)\b"), None),
    (re.compile(r"max number of clients"), "MAXCLIENTS"),
    (re.compile(r"previous master is now a slave"), "READONLY"),  # the client's words, when Sentinels name another
    (re.compile(r"authentication required|already authenticated", re.IGNORECASE), "NOAUTH"),
    (re.compile(r"ACL failure in script|can't run this command"), "NOPERM"),
    (re.compile(r"DB index|Invalid Database|SELECT is not allowed"), "DB"),
    (re.compile(r"unknown (?:sub)?command", re.IGNORECASE), "COMMAND"),
)
_COMMAND_ERRORS = frozenset({"ERR", "WRONGTYPE", "CROSSSLOT", "NOSCRIPT", "EXECABORT", "NOPROTO"})


def explained(
    error: RedisError | OSError, server: str, secrets: Collection[str]
) -> StoreUnavailable | StoreRefused | None:
    """Translate an error of the client, without these secrets; None if the error is a bug in our code.

    Args:
        error: The error raised by the client.
        server: Name of the server for messages.
        secrets: Texts that must not appear in the message, even if the server repeats them.
    """
    code = _code(error)
    if code in _PERMANENT:
        return StoreRefused(_sentence(server, code, *_PERMANENT[code]))
    if code in _TRANSIENT:
        return StoreUnavailable(_sentence(server, code, *_TRANSIENT[code]))
    if isinstance(error, ResponseError):
        text = hide(str(error), secrets)
        return StoreUnavailable(f"Redis at {server} answers {text}") if _is_state(text) else None
    if is_untrusted(error):
        remedy = "check redis.url (rediss:// is for a Redis with TLS), redis.ssl_ca_file and redis.ssl_certificate_file"
        return StoreRefused(f"Redis: {why_unreachable(error, server)}; {remedy}")
    if isinstance(error, InvalidResponse):
        return StoreUnavailable(f"what listens at {server} is not a Redis; correct {ADDRESS}")
    return StoreUnavailable(f"Redis: {_why_away(error, server)}")


def _why_away(error: RedisError | OSError, server: str) -> str:
    if isinstance(error, MasterNotFoundError):
        remedy = "wait for the failover to end, or correct redis.sentinels and the name in redis.url"
        return f"no Sentinel names {server}; {remedy}"
    words = why_unreachable(error, server)
    if words is None or CLOSED in words:
        return f"{server} {CLOSED}; it was stopped, has no connection left (maxclients), or {TLS_MISFIT}"
    if SILENT in words:
        return f"{words}; it is overloaded, stopped or behind a firewall, or {TLS_MISFIT}"
    return f"{words}; start it or set {ADDRESS}"


def _is_state(text: str) -> bool:
    """Return whether an answer starts with a code for the server's state, rather than for a wrong command."""
    word = text.partition(" ")[0]
    return word.isupper() and word.isalpha() and word not in _COMMAND_ERRORS


def _code(error: RedisError | OSError) -> str:
    for kind, code in _CLASSES:
        if isinstance(error, kind):
            return code
    if isinstance(error, RedisError):
        for pattern, code_of_text in _TEXTS:
            if found := pattern.search(str(error)):
                return code_of_text or found[1]
    return "WRONGPASS" if isinstance(error, AuthenticationError) else ""


def _sentence(server: str, code: str, cause: str, remedy: str) -> str:
    return f"Redis at {server} {cause} ({code}); {remedy}"
