"""Export the tracks of a site as MOTChallenge text, one file per camera, with identity numbers shared by all."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gallery.errors import TooManyVisits
from gallery.store.store import Store, StoredTracklet, TrackQuery
from gallery.tracks import Track, filled, rhythm_of, tracks_among, tracks_of
from gallery.visits import MAX_TRACKS
from wire.tracklet_id import TrackletId


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One box of one person: 1-based frame of the source, left, top, width and height in px, confidence in [0, 1]."""

    camera_id: str
    frame: int
    identity: int
    left: float
    top: float
    width: float
    height: float
    score: float


def track_rows(
    store: Store,
    since_ns: int | None = None,
    analysed_fps: Mapping[str, float] | None = None,
    *,
    every_frame: bool = False,
) -> Iterator[TrackRow]:
    """Yield every box with an identity, from tracklets last seen at or after `since_ns`.

    Analysed frames in which a track's person was missed for a moment have boxes too: see `tracks.filled`.

    Args:
        analysed_fps: The rate at which cameras are analysed, where it is known.
        every_frame: Also yield boxes for the frames between analysed ones.
    """
    tracks: dict[str, list[Track]] = defaultdict(list)
    for track in tracks_of(store, since_ns):
        tracks[track.camera_id].append(track)
    for camera_id, ones in tracks.items():
        rhythm = rhythm_of(ones, (analysed_fps or {}).get(camera_id, math.inf))
        for track in ones:
            yield from _rows_of(filled(track, rhythm, every_frame=every_frame))


def write_mot(
    store: Store,
    out: Path,
    since_ns: int | None = None,
    cameras: Collection[str] | None = None,
    analysed_fps: Mapping[str, float] | None = None,
    *,
    every_frame: bool = False,
) -> dict[str, int]:
    """Write `out/CAMERA.txt` for each camera (of `cameras`) that saw anyone; return the number of rows of each.

    A row is `frame,id,left,top,width,height,conf,-1,-1,-1`, sorted by frame and id. When a person has two boxes in one
    frame, the one with the higher confidence is written. `analysed_fps` and `every_frame` as in `track_rows`.
    """
    found: dict[str, list[TrackRow]] = defaultdict(list)
    for row in track_rows(store, since_ns, analysed_fps, every_frame=every_frame):
        if cameras is None or row.camera_id in cameras:
            found[row.camera_id].append(row)
    out.mkdir(parents=True, exist_ok=True)
    lines = {camera_id: mot_lines(rows) for camera_id, rows in found.items()}
    for camera_id, own in lines.items():
        _replace(out / f"{camera_id}.txt", "".join(own))
    return {camera_id: len(own) for camera_id, own in lines.items()}


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all: half of the boxes would be scored like all of them."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def mot_of(store: Store, camera_id: str, from_ns: int, to_ns: int) -> list[str]:
    """Return the lines of what a camera saw in a time; frames of a later stream go on after those of the one before.

    Raises:
        TooManyVisits: The time has more than `MAX_TRACKS` tracks.
    """
    streams: dict[str, list[StoredTracklet]] = defaultdict(list)
    found = store.find(TrackQuery(camera_id, None, from_ns, to_ns, MAX_TRACKS + 1))
    if len(found) > MAX_TRACKS:
        raise TooManyVisits(MAX_TRACKS)
    for row in sorted(found, key=lambda row: row.tracklet.first_ns):
        streams[TrackletId.parse(row.tracklet.tracklet_id).stream_id].append(row)
    rows: list[TrackRow] = []
    for own in streams.values():
        before = max((row.frame for row in rows), default=0)
        tracks = list(tracks_among(own))
        rhythm = rhythm_of(tracks)
        boxes = [row for track in tracks for row in _rows_of(filled(track, rhythm, every_frame=False))]
        rows += [replace(row, frame=row.frame + before) for row in boxes]
    return mot_lines(rows)


def mot_lines(rows: Iterable[TrackRow]) -> list[str]:
    """Return the lines of one camera, by frame and identity; of two boxes of a person in a frame, the surer one's."""
    best: dict[tuple[int, int], TrackRow] = {}
    for row in rows:
        key = row.frame, row.identity
        if key not in best or row.score > best[key].score:
            best[key] = row
    return [_line(best[key]) for key in sorted(best)]


def _rows_of(track: Track) -> Iterator[TrackRow]:
    for frame, identity, box, score in zip(track.frames, track.identities, track.boxes, track.scores, strict=True):
        left, top, right, bottom = map(float, box)
        yield TrackRow(track.camera_id, int(frame), int(identity), left, top, right - left, bottom - top, float(score))


def _line(row: TrackRow) -> str:
    box = ",".join(f"{value:.2f}" for value in (row.left, row.top, row.width, row.height))
    return f"{row.frame},{row.identity},{box},{row.score:.4f},-1,-1,-1\n"
