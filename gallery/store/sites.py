"""All sites in one Redis."""

import logging
from typing import Any

import redis

from gallery.errors import StoreUnavailable
from gallery.store.alerting_redis import SITES
from gallery.store.redis import RedisStore
from gallery.store.server import durability_risk, eviction_risk, translated_errors

log = logging.getLogger(__name__)


class RedisSites:
    """Opens the sites in one Redis; warns about a server that deletes people, as soon as it is reachable.

    With `writes`, it also warns about one that forgets what was written when it crashes.
    """

    def __init__(self, client: "redis.Redis", *, writes: bool = False) -> None:
        self._client = client
        self._risks = (eviction_risk, durability_risk) if writes else (eviction_risk,)
        self._checked = False

    def check(self) -> None:
        """Check the server before any site is opened; if it is unreachable, it is checked later.

        Raises:
            StoreRefused: The server refuses access.
        """
        try:
            self._check()
        except StoreUnavailable as error:
            log.warning("%s; waiting for it", error)

    def open(self, site_id: str) -> RedisStore:
        """Return the store of a site.

        Raises:
            StoreUnavailable, StoreRefused: The server cannot be queried.
        """
        self._check()
        return RedisStore(self._client, site_id)

    def names(self) -> list[str]:
        """Return the sites that were written, sorted; visits every key of the server, so it is for messages only.

        Raises:
            StoreUnavailable, StoreRefused: The server cannot be queried.
        """
        with translated_errors(self._client):
            keys = list(self._client.scan_iter(match="climbtrack:{*}:meta", count=10_000))
        return sorted(key.decode().removeprefix("climbtrack:{").removesuffix("}:meta") for key in keys)

    def with_alerts(self) -> list[str]:
        """Return the sites that have zones, alert rules or outputs, sorted.

        Raises:
            StoreUnavailable, StoreRefused: The server cannot be queried.
        """
        with translated_errors(self._client):
            found: Any = self._client.smembers(SITES)
        return sorted(name.decode() for name in found)

    def _check(self) -> None:
        if self._checked:
            return
        for risk_of in self._risks:
            if risk := risk_of(self._client):
                log.warning("%s", risk)
        self._checked = True
