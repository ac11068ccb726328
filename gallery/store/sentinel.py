"""The primary that Redis Sentinels name; every new connection asks them, so a failover is followed by reconnecting."""

from typing import Any

import redis
from redis import connection
from redis.sentinel import Sentinel, SentinelConnectionPool

from wire.url import read_url

DEFAULT_PORT = 26379
ANSWER_S = 1.0  # a Sentinel that is away must not delay the question to the next one

_parse: Any = connection.parse_url  # the library has no types for these two
_Sentinel: Any = Sentinel


class FollowingClient(redis.Redis):
    """A client of whichever server is the primary now; closing it closes its connections to the Sentinels, too."""

    def close(self) -> None:
        """Close all connections."""
        super().close()
        pool = self.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            pool.sentinel_manager.close()


def follow(sentinels: str, url: str, **options: Any) -> "redis.Redis":
    """Return a client of the primary that comma-separated Sentinels know by the host of a URL.

    Args:
        sentinels: Their addresses; they use TLS if the URL does, and no login.
        url: Without a login; its options apply to the primary.
        options: Of the client.

    Raises:
        ValueError, TypeError: An option after the `?` of the URL is wrong.
    """
    named = _parse(url)
    encrypted = {"ssl": True} if named.pop("connection_class", None) is not None else {}
    name = named.pop("host")
    tls = {key: value for key, value in options.items() if key.startswith("ssl_")}
    asking = {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S, **encrypted, **tls}
    sentinel = _Sentinel(addresses(sentinels), sentinel_kwargs=asking)
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
