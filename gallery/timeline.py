"""When is a moment complete? Groups a site's tracklets into windows of event time. No I/O; the clock is an argument.

A tracklet's moment is not its last box: a track is closed seconds after the person left. It is the first progress that
its camera reports after it, a time that is the same however the records of different cameras interleave. A window is
due when every camera that is waited for has progressed past its end.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from wire.messages import CameraProgress, Mode, Tracklet

PATIENCE = 10


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """A revision of a tracklet, and the offset it stands at."""

    tracklet: Tracklet
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The updates of one window, in no order, and the event time at which it ends."""

    index: int
    end_ns: int
    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How windows are cut, and how long a camera is waited for; see `GallerySettings`.

    A camera in `complete` mode is given up when no camera of the site has progressed for `complete_wait_s`, or when it
    has said nothing for `PATIENCE` times as long while others go on: a worker may take files one after the other.
    """

    window_ns: int = 1_000_000_000
    latency_wait_s: float = 2.0
    complete_wait_s: float = 30.0


@dataclass(slots=True)
class _Camera:
    mode: Mode
    heard_s: float  # clock when it last progressed, or was first expected
    time_ns: int = -1
    ended: bool = False


class Timeline:
    """Collects the updates of one site until their window is due; not thread-safe."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._cameras: dict[str, _Camera] = {}
        self._heard_s = -math.inf  # when any camera last progressed
        self._listed: set[str] = set()
        self._known: set[tuple[str, int]] = set()  # tracklet_id and revision of all that waits
        self._unsealed: dict[str, list[Update]] = {}  # by camera
        self._windows: dict[int, list[Update]] = {}
        self._opened_s: dict[int, float] = {}

    def expect(self, cameras: Mapping[str, Mode], now_s: float) -> None:
        """Wait for these cameras, and no longer for those that were listed before and are not any more."""
        for camera_id in self._listed - set(cameras):
            self._seal(camera_id, None, now_s)
            self._cameras.pop(camera_id, None)
        self._listed = set(cameras)
        for camera_id, mode in cameras.items():
            self._cameras.setdefault(camera_id, _Camera(mode, now_s))

    def restore(self, progress: CameraProgress, now_s: float) -> None:
        """Take over what a camera had reported before a restart."""
        self._cameras[progress.camera_id] = _Camera(progress.mode, now_s, progress.time_ns, progress.ended)

    def update(self, update: Update) -> None:
        """Add a revision of a tracklet; what is here already changes nothing."""
        key = _key(update)
        if key not in self._known:
            self._known.add(key)
            self._unsealed.setdefault(update.tracklet.camera_id, []).append(update)

    def progress(self, progress: CameraProgress, now_s: float) -> None:
        """Note how far a camera is; a report that is not later than the last one changes nothing."""
        camera = self._cameras.setdefault(progress.camera_id, _Camera(progress.mode, now_s))
        camera.mode = progress.mode
        if progress.time_ns <= camera.time_ns and progress.ended == camera.ended:
            return
        camera.ended = progress.ended
        camera.time_ns = max(camera.time_ns, progress.time_ns)
        camera.heard_s = self._heard_s = now_s
        self._seal(progress.camera_id, progress.time_ns, now_s)

    def due(self, now_s: float) -> Window | None:
        """Return the earliest window if it is due; it stays until it is done."""
        if not self._windows:
            return None
        index = min(self._windows)
        end_ns = (index + 1) * self._waiting.window_ns
        if any(self._blocks(camera, end_ns, index, now_s) for camera in self._cameras.values()):
            return None
        return Window(index, end_ns, tuple(self._windows[index]))

    def done(self, window: Window) -> None:
        """Forget a window that was decided."""
        self._known -= {_key(update) for update in window.updates}
        left = [update for update in self._windows.pop(window.index, []) if update not in window.updates]
        if left:
            self._windows[window.index] = left
        else:
            self._opened_s.pop(window.index, None)

    def needed_from(self) -> int | None:
        """Return the first offset that is not decided yet."""
        waiting = [update.offset for updates in self._unsealed.values() for update in updates]
        return min(waiting + [u.offset for window in self._windows.values() for u in window], default=None)

    def waiting(self) -> int:
        """Return how many updates are not decided yet."""
        return len(self._known)

    def _seal(self, camera_id: str, time_ns: int | None, now_s: float) -> None:
        """Put a camera's updates into the window of `time_ns`, or each into that of its last box."""
        for update in self._unsealed.pop(camera_id, []):
            moment_ns = update.tracklet.last_ns if time_ns is None else time_ns
            index = moment_ns // self._waiting.window_ns
            self._windows.setdefault(index, []).append(update)
            self._opened_s.setdefault(index, now_s)

    def _blocks(self, camera: _Camera, end_ns: int, index: int, now_s: float) -> bool:
        if camera.ended or camera.time_ns >= end_ns:
            return False
        if camera.mode == "latency":
            return now_s - self._opened_s[index] < self._waiting.latency_wait_s
        return not self._is_silent(camera, now_s)

    def _is_silent(self, camera: _Camera, now_s: float) -> bool:
        silent_s = now_s - camera.heard_s
        if camera.mode == "latency":
            return silent_s >= self._waiting.latency_wait_s
        if silent_s >= PATIENCE * self._waiting.complete_wait_s:
            return True
        return min(silent_s, now_s - self._heard_s) >= self._waiting.complete_wait_s


def _key(update: Update) -> tuple[str, int]:
    return update.tracklet.tracklet_id, update.tracklet.revision
