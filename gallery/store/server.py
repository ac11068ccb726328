"""The Redis server of the stores: connecting to it, naming it in messages, and checking it."""

import math
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import redis
from redis.exceptions import ClusterDownError, MovedError, RedisError, ResponseError
from redis.sentinel import SentinelConnectionPool

from gallery.store.faults import explained
from gallery.store.sentinel import follow, name_of_primary
from wire.errors import SettingsError
from wire.mask import mask_url
from wire.settings import RedisSettings
from wire.tls import context_of, key_password
from wire.url import read_url

KEEPS_EVERYTHING = "noeviction"
ALWAYS = "always"
ANSWER_S, CONNECT_S = 10.0, 5.0
PROBE_S = 1.0  # for a question asked at every scrape of the metrics, which must not wait for a server that hangs
APART_S = 2.0  # clocks that differ by more are named
INSTALLATION = "climbtrack:installation"
SAVES = ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")


def connect(settings: RedisSettings, *, answer_s: float = ANSWER_S, connect_s: float = CONNECT_S) -> "redis.Redis":
    """Return a thread-safe client of the server; it connects on first use.

    Raises:
        SettingsError: A certificate cannot be used, or the URL has an unknown option.
    """
    url = read_url(settings.url)
    if url.scheme == "rediss":
        context_of(
            settings
        )  # checked early: the client reads the files when it connects, and prompts for a key's password
    options = {**_login(settings), **(_tls(settings) if url.scheme == "rediss" else {})}
    options |= {"socket_timeout": answer_s, "socket_connect_timeout": connect_s}
    address = replace(url, login=None).quoted()
    try:
        if settings.sentinels:
            client = follow(settings.sentinels, address, _sentinel_login(settings), **options)
        else:
            client = redis.Redis.from_url(address, **options)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # only this reveals unknown options
    except (TypeError, ValueError, RedisError):
        shown = mask_url(settings.url)
        raise SettingsError(f"redis.url = {shown!r}: an option after the ? is unknown or has a wrong value") from None
    return client


def name_of(client: "redis.Redis") -> str:
    """Return the address a client connects to, without its password."""
    if isinstance(client.connection_pool, SentinelConnectionPool):
        return name_of_primary(client.connection_pool)
    known = client.connection_pool.connection_kwargs
    return mask_url(str(known.get("path") or f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"))


@contextmanager
def translated_errors(client: "redis.Redis") -> Iterator[None]:
    """Translate errors of the client within the block.

    Raises:
        StoreUnavailable: The server is unreachable, or rejects writes for now: the same call may succeed later.
        StoreRefused: The server refuses access or a command.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        translated = explained(error, name_of(client), _secrets(client))
        if translated is None:
            raise
        raise translated from None  # servers repeat commands they do not understand, passwords included


def check_writes(client: "redis.Redis") -> None:
    """Check that the server accepts writes, with a key that expires after a second.

    Raises:
        StoreUnavailable, StoreRefused: It does not.
    """
    with translated_errors(client):
        client.set("climbtrack:{doctor}:probe", b"", px=1000)


def installation_of(client: "redis.Redis") -> str:
    """Return what tells this Redis, with its replicas, from others; made up at the first call, and kept there.

    Empty for the node of a cluster that cannot keep it, since it belongs to no site.

    Raises:
        StoreUnavailable, StoreRefused: The server cannot be queried.
    """
    with translated_errors(client):
        try:
            client.set(INSTALLATION, uuid.uuid4().hex, nx=True)
            kept: Any = client.get(INSTALLATION)
        except (MovedError, ClusterDownError):
            return ""
    return "" if kept is None else str(kept.decode())


def eviction_risk(client: "redis.Redis") -> str:
    """Return a warning if the server deletes keys when its memory is full; empty if it keeps everything.

    Raises:
        StoreUnavailable, StoreRefused: The server cannot be queried.
    """
    with translated_errors(client):
        client.ping()
        try:
            answer: Any = client.info("memory")
        except ResponseError:  # the user lacks permission, or a proxy does not support the command
            return ""
    policy = answer.get("maxmemory_policy", KEEPS_EVERYTHING)
    if policy == KEEPS_EVERYTHING:
        return ""
    return (
        f"Redis at {name_of(client)} has the maxmemory-policy {policy}: when its memory is full it deletes people; "
        f"set maxmemory-policy {KEEPS_EVERYTHING} in its configuration"
    )


def durability_risk(client: "redis.Redis") -> str:
    """Return a warning if a crash of the server loses writes that it has confirmed; empty if it cannot be told.

    Raises:
        StoreUnavailable, StoreRefused: The server cannot be queried.
    """
    with translated_errors(client):
        client.ping()
        try:
            answer: Any = client.info("persistence")
            kept = bool(answer.get("aof_enabled", True))
            told: Any = client.config_get("appendfsync") if kept else {}
        except ResponseError:  # the user lacks permission, or a managed Redis does not tell
            return ""
    if kept and told.get("appendfsync", ALWAYS) == ALWAYS:
        return ""
    loss = "the last seconds of" if kept else "all"
    return (
        f"Redis at {name_of(client)} forgets {loss} decisions when it crashes; set appendonly yes and appendfsync"
        f" {ALWAYS} in its configuration: the gallery writes once a second"
    )


def clock_risk(client: "redis.Redis") -> str:
    """Return a warning if the clock of the server and ours are apart; empty if they agree, or it cannot be told.

    Raises:
        StoreUnavailable, StoreRefused: The server cannot be queried.
    """
    with translated_errors(client):
        client.ping()
        try:
            ahead_s = _ahead_s(client)
        except ResponseError:  # as in `eviction_risk`
            return ""
    if not abs(ahead_s) > APART_S:  # NaN, too, is no reason to warn
        return ""
    word = "ahead of" if ahead_s > 0 else "behind"
    return (
        f"the clock of this machine is {abs(ahead_s):.1f} s {word} that of Redis at {name_of(client)}: let all machines"
        " follow one time server (`timedatectl` and `chronyc tracking` say whether one does)"
    )


def answering(settings: RedisSettings) -> Callable[[], float]:
    """Return a function that asks the server: 1 if it answers within a second, else 0.

    Raises:
        SettingsError: As `connect`.
    """
    return _probe(settings, lambda client: float(bool(client.ping())), unknown=0.0)


def persistence_failing(settings: RedisSettings) -> Callable[[], float]:
    """Return a function that asks the server: 1 if its last save or append to disk failed, 0 if not, NaN if unknown.

    Raises:
        SettingsError: As `connect`.
    """

    def failing(client: "redis.Redis") -> float:
        answer: Any = client.info("persistence")
        return float(any(answer.get(name, "ok") != "ok" for name in SAVES))

    return _probe(settings, failing, unknown=math.nan)


def ahead_of(settings: RedisSettings) -> Callable[[], float]:
    """Return a function that asks the server: how many seconds our clock is ahead of its, NaN if unknown.

    Raises:
        SettingsError: As `connect`.
    """
    return _probe(settings, _ahead_s, unknown=math.nan)


def _probe(settings: RedisSettings, asked: "Callable[[redis.Redis], float]", *, unknown: float) -> Callable[[], float]:
    """Return a function that asks the server for a figure, and says `unknown` if it does not answer within a second."""
    client = connect(settings, answer_s=PROBE_S, connect_s=PROBE_S)

    def ask() -> float:
        try:
            return asked(client)
        except (RedisError, OSError):
            return unknown

    return ask


def stored_bytes(client: "redis.Redis", site_id: str) -> int:
    """Return about how much memory the largest keys of a site take; 0 if the server does not tell.

    Raises:
        StoreUnavailable: The server cannot be queried.
    """
    total = 0
    with translated_errors(client):
        for name in ("tracklets", "crops", "prototypes", "identities", "why", "journal"):
            try:
                answer: Any = client.memory_usage(f"climbtrack:{{{site_id}}}:{name}", samples=50)
            except ResponseError:  # the user lacks permission, or a managed Redis does not tell
                return 0
            total += int(answer or 0)
    return total


def free_memory(client: "redis.Redis") -> float:
    """Return how many bytes the server may still store; infinite if it does not tell.

    Raises:
        StoreUnavailable: The server cannot be queried.
    """
    with translated_errors(client):
        try:
            answer: Any = client.info("memory")
        except ResponseError:  # as in `eviction_risk`
            return math.inf
    most = answer.get("maxmemory") or answer.get("total_system_memory") or math.inf
    return float(most - answer.get("used_memory", 0))


def _ahead_s(client: "redis.Redis") -> float:
    before_s = time.time()
    answer: Any = client.info("server")
    told_s = float(answer.get("server_time_usec", math.nan)) / 1e6
    return (before_s + time.time()) / 2 - told_s


def _login(settings: RedisSettings) -> dict[str, Any]:
    url = read_url(settings.url)
    user = settings.username or url.user or None
    password = url.password if settings.password is None else settings.password.get_secret_value()
    return _credentials(user, password)


def _sentinel_login(settings: RedisSettings) -> dict[str, Any]:
    password = settings.sentinel_password
    return _credentials(settings.sentinel_username, None if password is None else password.get_secret_value())


def _credentials(user: str | None, password: str | None) -> dict[str, Any]:
    if not user and not password:
        return {}
    # A credential provider keeps the password out of the client's repr.
    return {"credential_provider": redis.UsernamePasswordCredentialProvider(user, password or "")}


def _tls(settings: RedisSettings) -> dict[str, Any]:
    names = {
        "ssl_ca_certs": settings.ssl_ca_file,
        "ssl_certfile": settings.ssl_certificate_file,
        "ssl_keyfile": settings.ssl_key_file,
        "ssl_password": key_password(settings),
    }
    given = {name: str(value) for name, value in names.items() if value is not None}
    return {**given, "ssl_check_hostname": settings.ssl_check_hostname}


def _secrets(client: "redis.Redis") -> tuple[str, ...]:
    provider = client.connection_pool.connection_kwargs.get("credential_provider")
    return () if provider is None else tuple(secret for secret in provider.get_credentials()[1:] if secret)
