"""A camera's job, its state and its dependencies."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from ingest.clock import Clock, SystemClock
from ingest.config import IngestSettings
from ingest.errors import Broken, SourceError
from ingest.metrics import IngestMetrics
from ingest.source import Opener
from ingest.sources.opening import open_source
from wire.bus import Bus
from wire.messages import CameraSpec

STREAM_ENDED = f"the camera ended the stream; {Broken.usual_remedy}"


class State(StrEnum):
    """The state of a camera."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"  # connected, but nothing arrives
    BACKING_OFF = "backing off"
    STOPPED = "stopped"  # on request
    ENDED = "ended"  # a file that was read to its end
    FAILED = "failed"  # a file that cannot be read (any further)


FINAL = frozenset({State.STOPPED, State.ENDED, State.FAILED})


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera's state and its cause; `reconnects` counts lost and refused connections.

    `clock_offset_ns` is how far the camera's clock is ahead of this machine's; None if it does not state its time.
    `clock_drift_ratio` is how many seconds it gains in one of this machine's; None before a minute of it is known.
    """

    camera_id: str
    state: State
    cause: str
    reconnects: int
    clock_offset_ns: int | None = None
    clock_drift_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class CameraJob:
    """A camera that should run, and when its spec was sent, which is used if a file has no `start_ns`."""

    spec: CameraSpec
    sent_ns: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reading ended; of an error only its kind and text, as its traceback would keep the source in memory."""

    finite: bool
    kind: type[SourceError] | None
    text: str

    @classmethod
    def of(cls, error: SourceError | None, *, finite: bool) -> "Outcome":
        """Return the outcome of a reading that this error ended, or that came to its end."""
        return cls(finite, None if error is None else type(error), "" if error is None else error.explained())

    @property
    def cause(self) -> str:
        """Return the cause to report; the end of a live stream has one even without an error."""
        return self.text if self.kind is not None or self.finite else STREAM_ENDED

    def is_a(self, kind: type[SourceError]) -> bool:
        """Tell whether an error of this kind ended the reading."""
        return self.kind is not None and issubclass(self.kind, kind)


def start_of_file(job: CameraJob) -> int:
    """Return the capture time of the first frame of a file that is not played in real time."""
    return job.sent_ns if job.spec.start_ns is None else job.spec.start_ns


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The dependencies of a camera; `jitter` draws a number between 0 and its argument."""

    bus: Bus
    settings: IngestSettings
    metrics: IngestMetrics
    clock: Clock = field(default_factory=SystemClock)
    opener: Opener = open_source
    jitter: Callable[[float], float] = lambda ceiling: random.uniform(0, ceiling)


class Backoff:
    """Exponential back-off: each pause is between half and all of a ceiling that doubles."""

    def __init__(self, first_s: float, max_s: float, jitter: Callable[[float], float]) -> None:
        self._first_s = self._ceiling_s = first_s
        self._max_s = max_s
        self._jitter = jitter

    def next_s(self) -> float:
        """Return how long to wait now, and double the ceiling of the next pause."""
        ceiling = self._ceiling_s
        self._ceiling_s = min(2 * ceiling, self._max_s)
        return ceiling / 2 + self._jitter(ceiling / 2)

    def longest_s(self) -> float:
        """Return the longest pause, and keep it for later attempts."""
        self._ceiling_s = self._max_s
        return self.next_s()

    def reset(self) -> None:
        """Start again from the shortest pause."""
        self._ceiling_s = self._first_s
