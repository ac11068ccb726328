"""When something was decided, over all sites: gaps, and when a disturbance was over."""

import threading
import time

import redis

from gallery.store.redis import RedisStore
from gallery.store.server import connect
from tests.bench.hosts.processes import FOLLOWED
from wire.errors import TransientError

LOOK_S = 0.1
ANSWER_S = 1.0


class Watch:
    """Looks at the versions of the sites all the time, in a thread of its own."""

    def __init__(self) -> None:
        self.sites: list[str] = []
        self.times: list[float] = []
        self.resting = True  # nothing is expected to be decided
        self.longest_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def next_after(self, since_s: float) -> float | None:
        """Return when something was decided for the first time after a moment."""
        return next((at for at in self.times if at > since_s), None)

    def has_decided_since(self, since_s: float) -> bool:
        """Tell whether something was decided after a moment."""
        return self.next_after(since_s) is not None

    def longest_gap_s(self) -> float:
        """Return the longest time in which nothing was decided since the last call."""
        found, self.longest_s = self.longest_s, 0.0
        return round(found, 1)

    def _run(self) -> None:
        client = connect(FOLLOWED, answer_s=ANSWER_S, connect_s=ANSWER_S)
        seen, last_s = 0, time.monotonic()
        while not self._stop.wait(LOOK_S):
            now = self._decided(client)
            if self.resting:
                last_s = time.monotonic()
            if now > seen:
                seen = now
                self.times.append(time.monotonic())
                self.longest_s, last_s = max(self.longest_s, self.times[-1] - last_s), self.times[-1]
        client.close()

    def _decided(self, client: "redis.Redis") -> int:
        try:
            return sum(RedisStore(client, site).learnt().version for site in self.sites)
        except TransientError:
            return 0
