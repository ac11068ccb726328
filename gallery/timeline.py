"""Group a site's tracklets into windows of event time, and determine when a window is complete.

A tracklet belongs to the window not of its last box, since a track is closed seconds after the person left, but of the
next progress that its camera reports: a time that does not depend on how records of different cameras interleave. A
window is due when every camera that is waited for has progressed to its end. A worker reports one time for all live
cameras that it analysed together, and windows of live cameras have no length, so people are known as soon as these
reports are there; windows of both kinds are decided in the order in which they end. No I/O; the clock is an argument.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from wire.message import Mode
from wire.messages import CameraProgress, Tracklet

PATIENCE = 10


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """A revision of a tracklet, and the offset of its record, or of the first record that is needed with it."""

    tracklet: Tracklet
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The updates of one window, in no particular order, and the event time at which it ends, which identifies it.

    `waited_s` is the wall-clock time since it opened; `mode` is `complete` if any camera that is read is in that mode.
    """

    end_ns: int
    updates: tuple[Update, ...]
    waited_s: float
    mode: Mode


@dataclass(frozen=True, slots=True)
class Waiting:
    """Length of windows, and how long to wait for cameras; see `GallerySettings`.

    A camera in `latency` mode that has not progressed for `latency_wait_s`, and is that far behind, is not waited for
    at all: one that is switched off would delay every window. A camera in `complete` mode is no longer waited for when
    no camera of the site has progressed for `complete_wait_s`, or when it has been silent for `PATIENCE` times as long
    while others progress: a worker may read files one by one.
    """

    window_ns: int = 1_000_000_000
    live_window_ns: int = 0
    latency_wait_s: float = 2.0
    complete_wait_s: float = 30.0


@dataclass(slots=True)
class _Camera:
    mode: Mode
    progressed_s: float  # clock time when it last progressed, or was first expected
    time_ns: int = -1
    ended: bool = False
    offset: int | None = None  # of the report that said so


class Timeline:
    """Collects the updates of one site until their window is due; not thread-safe."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._cameras: dict[str, _Camera] = {}
        self._progressed_s = -math.inf  # when any camera last progressed
        self._listed: set[str] = set()
        self._known: set[tuple[str, int]] = set()  # tracklet_id and revision of all undecided updates
        self._unsealed: dict[str, list[Update]] = {}  # by camera
        self._windows: dict[int, list[Update]] = {}  # by end
        self._opened_s: dict[int, float] = {}

    def expect(self, cameras: Mapping[str, Mode], now_s: float) -> None:
        """Wait for these cameras, and stop waiting for those that are no longer listed."""
        for camera_id in self._listed - set(cameras):
            self._seal(camera_id, None, now_s)
            self._cameras.pop(camera_id, None)
        self._listed = set(cameras)
        for camera_id, mode in cameras.items():
            self._cameras.setdefault(camera_id, _Camera(mode, now_s))

    def restore(self, camera_id: str, mode: Mode, report: tuple[int, int], now_s: float, *, ended: bool) -> None:
        """Restore the offset and time of the last report of a camera before a restart."""
        offset, time_ns = report
        self._cameras[camera_id] = _Camera(mode, now_s, time_ns, ended, offset)

    def update(self, update: Update) -> None:
        """Add a revision of a tracklet; adding it again has no effect.

        It needs the last report of its camera, too: after a restart, an older report that comes again would otherwise
        be taken for news, and put the tracklet into another window.
        """
        key = _key(update)
        if key not in self._known:
            self._known.add(key)
            camera = self._cameras.get(update.tracklet.camera_id)
            if camera is not None and camera.offset is not None and camera.offset < update.offset:
                update = Update(update.tracklet, camera.offset)
            self._unsealed.setdefault(update.tracklet.camera_id, []).append(update)

    def progress(self, progress: CameraProgress, now_s: float, offset: int) -> bool:
        """Record the progress of a camera; return False for a report that is not later than the last one: no effect."""
        camera = self._cameras.setdefault(progress.camera_id, _Camera(progress.mode, now_s))
        camera.mode = progress.mode
        if progress.moment_ns <= camera.time_ns and progress.ended == camera.ended:
            return False
        camera.ended, camera.offset = progress.ended, offset
        camera.time_ns = max(camera.time_ns, progress.moment_ns)
        camera.progressed_s = self._progressed_s = now_s
        self._seal(progress.camera_id, progress.moment_ns, now_s)
        return True

    def due(self, now_s: float) -> Window | None:
        """Return the earliest window if it is due; it is kept until `done`."""
        if not self._windows:
            return None
        end_ns = min(self._windows)
        if any(self._blocks(camera, end_ns, now_s) for camera in self._cameras.values()):
            return None
        return Window(end_ns, tuple(self._windows[end_ns]), now_s - self._opened_s[end_ns], self._mode())

    def done(self, window: Window) -> None:
        """Remove a window that was decided."""
        self._known -= {_key(update) for update in window.updates}
        left = [update for update in self._windows.pop(window.end_ns, []) if update not in window.updates]
        if left:
            self._windows[window.end_ns] = left
        else:
            self._opened_s.pop(window.end_ns, None)

    def needed_from(self) -> int | None:
        """Return the first offset that is not decided yet."""
        waiting = [update.offset for updates in self._unsealed.values() for update in updates]
        return min(waiting + [u.offset for window in self._windows.values() for u in window], default=None)

    def waiting(self) -> int:
        """Return how many updates are not decided yet."""
        return len(self._known)

    def _mode(self) -> Mode:
        modes = {camera.mode for camera in self._cameras.values() if not camera.ended}
        return "complete" if "complete" in modes or not modes else "latency"

    def _seal(self, camera_id: str, time_ns: int | None, now_s: float) -> None:
        """Put a camera's updates into the window of `time_ns`, or each into that of its last box."""
        updates = self._unsealed.pop(camera_id, [])
        is_live = camera_id in self._cameras and self._cameras[camera_id].mode == "latency"
        length_ns = self._waiting.live_window_ns if is_live else self._waiting.window_ns
        for update in updates:
            moment_ns = update.tracklet.last_ns if time_ns is None else time_ns
            end_ns = (moment_ns // length_ns + 1) * length_ns if length_ns else moment_ns
            self._windows.setdefault(end_ns, []).append(update)
            self._opened_s.setdefault(end_ns, now_s)

    def _blocks(self, camera: _Camera, end_ns: int, now_s: float) -> bool:
        if camera.ended or camera.time_ns >= end_ns:
            return False
        if camera.mode == "latency":
            wait_s = self._waiting.latency_wait_s
            is_gone = end_ns - camera.time_ns >= wait_s * 1e9 and self._is_silent(camera, now_s)
            return not is_gone and now_s - self._opened_s[end_ns] < wait_s
        return not self._is_silent(camera, now_s)

    def _is_silent(self, camera: _Camera, now_s: float) -> bool:
        silent_s = now_s - camera.progressed_s
        if camera.mode == "latency":
            return silent_s >= self._waiting.latency_wait_s
        if silent_s >= PATIENCE * self._waiting.complete_wait_s:
            return True
        return min(silent_s, now_s - self._progressed_s) >= self._waiting.complete_wait_s


def _key(update: Update) -> tuple[str, int]:
    return update.tracklet.tracklet_id, update.tracklet.revision
