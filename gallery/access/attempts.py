"""Bound how often passwords are tried, in bounded memory."""

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress

from gallery.access.errors import TooManyTries

MOST = 10  # failed attempts in `WITHIN_S`, for one user and for one address
WITHIN_S = 60.0
MAX_KEYS = 10_000  # users and addresses remembered; beyond, those tried longest ago are forgotten


class Attempts:
    """Counts failed attempts by user and by address. Thread-safe."""

    def __init__(self, *, most: int = MOST, keys: int = MAX_KEYS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._max_keys = keys
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, *keys: str) -> None:
        """Count an attempt as failed until `succeeded` says otherwise, so that attempts at the same time count, too.

        Raises:
            TooManyTries: One of the keys has failed too often; this attempt is not counted.
        """
        with self._lock:
            now = self._clock()
            waits = [self._wait_s(key, now) for key in keys]
            if max(waits) > 0:
                raise TooManyTries(max(waits))
            for key in keys:
                self._failed.setdefault(key, deque()).append(now)
                self._failed.move_to_end(key)
            while len(self._failed) > self._max_keys:
                self._failed.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Take back the last attempt of each key."""
        with self._lock:
            for key in keys:
                with suppress(KeyError, IndexError):
                    self._failed[key].pop()

    def _wait_s(self, key: str, now: float) -> float:
        times = self._failed.get(key, deque())
        while times and times[0] <= now - WITHIN_S:
            times.popleft()
        return times[0] + WITHIN_S - now if len(times) >= self._most else 0.0


class Proven:
    """Remembers credentials that were right, by their digests; bounded. Thread-safe."""

    def __init__(self, most: int = MAX_KEYS) -> None:
        self._most = most
        self._digests: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def has(self, digest: str) -> bool:
        """Tell whether a credential was right the last time."""
        with self._lock:
            return digest in self._digests

    def add(self, digest: str) -> None:
        """Remember a credential."""
        with self._lock:
            self._digests[digest] = None
            while len(self._digests) > self._most:
                self._digests.popitem(last=False)

    def forget(self, digest: str) -> None:
        """Forget a credential that is wrong now."""
        with self._lock:
            self._digests.pop(digest, None)


def network_of(address: str) -> str:
    """Return what attempts from an address are counted under: the address, of IPv6 the first 64 bits."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))
