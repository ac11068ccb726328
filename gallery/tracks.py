"""The boxes of a site by track, with those in between: where a person was missed, or a frame was not analysed."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.store.store import Store, StoredTracklet, TrackQuery
from wire.tracklet_id import TrackletId

EVERYTHING = 2**31 - 1
NS = 1_000_000_000
TOO_LONG = 1.5  # in usual steps between two analysed frames
MISSED_NS = NS // 2  # whom a detector misses for longer may have gone another way than straight on


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Everything that one tracker's track saw of people with an identity, in order of time.

    Attributes:
        frames: `(n,)` int64, 1-based, strictly increasing.
        times_ns: `(n,)` int64.
        boxes: `(n, 4)` float32, xyxy px.
        scores: `(n,)` float32.
        identities: `(n,)` int64; another one follows where the track was cut because two people crossed.
    """

    camera_id: str
    frames: NDArray[np.int64]
    times_ns: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    identities: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How the frames of a camera that are analysed follow each other.

    Attributes:
        step_ns: The mean time between two of them.
        longest_ns: Two boxes of one track that are further apart than this are not joined.
    """

    step_ns: float
    longest_ns: int


def tracks_of(store: Store, since_ns: int | None = None, camera_id: str | None = None) -> Iterator[Track]:
    """Yield the tracks of tracklets last seen at or after `since_ns`, under the identities that they have now."""
    yield from tracks_among(store.find(TrackQuery(camera_id=camera_id, from_ns=since_ns, limit=EVERYTHING)))


def tracks_among(rows: Iterable[StoredTracklet]) -> Iterator[Track]:
    """Yield the tracks of those tracklets that have an identity."""
    groups: dict[tuple[str, str, int], list[StoredTracklet]] = defaultdict(list)
    for row in rows:
        if row.identity_id is not None:
            name = TrackletId.parse(row.tracklet.tracklet_id)
            groups[name.camera_id, name.stream_id, name.track].append(row)
    for (camera, _, _), own in groups.items():
        yield _joined(camera, own)


def rhythm_of(tracks: Sequence[Track], analysed_fps: float = math.inf) -> Rhythm:
    """Return the rhythm of a camera.

    It is judged by the rate that was asked for, and by the lower quartile of the steps (the others may be longer since
    somebody was missed), which a slow source, or a live camera whose frames were thinned out, makes longer.
    """
    steps = np.concatenate([np.empty(0, np.int64), *(np.diff(track.times_ns) for track in tracks)])
    usual_ns = max(NS / analysed_fps, float(np.quantile(steps, 0.25)) if len(steps) else 0.0)
    short = steps[steps <= TOO_LONG * usual_ns]  # with at least one missed between them, steps are longer
    step_ns = float(short.mean()) if len(short) else usual_ns
    return Rhythm(step_ns, round(max(TOO_LONG * usual_ns, step_ns + MISSED_NS)))


def filled(track: Track, rhythm: Rhythm, *, every_frame: bool) -> Track:
    """Return a track with boxes where the detector missed the person for a moment, linear between those around it.

    Nothing is added between boxes more than `longest_ns` apart or of different people, nor before the first and after
    the last one. It is the tracklet interpolation of ByteTrack (Zhang et al., ECCV 2022), over shorter gaps.

    Args:
        every_frame: Also add frames of the source between the analysed ones, not only where these are missing.
    """
    frames, where = track.frames, np.arange(len(track.frames))
    steps_ns = np.diff(track.times_ns)
    joined = (steps_ns <= rhythm.longest_ns) & (np.diff(track.identities) == 0)
    parts = np.where(joined, np.diff(frames), 1)
    if not every_frame:
        parts = np.clip(np.round(steps_ns / max(rhythm.step_ns, 1.0)).astype(np.int64), 1, parts)
    spans = zip(frames, frames[1:], parts, strict=False)
    added = [np.round(np.linspace(a, b, count, endpoint=False)) for a, b, count in spans]
    every = np.concatenate([*added, frames[-1:]]).astype(np.int64)
    places = np.interp(every, frames, where)
    before = np.floor(places).astype(np.int64)
    after, share = np.minimum(before + 1, len(frames) - 1), (places - before).astype(np.float32)
    waited = (track.times_ns[after] - track.times_ns[before]) * share.astype(np.float64)
    return Track(
        track.camera_id,
        every,
        track.times_ns[before] + np.round(waited).astype(np.int64),
        track.boxes[before] + (track.boxes[after] - track.boxes[before]) * share[:, None],
        track.scores[before] + (track.scores[after] - track.scores[before]) * share,
        track.identities[before],
    )


def _joined(camera_id: str, rows: Sequence[StoredTracklet]) -> Track:
    """Join the tracklets of a track; of two boxes in one frame, that of the tracklet that began later is kept."""
    ordered = sorted(rows, key=lambda row: int(row.tracklet.times_ns[0]))
    frames = np.concatenate([row.tracklet.frames for row in ordered])
    last = {int(frame): place for place, frame in enumerate(frames)}
    kept = np.array([last[frame] for frame in sorted(last)], np.int64)
    identities = np.concatenate([np.full(len(row.tracklet.frames), row.identity_id, np.int64) for row in ordered])
    return Track(
        camera_id,
        frames[kept],
        np.concatenate([row.tracklet.times_ns for row in ordered])[kept],
        np.concatenate([row.tracklet.boxes for row in ordered])[kept],
        np.concatenate([row.tracklet.scores for row in ordered])[kept],
        identities[kept],
    )
