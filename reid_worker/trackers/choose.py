"""Makes the tracker that a setting names."""

from reid_worker.trackers.appearance import AppearanceTracker
from reid_worker.trackers.interface import Tracker, TrackerOptions, TrackerState
from reid_worker.trackers.library import LibraryTracker


def new_tracker(options: TrackerOptions, fps: float, state: TrackerState | None = None) -> Tracker:
    """Return a tracker of a stream, in a saved state; tracks of another tracker go on from their latest boxes.

    Args:
        fps: Most frames per second that it will be given.

    Raises:
        ValueError, LookupError: The state is damaged.
    """
    if options.name == "appearance":
        return AppearanceTracker(options, state)
    return LibraryTracker(options, fps, state)
