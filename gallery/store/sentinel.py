"""The primary that Redis Sentinels name; every new connection asks them, so a failover is followed by reconnecting."""

from typing import Any, Literal

import redis
from redis import connection
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from wire.url import read_url

DEFAULT_PORT = 26379
ANSWER_S = 1.0  # a Sentinel that is away must not delay the question to the next one

_parse: Any = connection.parse_url  # the library has no types for these two
_Sentinel: Any = Sentinel


class SentinelLoginError(RedisError):
    """No Sentinel that answers lets us in, or tells us what we ask."""


class Sentinels(_Sentinel):  # type: ignore[misc]  # the library has no types for it
    """The library's Sentinels, which tell a login that is refused from a primary that is away."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return the address of a primary.

        Raises:
            SentinelLoginError: Nobody answers but to refuse the login, or our user may not ask.
            MasterNotFoundError: No Sentinel names it.
        """
        try:
            found: tuple[str, int] = super().discover_master(service_name)
        except NoPermissionError:
            raise SentinelLoginError from None
        except MasterNotFoundError:
            if self._let_nobody_in():
                raise SentinelLoginError from None
            raise
        return found

    def _let_nobody_in(self) -> bool:
        """Tell whether some refuse our login, and all others are away."""
        answers = [_answer(one) for one in self.sentinels]
        return "refused" in answers and "welcome" not in answers


def _answer(sentinel: "redis.Redis") -> Literal["welcome", "refused", "away"]:
    try:
        sentinel.ping()
    except AuthenticationError:
        return "refused"
    except (redis.ConnectionError, redis.TimeoutError):
        return "away"
    return "welcome"


class FollowingClient(redis.Redis):
    """A client of whichever server is the primary now; closing it closes its connections to the Sentinels, too."""

    def close(self) -> None:
        """Close all connections."""
        super().close()
        pool = self.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            pool.sentinel_manager.close()


def follow(sentinels: str, url: str, login: dict[str, Any], **options: Any) -> "redis.Redis":
    """Return a client of the primary that comma-separated Sentinels know by the host of a URL.

    Args:
        sentinels: Their addresses; they use TLS if the URL does.
        url: Without a login; its options apply to the primary.
        login: Options of the Sentinels' clients.
        options: Of the primary's client.

    Raises:
        ValueError, TypeError: An option after the `?` of the URL is wrong.
    """
    named = _parse(url)
    encrypted = {"ssl": True} if named.pop("connection_class", None) is not None else {}
    name = named.pop("host")
    tls = {key: value for key, value in options.items() if key.startswith("ssl_")}
    asking = {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S, **encrypted, **tls, **login}
    sentinel = Sentinels(addresses(sentinels), sentinel_kwargs=asking)
    client: redis.Redis = sentinel.master_for(name, FollowingClient, **{**named, **encrypted, **options})
    return client


def addresses(sentinels: str) -> list[tuple[str, int]]:
    """Return host and port of each of some comma-separated addresses."""
    found = [read_url(f"redis://{one.strip()}") for one in sentinels.split(",")]
    return [(address.host, address.port or DEFAULT_PORT) for address in found]


def name_of_primary(pool: SentinelConnectionPool) -> str:
    """Return what messages call the primary: its name, and its address once it is known."""
    address = pool.master_address
    where = "" if address is None else f" at {address[0]}:{address[1]}"
    return f"the primary {pool.service_name}{where}"
