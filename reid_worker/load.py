"""What the worker spends its time on."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wire.metrics import ServiceMetrics


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """The load since the last look.

    Attributes:
        saturation: Share of the time in which there was work, in [0, 1].
        slowest: The stage that took most of the time; empty if there was none.
    """

    saturation: float
    slowest: str


class Load:
    """Times the stages, for the metrics and to name the slowest."""

    def __init__(self, metrics: ServiceMetrics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = defaultdict(float)
        self._working_s = 0.0
        self._since_s = clock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of the `with` block as one call of a stage; any thread may."""
        began_s = self._clock()
        with self._metrics.stage(name):
            yield
        with self._lock:
            self._seconds[name] += self._clock() - began_s

    @contextmanager
    def work(self) -> Iterator[None]:
        """Count the body of the `with` block as time in which there was work."""
        began_s = self._clock()
        yield
        self._working_s += self._clock() - began_s

    def figures(self) -> LoadFigures:
        """Return the load since the last call."""
        now_s = self._clock()
        with self._lock:
            seconds, self._seconds = self._seconds, defaultdict(float)
        figures = LoadFigures(
            saturation=min(self._working_s / max(now_s - self._since_s, 1e-9), 1.0),
            slowest=max(seconds, key=lambda stage: seconds[stage], default=""),
        )
        self._working_s, self._since_s = 0.0, now_s
        return figures
