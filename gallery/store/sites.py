"""All sites in one Redis."""

import logging
import math
import re
import time
from collections.abc import Callable

import redis

from gallery.errors import StoreUnavailable
from gallery.store.redis import RedisStore
from gallery.store.server import clock_risk, durability_risk, eviction_risk, translated_errors

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 30.0  # a site whose first rule is younger is watched once somebody is seen there
_ALERTING = re.compile(rb"climbtrack:\{(.+)\}:(?:zones|rules|alert-outputs)")


class RedisSites:
    """Opens the sites in one Redis; warns about a server that deletes people, as soon as it is reachable.

    With `writes`, it also warns about one that forgets what was written when it crashes.
    """

    def __init__(
        self, client: "redis.Redis", *, writes: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._risks = (clock_risk, eviction_risk, durability_risk) if writes else (clock_risk, eviction_risk)
        self._checked = False
        self._clock = clock
        self._with_alerts: list[str] = []
        self._looked_s = -math.inf

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
        """Return the sites that have zones, alert rules or outputs, as of at most `LOOK_AGAIN_S` ago, sorted.

        They are found by their keys: a key about all sites would lie on another node of a cluster.

        Raises:
            StoreUnavailable, StoreRefused: The server cannot be queried.
        """
        if self._clock() - self._looked_s >= LOOK_AGAIN_S:
            with translated_errors(self._client):
                found = (_ALERTING.fullmatch(key) for key in self._client.scan_iter("climbtrack:{*}:*", count=10_000))
                self._with_alerts = sorted({match[1].decode() for match in found if match})
            self._looked_s = self._clock()
        return self._with_alerts

    def _check(self) -> None:
        if self._checked:
            return
        for risk_of in self._risks:
            if risk := risk_of(self._client):
                log.warning("%s", risk)
        self._checked = True
