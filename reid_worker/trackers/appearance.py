"""A tracker that compares looks where boxes leave a choice, and recognises people who come back within seconds.

Its motion model is BoT-SORT's (Aharon et al., 2022, section 3.1) and its two passes are ByteTrack's (Zhang et al., ECCV
2022, section 3), with additions that were measured on generated sites (training/LOG.md, 2026-11-27 and 2026-11-28):

- A detection that overlaps several tracks goes to the one that it looks like, or to none; where boxes leave no choice,
  nothing is embedded. Weak detections are no exception: in a crowd most of them show somebody half hidden.
- A look learns from people who stand apart alone, not from crops that show their neighbours as well.
- A detection that no track continues is compared with those that were lost nearby up to four seconds ago.
- A detection that overlaps a tracked one starts no track: detectors see some people twice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from trackers.core.botsort.tracklet import BoTSORTTracklet
from trackers.utils.predict_timing import PredictTiming

from reid_worker.crops import Cutout
from reid_worker.detectors.detection import Detections, iou
from reid_worker.trackers.association import best_pairs, clear_pairs, distances, widened
from reid_worker.trackers.interface import TrackerOptions, TrackerState, TrackState, View
from reid_worker.trackers.looks import Look, Looks

MEMORY_S = 4.0  # somebody out of sight for longer is left to the gallery
REFRESH_S = 0.5  # a track's crop is replaced this often
MARGIN = 0.4  # a box leaves no choice if it overlaps its track by this much more than anything else
LOOKS_WEIGHT = 1.2  # of likeness, relative to IoU
UNLIKE, LIKE, LIKE_LOST = 0.5, 0.7, 1.0  # likeness: never the same person; the same if close by; if out of sight
NEUTRAL = 0.75  # likeness that speaks neither for nor against a pair of boxes that overlap
WEAK_IOU = 0.4  # weak detections continue only tracks that they overlap by this much
TWICE_IOU = 0.35  # detections that overlap a tracked one by more are taken for the same person
REACH, SPEED = 0.5, 1.0  # how far somebody lost may come back: in heights, at once and per second
FILTER_FPS = 10.0  # unit of time of the Kalman filter, whatever the frame rate
WIDEST = 0.3  # boxes are widened by the seconds between two frames, up to this


class _Motion(BoTSORTTracklet):  # type: ignore[misc]
    """BoT-SORT's Kalman filter; people turn faster than its authors' frames at 30 fps needed."""

    _SIGMA_V = 0.01


@dataclass(slots=True, eq=False)
class _Track:
    """One person followed.

    Attributes:
        box: Latest detection, xyxy px.
        seen_s: Its time.
    """

    track_id: int
    motion: _Motion
    box: NDArray[np.float32]
    seen_s: float
    look: Look


@dataclass(slots=True, eq=False)
class _Frame:
    """One frame while its detections are being matched: what is not matched yet, and the answer so far."""

    found: Detections
    time_s: float
    looks: Looks
    ids: NDArray[np.int64]
    lost: list[_Track]

    def rest(self, among: NDArray[np.int64]) -> list[int]:
        """Return those of some detections that are not matched yet."""
        return [int(i) for i in among if self.ids[i] < 0]


class AppearanceTracker:
    """Tracks the people of one stream by boxes and looks."""

    def __init__(self, options: TrackerOptions, state: TrackerState | None = None) -> None:
        self._options = options
        self._tracks: list[_Track] = []
        self._next_id = 0
        self._last_s: float | None = None
        if state is not None:
            self._next_id, self._last_s = state.next_id, state.last_s
            self._tracks = [_restored(track, state) for track in state.tracks]

    def update(self, found: Detections, time_s: float, view: View | None = None) -> NDArray[np.int64]:
        """Advance to a later frame; return the track id of each detection, -1 for none (yet)."""
        elapsed_s = 1 / FILTER_FPS if self._last_s is None else time_s - self._last_s
        self._last_s = time_s
        memory_s = max(MEMORY_S, self._options.lost_s)
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= memory_s]
        for track in self._tracks:
            track.motion.predict(PredictTiming(elapsed_s * FILTER_FPS, elapsed_s, frame_rate=FILTER_FPS))
        frame = _Frame(found, time_s, Looks(found, view), np.full(len(found), -1, np.int64), list(self._tracks))
        strong = np.flatnonzero(found.scores >= self._options.high_score)
        self._match_strong(frame, strong, min(elapsed_s, WIDEST))
        self._match_weak(frame, np.flatnonzero(found.scores < self._options.high_score))
        self._match_lost(frame, strong)
        self._begin(frame, strong)
        return frame.ids

    def alive(self) -> set[int]:
        """Return the ids of all tracks that are visible or were at most `lost_s` ago."""
        return {track.track_id for track in self._tracks if self._is_recent(track, self._last_s or 0.0)}

    def remembered(self) -> set[int]:
        """Return the ids of all tracks that may still get detections."""
        return {track.track_id for track in self._tracks}

    def forget_pictures(self) -> None:
        """Forget the crops that no look has learnt from yet; who is in sight is cut out again."""
        for track in self._tracks:
            track.look.waiting = None

    def save(self) -> TrackerState:
        """Return everything that the next update depends on."""
        return TrackerState(self._next_id, self._last_s, tuple(map(_saved, self._tracks)), "appearance")

    def _is_recent(self, track: _Track, time_s: float) -> bool:
        return time_s - track.seen_s <= self._options.lost_s

    def _recent(self, frame: _Frame) -> list[_Track]:
        return [track for track in frame.lost if self._is_recent(track, frame.time_s)]

    def _match_strong(self, frame: _Frame, strong: NDArray[np.int64], share: float) -> None:
        """Match by overlap where that leaves no choice, elsewhere by overlap and looks."""
        tracks = self._recent(frame)
        boxes = frame.found.boxes[strong]
        overlaps = iou(widened(_predicted(tracks), share), widened(boxes, share)).astype(np.float64)
        overlaps[overlaps < self._options.match_iou] = 0.0
        for row, column in clear_pairs(overlaps, max(MARGIN, self._options.match_iou)):
            self._continue(frame, tracks[row], int(strong[column]))
            overlaps[row], overlaps[:, column] = 0.0, 0.0
        rows, columns = np.flatnonzero(overlaps.any(axis=1)), np.flatnonzero(overlaps.any(axis=0))
        people = strong[columns].tolist()
        alike = frame.looks.likeness([tracks[row].look for row in rows], people)
        close = overlaps[np.ix_(rows, columns)]
        allowed = (close > 0) & ~(alike < UNLIKE)  # where looks are not known, boxes decide
        for row, column in best_pairs(close + LOOKS_WEIGHT * np.nan_to_num(alike - NEUTRAL), allowed):
            self._continue(frame, tracks[rows[row]], people[column])

    def _match_weak(self, frame: _Frame, weak: NDArray[np.int64]) -> None:
        """Match by overlap, but where that leaves a choice, nobody who does not look like the track."""
        tracks = self._recent(frame)
        boxes = frame.found.boxes[weak]
        overlaps = iou(_predicted(tracks), boxes).astype(np.float64)
        tracked = iou(frame.found.boxes[frame.ids >= 0], boxes)
        clear = clear_pairs(np.concatenate((overlaps, tracked)), MARGIN)
        pairs = best_pairs(overlaps, overlaps >= WEAK_IOU)
        asked = [pair for pair in pairs if pair not in clear]
        looks, people = [tracks[row].look for row, _ in asked], [int(weak[column]) for _, column in asked]
        alike = dict(zip(asked, frame.looks.likeness(looks, people).diagonal().tolist(), strict=True))
        for row, column in pairs:
            if not alike.get((row, column), np.nan) < UNLIKE:
                self._continue(frame, tracks[row], int(weak[column]))

    def _match_lost(self, frame: _Frame, strong: NDArray[np.int64]) -> None:
        """Match who appears with who disappeared nearby, if they look alike."""
        tracks, people = list(frame.lost), self._newcomers(frame, strong)
        if not tracks or not people:
            return
        boxes = frame.found.boxes[people]
        last = np.stack([track.box for track in tracks])
        apart = np.minimum(distances(last, boxes), distances(_predicted(tracks), boxes))
        missed_s = np.array([frame.time_s - track.seen_s for track in tracks])
        near = apart <= REACH + SPEED * missed_s[:, None]
        if not near.any():
            return
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        alike = frame.looks.likeness([tracks[row].look for row in rows], [people[column] for column in columns])
        enough = np.where(missed_s[rows] > self._options.lost_s, LIKE_LOST, LIKE)[:, None]
        block = np.ix_(rows, columns)
        for row, column in best_pairs(np.nan_to_num(alike) - 0.1 * apart[block], near[block] & (alike >= enough)):
            self._continue(frame, tracks[rows[row]], people[columns[column]])

    def _newcomers(self, frame: _Frame, strong: NDArray[np.int64]) -> list[int]:
        """Return the detections that no track continues, unless they show somebody tracked once more."""
        rest = frame.rest(strong)
        tracked = frame.found.boxes[frame.ids >= 0]
        overlaps = iou(frame.found.boxes[rest], tracked).max(axis=1, initial=0.0)
        return [i for i, overlap in zip(rest, overlaps.tolist(), strict=True) if overlap <= TWICE_IOU]

    def _begin(self, frame: _Frame, strong: NDArray[np.int64]) -> None:
        for i in self._newcomers(frame, strong):
            if frame.found.scores[i] < self._options.start_score:
                continue
            box = frame.found.boxes[i]
            look = Look(np.zeros(0, np.float16))
            frame.looks.remember(look, i, frame.time_s, every_s=REFRESH_S)
            self._tracks.append(_Track(self._next_id, _Motion(box.astype(np.float64)), box, frame.time_s, look))
            frame.ids[i] = self._next_id
            self._next_id += 1

    def _continue(self, frame: _Frame, track: _Track, i: int) -> None:
        track.box, track.seen_s = frame.found.boxes[i], frame.time_s
        track.motion.update(track.box.astype(np.float64))
        frame.ids[i] = track.track_id
        frame.lost.remove(track)
        if frame.found.scores[i] >= self._options.high_score:
            frame.looks.remember(track.look, i, frame.time_s, every_s=REFRESH_S)


def _predicted(tracks: list[_Track]) -> NDArray[np.float32]:
    return np.array([track.motion.get_state_bbox() for track in tracks], np.float32).reshape(-1, 4)


def _saved(track: _Track) -> TrackState:
    kalman, motion, look = track.motion.state_estimator.kf, track.motion, track.look
    waiting = b"" if look.waiting is None else look.waiting.settled()
    return TrackState(
        track.track_id,
        motion.age,
        motion.time_since_update,
        track.seen_s,
        motion.number_of_successful_updates,
        kalman.state.tobytes(),
        kalman.state_covariance.tobytes(),
        tuple(track.box.tolist()),
        {
            "look": look.vector.tobytes(),
            "jpeg": waiting,
            "taken": np.float64(look.taken_s).tobytes(),
        },
    )


def _restored(saved: TrackState, state: TrackerState) -> _Track:
    """Return a saved track; one of another tracker begins afresh at its latest box, with its id."""
    if state.name != "appearance":
        box = np.array(saved.box or np.frombuffer(saved.mean)[:4], np.float32)
        seen_s = (state.last_s or 0.0) - saved.missed_s
        return _Track(saved.track_id, _Motion(box.astype(np.float64)), box, seen_s, Look(np.zeros(0, np.float16)))
    box = np.array(saved.box, np.float32)
    motion = _Motion(box.astype(np.float64))
    motion.age, motion.time_since_update, motion.number_of_successful_updates = (
        saved.age,
        saved.missed_frames,
        saved.hits,
    )
    kalman = motion.state_estimator.kf
    kalman.state = np.frombuffer(saved.mean).reshape(-1, 1).copy()
    kalman.state_covariance = np.frombuffer(saved.covariance).reshape(len(kalman.state), -1).copy()
    look = Look(
        np.frombuffer(saved.extra["look"], np.float16).copy(),
        Cutout.restored(saved.extra["jpeg"]) if saved.extra["jpeg"] else None,
        float(np.frombuffer(saved.extra["taken"])[0]),
    )
    return _Track(saved.track_id, motion, box, saved.missed_s, look)
