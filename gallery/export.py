"""Export the tracks of a site as MOTChallenge text, one file per camera, with identity numbers shared by all."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gallery.store.store import Store
from gallery.tracks import Track, filled, longest_step_ns, tracks_of


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
    store: Store, since_ns: int | None = None, every_frame: Mapping[str, float] | None = None
) -> Iterator[TrackRow]:
    """Yield every box with an identity, from tracklets last seen at or after `since_ns`.

    `every_frame` is the rate at which each camera is analysed; the frames between analysed ones are then filled in.
    """
    tracks: dict[str, list[Track]] = defaultdict(list)
    for track in tracks_of(store, since_ns):
        tracks[track.camera_id].append(track)
    for camera_id, ones in tracks.items():
        longest_ns = longest_step_ns(ones, every_frame[camera_id]) if every_frame and camera_id in every_frame else 0
        for track in ones:
            yield from _rows_of(filled(track, longest_ns))


def write_mot(
    store: Store,
    out: Path,
    since_ns: int | None = None,
    cameras: Collection[str] | None = None,
    every_frame: Mapping[str, float] | None = None,
) -> dict[str, int]:
    """Write `out/CAMERA.txt` for each camera (of `cameras`) that saw anyone; return the number of rows of each.

    A row is `frame,id,left,top,width,height,conf,-1,-1,-1`, sorted by frame and id. When a person has two boxes in one
    frame, the one with the higher confidence is written. `every_frame` as in `track_rows`.
    """
    best: dict[str, dict[tuple[int, int], TrackRow]] = defaultdict(dict)
    for row in track_rows(store, since_ns, every_frame):
        if cameras is not None and row.camera_id not in cameras:
            continue
        rows, key = best[row.camera_id], (row.frame, row.identity)
        if key not in rows or row.score > rows[key].score:
            rows[key] = row
    out.mkdir(parents=True, exist_ok=True)
    for camera_id, rows in best.items():
        lines = [_line(rows[key]) for key in sorted(rows)]
        (out / f"{camera_id}.txt").write_text("".join(lines), encoding="utf-8")
    return {camera_id: len(rows) for camera_id, rows in best.items()}


def _rows_of(track: Track) -> Iterator[TrackRow]:
    for frame, identity, box, score in zip(track.frames, track.identities, track.boxes, track.scores, strict=True):
        left, top, right, bottom = map(float, box)
        yield TrackRow(track.camera_id, int(frame), int(identity), left, top, right - left, bottom - top, float(score))


def _line(row: TrackRow) -> str:
    box = ",".join(f"{value:.2f}" for value in (row.left, row.top, row.width, row.height))
    return f"{row.frame},{row.identity},{box},{row.score:.4f},-1,-1,-1\n"
