"""The boxes of a site by track, and by every frame of the source: frames that were not analysed are interpolated."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.store.store import Store, StoredTracklet, TrackQuery
from wire.tracklet_id import TrackletId

EVERYTHING = 2**31 - 1
TOO_LONG = 1.5  # in analysed frames: with at least one missed between two boxes, nobody knows where the person was


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


def longest_step_ns(tracks: Sequence[Track], analysed_fps: float) -> int:
    """Return the longest time between two boxes of one track between which no analysed frame lies.

    It is judged by the rate that was asked for, and by the median step, which is longer for a slow source or a live
    camera whose frames were thinned out.
    """
    steps = [np.diff(track.times_ns) for track in tracks if len(track.times_ns) > 1]
    usual = float(np.median(np.concatenate(steps))) if steps else 0.0
    return round(TOO_LONG * max(1e9 / analysed_fps, usual))


def filled(track: Track, longest_ns: int) -> Track:
    """Return a track with a box for every frame between two of its boxes, linear between them.

    Nothing is added between boxes more than `longest_ns` apart or of different people, nor before the first and after
    the last one.
    """
    frames, where = track.frames, np.arange(len(track.frames))
    joined = (np.diff(track.times_ns) <= longest_ns) & (np.diff(track.identities) == 0)
    steps = [np.arange(a, b) if near else [a] for a, b, near in zip(frames, frames[1:], joined, strict=False)]
    every = np.concatenate([*steps, frames[-1:]]).astype(np.int64)
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
