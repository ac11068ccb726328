"""What time it is by the brokers' clock, and how far this machine's is ahead of it. Part of `wire.kafka`.

A broker stamps every record that it stores, and returns the stamp with its acknowledgement. The stamp was made between
sending and acknowledgement, so half of that time bounds the error; as in NTP (RFC 5905, section 10), the shortest way
there and back tells most. From then on our monotonic clock counts, so that setting the other one changes nothing.
Brokers are taken to agree with each other.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

KEPT_S = 60.0  # how long the best sample counts: clocks drift by some 10 us a second
APART_S = 2.0  # from which on it is said; a chunk lasts a fifth of a second, and live cameras may take 2 s


@dataclass(frozen=True, slots=True)
class _Sample:
    taken_s: float  # monotonic
    zero_ms: float  # the brokers' time when our monotonic clock was 0, ms since the Unix epoch
    error_s: float

    def contradicts(self, other: "_Sample") -> bool:
        return abs(self.zero_ms - other.zero_ms) / 1000 > self.error_s + other.error_s


class BrokerClock:
    """Compares this machine's clock with the brokers'; thread-safe."""

    def __init__(
        self,
        servers: str,
        *,
        time_ns: Callable[[], int] = time.time_ns,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.local_ns = time_ns
        self.monotonic_s = monotonic_s
        self._servers = servers
        self._lock = threading.Lock()
        self._best: _Sample | None = None
        self._told = False

    def ahead_s(self) -> float:
        """Return how many seconds this machine's clock is ahead; NaN while that is not known."""
        best = self._best
        return math.nan if best is None else (self.local_ns() - self._time_ns(best)) / 1e9

    def now_ns(self) -> int:
        """Return the time by the brokers' clock, by our own while that is not known, in ns since the Unix epoch."""
        best = self._best
        return self.local_ns() if best is None else self._time_ns(best)

    def stored(self, sent_ms: int, sent_s: float, stamp_ms: int) -> None:
        """Take note of a record that was acknowledged now.

        Args:
            sent_ms: When it was sent, by our clock.
            sent_s: The same by the monotonic clock.
            stamp_ms: Its stamp; ours itself, which tells nothing, on a topic that keeps those of who sends.
        """
        if stamp_ms == sent_ms:
            return
        now_s = self.monotonic_s()
        error_s = (now_s - sent_s) / 2 + 0.001  # stamps are in ms
        sample = _Sample(now_s, stamp_ms - 500 * (sent_s + now_s), error_s)
        with self._lock:
            best = self._best
            if (
                best is None
                or sample.error_s <= best.error_s
                or now_s - best.taken_s > KEPT_S
                or sample.contradicts(best)  # the brokers' clock was set, or this machine slept
            ):
                self._best = best = sample
            self._tell(best)

    def _time_ns(self, sample: _Sample) -> int:
        return round((sample.zero_ms + 1000 * self.monotonic_s()) * 1e3) * 1000

    def _tell(self, sample: _Sample) -> None:
        """Log that the clocks are apart, once, and that they agree again."""
        ahead_s = (self.local_ns() - self._time_ns(sample)) / 1e9
        is_apart = abs(ahead_s) - sample.error_s > APART_S
        if is_apart and not self._told:
            word = "ahead of" if ahead_s > 0 else "behind"
            log.warning(
                "the clock of this machine is %.1f s %s that of Kafka at %s: let all machines follow one time server"
                " (`timedatectl` and `chronyc tracking` say whether one does)",
                abs(ahead_s),
                word,
                self._servers,
            )
        elif self._told and not is_apart:
            log.warning("the clocks of this machine and of Kafka at %s agree again", self._servers)
        self._told = is_apart
