"""ByteTrack (Zhang et al., ECCV 2022), BoT-SORT (Aharon et al., 2022) without its appearance model, OC-SORT (Cao et
al., CVPR 2023) and McByte (Stanczyk and Bremond, 2024) without its masks, from the `trackers` library, with state that
can be saved.

McByte's masks would need the weights and the running time of two segmentation networks.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import supervision
from numpy.typing import NDArray
from trackers import BoTSORTTracker, ByteTrackTracker, McByteTracker, OCSORTTracker
from trackers.core.base import BaseTracker
from trackers.core.botsort.tracklet import BoTSORTTracklet
from trackers.core.bytetrack.tracklet import ByteTrackTracklet
from trackers.core.mcbyte.tracklet import McByteTracklet
from trackers.core.ocsort.tracklet import OCSORTTracklet
from trackers.utils.base_tracklet import BaseTracklet

from reid_worker.detectors.detection import Detections
from reid_worker.trackers.interface import TrackerName, TrackerOptions, TrackerState, TrackState, View

_LIBRARY_RATE = 30.0  # the library counts `lost_track_buffer` in frames at 30 fps, whatever the frame rate


class LibraryTracker:
    """Tracks the people of one stream by boxes alone; pictures are not looked at."""

    def __init__(self, options: TrackerOptions, fps: float, state: TrackerState | None = None) -> None:
        self._name: TrackerName = options.name
        self._tracker = _MAKE[options.name](options, fps)
        if state is not None:
            vars(self._tracker).update(_next_track_id=state.next_id, _last_timestamp=state.last_s)
            vars(self._tracker).update({_frame_counter(self._tracker): state.frames})
            load = _LOAD[options.name] if state.name == options.name else _begun
            self._tracker.tracks = [load(options.name, track) for track in state.tracks]

    def update(self, found: Detections, time_s: float, view: View | None = None) -> NDArray[np.int64]:  # noqa: ARG002
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

    def remembered(self) -> set[int]:
        """Return the same: the library forgets tracks when they end."""
        return self.alive()

    def forget_pictures(self) -> None:
        """Do nothing: boxes are all there is."""

    def save(self) -> TrackerState:
        """Return everything that the next update depends on."""
        inner = vars(self._tracker)  # the library cannot save its state; its version is pinned by the golden test
        tracks = tuple(_save(track) for track in self._tracker.tracks)
        frames = int(inner.get(_frame_counter(self._tracker), 0))
        return TrackerState(inner["_next_track_id"], inner["_last_timestamp"], tracks, self._name, frames)


def _bytetrack(options: TrackerOptions, fps: float) -> BaseTracker:
    return ByteTrackTracker(
        lost_track_buffer=_buffer(options),
        frame_rate=fps,
        track_activation_threshold=options.start_score,
        minimum_consecutive_frames=1,
        minimum_iou_threshold=options.match_iou,
        high_conf_det_threshold=options.high_score,
    )


def _botsort(options: TrackerOptions, fps: float) -> BaseTracker:
    return BoTSORTTracker(**_in_two_stages(options, fps))


def _mcbyte(options: TrackerOptions, fps: float) -> BaseTracker:
    return McByteTracker(**_in_two_stages(options, fps))


def _in_two_stages(options: TrackerOptions, fps: float) -> dict[str, Any]:
    """Return the arguments of trackers that associate confident boxes first, then the others."""
    return {
        "lost_track_buffer": _buffer(options),
        "frame_rate": fps,
        "track_activation_threshold": options.start_score,
        "minimum_consecutive_frames": 1,
        "minimum_iou_threshold_first_assoc": options.match_iou,
        "minimum_iou_threshold_second_assoc": options.match_iou,
        "high_conf_det_threshold": options.high_score,
        "enable_cmc": False,  # cameras stand still
    }


def _ocsort(options: TrackerOptions, fps: float) -> BaseTracker:
    return OCSORTTracker(
        lost_track_buffer=_buffer(options),
        frame_rate=fps,
        minimum_consecutive_frames=1,
        minimum_iou_threshold=options.match_iou,
        high_conf_det_threshold=options.high_score,
    )


def _buffer(options: TrackerOptions) -> int:
    return max(round(options.lost_s * _LIBRARY_RATE), 1)


def _frame_counter(tracker: BaseTracker) -> str:
    return "frame_count" if isinstance(tracker, OCSORTTracker) else "frame_id"


def _save(track: BaseTracklet) -> TrackState:
    kalman = track.state_estimator.kf
    return TrackState(
        int(track.tracker_id),
        track.age,
        track.time_since_update,
        float(track.time_since_update_seconds),
        track.number_of_successful_updates
        if isinstance(track, _COUNTS_ALL)
        else track.number_of_successful_consecutive_updates,
        kalman.state.tobytes(),
        kalman.state_covariance.tobytes(),
        tuple(track.get_state_bbox().tolist()),
        _save_observations(track) if isinstance(track, OCSORTTracklet) else {},
    )


def _save_observations(track: OCSORTTracklet) -> dict[str, bytes]:
    inner = vars(track)
    frozen = inner["_frozen_state"]
    ages = sorted(track.observations)
    saved = {
        "last": np.asarray(track.last_observation, np.float64).tobytes(),
        "ages": np.array(ages, np.int64).tobytes(),
        "boxes": np.array([track.observations[age] for age in ages], np.float64).tobytes(),
        "observed": bytes([inner["_observed"]]),
    }
    if track.previous_to_last_observation is not None:
        saved["before"] = np.asarray(track.previous_to_last_observation, np.float64).tobytes()
    if track.velocity is not None:
        saved["velocity"] = np.asarray(track.velocity, np.float64).tobytes()
    if frozen is not None:
        saved |= {f"frozen {name}": np.asarray(matrix, np.float64).tobytes() for name, matrix in frozen.items()}
    return saved


def _load(name: TrackerName, saved: TrackState) -> BaseTracklet:
    track = _begun(name, saved)
    track.age, track.time_since_update, track.time_since_update_seconds = saved.age, saved.missed_frames, saved.missed_s
    if isinstance(track, _COUNTS_ALL):
        track.number_of_successful_updates = saved.hits
    else:
        track.number_of_successful_consecutive_updates = saved.hits
    kalman = track.state_estimator.kf
    kalman.state = np.frombuffer(saved.mean).reshape(-1, 1).copy()
    kalman.state_covariance = np.frombuffer(saved.covariance).reshape(len(kalman.state), -1).copy()
    return track


def _load_ocsort(name: TrackerName, saved: TrackState) -> BaseTracklet:
    track = _load(name, saved)
    assert isinstance(track, OCSORTTracklet)
    arrays = {key: np.frombuffer(data) for key, data in saved.extra.items() if key not in {"ages", "observed"}}
    boxes = arrays["boxes"].reshape(-1, 4)
    track.observations = dict(zip(np.frombuffer(saved.extra["ages"], np.int64).tolist(), boxes.copy(), strict=True))
    track.last_observation, track.previous_to_last_observation = arrays["last"].copy(), arrays.get("before")
    track.velocity = arrays.get("velocity")
    kalman = track.state_estimator.kf.get_state()
    frozen = {
        key: arrays[f"frozen {key}"].reshape(matrix.shape).copy()
        for key, matrix in kalman.items()
        if f"frozen {key}" in arrays
    }
    vars(track).update(_observed=bool(saved.extra["observed"][0]), _frozen_state=frozen or None)
    return track


def _begun(name: TrackerName, saved: TrackState) -> BaseTracklet:
    """Return a track that begins at the latest box of a saved one, with its id."""
    box = np.array(saved.box or np.frombuffer(saved.mean)[:4], np.float64)
    track = _TRACKLETS[name](box)
    track.tracker_id = saved.track_id
    return track


_MAKE: dict[TrackerName, Callable[[TrackerOptions, float], BaseTracker]] = {
    "bytetrack": _bytetrack,
    "botsort": _botsort,
    "ocsort": _ocsort,
    "mcbyte": _mcbyte,
}
_TRACKLETS: dict[TrackerName, Callable[[NDArray[np.float64]], BaseTracklet]] = {
    "bytetrack": ByteTrackTracklet,
    "botsort": BoTSORTTracklet,
    "ocsort": OCSORTTracklet,
    "mcbyte": McByteTracklet,
}
_LOAD: dict[TrackerName, Callable[[TrackerName, TrackState], BaseTracklet]] = {
    "bytetrack": _load,
    "botsort": _load,
    "ocsort": _load_ocsort,
    "mcbyte": _load,
}
_COUNTS_ALL = BoTSORTTracklet | McByteTracklet  # the others count successful updates since the last miss
