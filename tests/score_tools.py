"""Boxes for tests of scoring: rows by hand, and sides in a folder."""

from pathlib import Path

import numpy as np

from gallery.score.mot import Boxes

TrackRow = tuple[int, int, float, float, float, float]


def boxes(*rows: TrackRow) -> Boxes:
    """Return rows of frame, id, left, top, width and height."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    frames, ids = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    return Boxes(frames, ids, table[:, 2:], np.ones(len(table), np.bool_))


def shaken(truth: Boxes, seed: int) -> Boxes:
    """Return results made of the truth: boxes moved and dropped, numbers swapped halfway."""
    rng = np.random.default_rng(seed)
    kept = truth.chosen(rng.random(len(truth.ids)) < 0.8)
    late = kept.frames > np.median(kept.frames)
    ids = np.where(late, kept.ids.max() + 1 - kept.ids, kept.ids) + 10 * (rng.random() < 0.3)
    return Boxes(
        kept.frames, ids, kept.boxes + rng.normal(0, 0.12, kept.boxes.shape) * kept.boxes[:, 2:3], kept.counted
    )


def campus(folder: Path, frames: int) -> dict[str, Boxes]:
    """Return the first frames of the four views of campus-gt, without the boxes outside the picture."""
    views = {}
    for path in sorted(folder.glob("view-*.txt")):
        table = np.loadtxt(path, usecols=range(9))
        table = table[(table[:, 6] == 0) & (table[:, 5] < frames)]
        corners, ids, number = table[:, 1:5], table[:, 0].astype(np.int64), table[:, 5].astype(np.int64)
        sizes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        views[path.stem] = Boxes(number, ids, sizes, np.ones(len(ids), np.bool_))
    return views
