"""How late identities are known, computed from the times at which records were sent; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from gallery.decision.events import version_of
from wire.bus import Record
from wire.messages import AnyMessage, CameraProgress, IdentityEvent, Tracklet

DECIDED = {"created", "matched", "updated"}  # events by which a tracklet is, or still is, an identity


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of times, in seconds."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self | None:
        """Return the distribution of some times; None if there are none."""
        if not seconds:
            return None
        p50, p95, p99 = np.percentile(seconds, [50, 95, 99])
        return cls(len(seconds), *(round(float(value), 2) for value in (p50, p95, p99, max(seconds))))


@dataclass(frozen=True, slots=True)
class _Decided:
    """An emission that somebody was decided by: its window, which report of all closed it, the version, the delay."""

    window_ns: int
    report: int
    version: int
    seconds: float


_OWN_WINDOW = (np.iinfo(np.int64).max, -1)  # of an emission whose event came before the report that closes its window


@dataclass(slots=True)
class Delays:
    """Collects the delays of live cameras from tracklets, progress and events, given in the order they were sent.

    Attributes:
        first_identity: From the capture of a tracklet's first box to its first identity: how long somebody is in the
            picture before they are known.
        identity: From the capture of the latest box that an identity was decided or confirmed by to that event.
        first_tracklet: The part of `first_identity` up to the tracklet's first emission.
        people: Identities created.
    """

    first_identity: list[float] = field(default_factory=list)
    identity: list[float] = field(default_factory=list)
    first_tracklet: list[float] = field(default_factory=list)
    people: int = 0
    _sent: dict[str, tuple[Tracklet, int]] = field(default_factory=dict)  # by tracklet: the latest one, when sent
    _known: set[str] = field(default_factory=set)
    _numbers: dict[str, int] = field(default_factory=dict)  # by tracklet
    _progress: dict[tuple[str, str], CameraProgress] = field(default_factory=dict)
    _decided: list[_Decided] = field(default_factory=list)
    _open: dict[str, list[str]] = field(default_factory=dict)  # by camera: tracklets sent since its last report
    _windows: dict[str, tuple[int, int]] = field(default_factory=dict)  # by tracklet: end, and which report closed it
    _moments: dict[str, int] = field(default_factory=dict)  # by camera: of its last report
    _reports: int = 0

    def add(self, message: AnyMessage, record: Record) -> None:
        """Take note of the next message of `tracklets` or `identities`."""
        if isinstance(message, Tracklet):
            if message.tracklet_id not in self._sent:
                self.first_tracklet.append(_seconds(message.first_ns, record.time_ns))
            self._sent[message.tracklet_id] = (message, record.time_ns)
            self._windows.pop(message.tracklet_id, None)
            self._open.setdefault(message.camera_id, []).append(message.tracklet_id)
        elif isinstance(message, CameraProgress):
            self._progress[message.camera_id, message.stream_id] = message
            self._close_window(message)
        elif isinstance(message, IdentityEvent):
            self._number(message)
            if message.kind in DECIDED and message.tracklet_id in self._sent:
                self._add_event(message, record.time_ns)

    def decision(self) -> list[float]:
        """Return the times from each emission to the event by which its own window decided it."""
        return [one.seconds for one, late in zip(self._decided, self._passed_over(), strict=True) if not late]

    def second_sighting(self) -> list[float]:
        """Return the times from an emission that was not enough to be somebody to the event of a later window.

        A glimpse waits until somebody like that is seen again, for half a minute at most: the gallery knew it at once.
        """
        return [one.seconds for one, late in zip(self._decided, self._passed_over(), strict=True) if late]

    def analysed_share(self) -> Mapping[str, float]:
        """Return the analysed share of the frames that every camera sent."""
        frames: dict[str, int] = {}
        analysed: dict[str, int] = {}
        for (camera, _), progress in self._progress.items():
            frames[camera] = frames.get(camera, 0) + progress.frames
            analysed[camera] = analysed.get(camera, 0) + progress.analysed
        return {camera: round(analysed[camera] / max(count, 1), 3) for camera, count in sorted(frames.items())}

    def numbered(self) -> list[tuple[Tracklet, int]]:
        """Return the latest emission of every tracklet that is somebody, and their number at the end."""
        return [(self._sent[name][0], number) for name, number in self._numbers.items() if name in self._sent]

    def _passed_over(self) -> list[bool]:
        """Say of everything decided whether its own window had left it open.

        Windows are decided in the order in which they end. So that of a tracklet was over if one that ends later, and
        was closed no sooner, was decided before its event or by the same decision.
        """
        columns = [(one.window_ns, one.report, one.version) for one in self._decided]
        windows, reports, versions = np.array(columns, np.int64).reshape(-1, 3).T
        return [
            bool(np.any((windows > one.window_ns) & (reports >= one.report) & (versions <= one.version)))
            for one in self._decided
        ]

    def _close_window(self, progress: CameraProgress) -> None:
        """Note to which window the tracklets of a camera belong, as `gallery.timeline` does."""
        if progress.moment_ns <= self._moments.get(progress.camera_id, -1) and not progress.ended:
            return
        self._moments[progress.camera_id] = progress.moment_ns
        self._reports += 1
        window = progress.moment_ns, self._reports
        self._windows.update(dict.fromkeys(self._open.pop(progress.camera_id, []), window))

    def _number(self, event: IdentityEvent) -> None:
        if event.kind == "merged":
            gone = set(event.previous_ids)
            united = {name: event.identity_id for name, number in self._numbers.items() if number in gone}
            self._numbers.update(united)
        elif event.tracklet_id:
            self._numbers[event.tracklet_id] = event.identity_id

    def _add_event(self, event: IdentityEvent, sent_ns: int) -> None:
        tracklet, tracklet_ns = self._sent[event.tracklet_id]
        self.people += event.kind == "created"
        window_ns, report = self._windows.get(event.tracklet_id, _OWN_WINDOW)
        self._decided.append(_Decided(window_ns, report, version_of(event.event_id), _seconds(tracklet_ns, sent_ns)))
        if not tracklet.closed:  # the end of a track is noticed only when somebody was lost for a while
            self.identity.append(_seconds(tracklet.last_ns, sent_ns))
        if event.tracklet_id not in self._known:
            self._known.add(event.tracklet_id)
            self.first_identity.append(_seconds(tracklet.first_ns, sent_ns))


def _seconds(begin_ns: int, end_ns: int) -> float:
    return (end_ns - begin_ns) / 1e9
