"""All sites of one Redis."""

import logging

import redis

from gallery.errors import StoreUnavailable
from gallery.store.redis import RedisStore
from gallery.store.server import eviction_risk

log = logging.getLogger(__name__)


class RedisSites:
    """Opens the sites in one Redis; warns of a server that forgets people as soon as it can be asked."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._checked = False

    def check(self) -> None:
        """Look at the server before there is any site; one that is away is looked at later.

        Raises:
            StoreRefused: It does not let us in.
        """
        try:
            self._check()
        except StoreUnavailable as error:
            log.warning("%s; waiting for it", error)

    def open(self, site_id: str) -> RedisStore:
        """Return the store of a site.

        Raises:
            StoreUnavailable, StoreRefused: The server cannot be asked.
        """
        self._check()
        return RedisStore(self._client, site_id)

    def _check(self) -> None:
        if self._checked:
            return
        risk = eviction_risk(self._client)
        if risk:
            log.warning("%s", risk)
        self._checked = True
