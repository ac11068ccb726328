"""How long services that were disturbed take until they say that they can work again."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.hosts.processes import is_ready

LOOK_S = 0.2


@dataclass
class Awaited:
    """A disturbance that is not over.

    Attributes:
        hosts: The services that have not been ready since.
        began_s: In monotonic time.
    """

    kind: str
    hosts: set[str]
    began_s: float


class Recoveries:
    """Asks services that were disturbed how they are, in a thread of its own."""

    def __init__(self) -> None:
        self.ready_s: dict[str, list[float]] = defaultdict(list)
        self._awaited: list[Awaited] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def expect(self, kind: str, hosts: Sequence[str], began_s: float) -> None:
        """Note when all of some services are ready, which were disturbed at a moment."""
        with self._lock:
            self._awaited.append(Awaited(kind, set(hosts), began_s))

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            with self._lock:
                awaited = list(self._awaited)
            ready = {host for host in set().union(*(one.hosts for one in awaited)) if is_ready(host)}
            now_s = time.monotonic()
            for one in awaited:
                one.hosts -= ready
                if not one.hosts:
                    self.ready_s[one.kind].append(round(now_s - one.began_s, 1))
            with self._lock:
                self._awaited = [one for one in self._awaited if one.hosts]
