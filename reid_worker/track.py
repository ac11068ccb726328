"""ByteTrack (Zhang et al., ECCV 2022) from the `trackers` library, with state that can be saved; one per camera stream.

Each instance issues ids from 0, which are only valid within its stream.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
import supervision
from numpy.typing import NDArray
from trackers import ByteTrackTracker
from trackers.core.bytetrack.tracklet import ByteTrackTracklet

from reid_worker.detectors.detection import Detections

_LIBRARY_RATE = 30.0  # the library counts `lost_track_buffer` in frames at 30 fps, whatever the frame rate


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """How detections become tracks.

    Attributes:
        start_score: Lowest score of a detection that starts a track.
        high_score: Detections with at least this score are matched first; weaker ones only continue tracks.
        match_iou: Lowest IoU of a detection with the predicted box of its track.
        lost_s: How long a track is kept after its person disappears.
    """

    start_score: float = 0.5
    high_score: float = 0.5
    match_iou: float = 0.1
    lost_s: float = 1.0


class TrackState(msgspec.Struct, frozen=True, array_like=True):
    """One track of the library's tracker: its id and counters, and the state of its Kalman filter (float64 bytes)."""

    track_id: int
    age: int
    missed_frames: int
    missed_s: float
    hits: int
    mean: bytes
    covariance: bytes


class TrackerState(msgspec.Struct, frozen=True, array_like=True):
    """The state of a tracker."""

    next_id: int
    last_s: float | None
    tracks: tuple[TrackState, ...]


class Tracker:
    """Tracks the people of one stream."""

    def __init__(self, options: TrackerOptions, fps: float, state: TrackerState | None = None) -> None:
        self._tracker = ByteTrackTracker(
            lost_track_buffer=max(round(options.lost_s * _LIBRARY_RATE), 1),
            frame_rate=fps,
            track_activation_threshold=options.start_score,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=options.match_iou,
            high_conf_det_threshold=options.high_score,
        )
        if state is not None:
            self._restore(state)

    def update(self, found: Detections, time_s: float) -> NDArray[np.int64]:
        """Advance to a later frame; return the track id of each detection, -1 for none (yet)."""
        ids = np.full(len(found), -1, np.int64)
        followed = self._tracker.update(
            supervision.Detections(
                xyxy=found.boxes.astype(np.float64),
                confidence=found.scores.astype(np.float64),
                data={"index": np.arange(len(found))},
            ),
            timestamp=time_s,
        )
        if len(followed):
            ids[followed.data["index"]] = followed.tracker_id
        return ids

    def alive(self) -> set[int]:
        """Return the ids of all tracks that are visible or may still reappear."""
        return {int(track.tracker_id) for track in self._tracker.tracks if track.tracker_id >= 0}

    def save(self) -> TrackerState:
        """Return everything that the next update depends on."""
        inner = vars(self._tracker)  # the library cannot save its state; its version is pinned by the golden test
        return TrackerState(inner["_next_track_id"], inner["_last_timestamp"], tuple(map(_save, self._tracker.tracks)))

    def _restore(self, state: TrackerState) -> None:
        vars(self._tracker).update(_next_track_id=state.next_id, _last_timestamp=state.last_s)
        self._tracker.tracks = [_load(track) for track in state.tracks]


def _save(track: ByteTrackTracklet) -> TrackState:
    kalman = track.state_estimator.kf
    return TrackState(
        int(track.tracker_id),
        track.age,
        track.time_since_update,
        track.time_since_update_seconds,
        track.number_of_successful_consecutive_updates,
        kalman.state.tobytes(),
        kalman.state_covariance.tobytes(),
    )


def _load(saved: TrackState) -> ByteTrackTracklet:
    mean = np.frombuffer(saved.mean).reshape(-1, 1).copy()
    track = ByteTrackTracklet(initial_bbox=mean[:4, 0])
    track.tracker_id = saved.track_id
    track.age = saved.age
    track.time_since_update = saved.missed_frames
    track.time_since_update_seconds = saved.missed_s
    track.number_of_successful_consecutive_updates = saved.hits
    kalman = track.state_estimator.kf
    kalman.state = mean
    kalman.state_covariance = np.frombuffer(saved.covariance).reshape(len(mean), -1).copy()
    return track
