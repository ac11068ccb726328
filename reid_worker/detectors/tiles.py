"""Detection of small people: overlapping tiles of a frame are detected beside the whole, and their boxes merged.

A detector shrinks every frame to its own input, so that somebody of 40 px in a wide picture has 15 px left. Tiles are
shrunk less (slicing aided inference, Akyon et al., ICIP 2022); the whole frame is detected, too, for large people.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections, Detector, areas, intersections, suppress

Tile = tuple[int, int, int, int]  # left, top, right, bottom, px
Grid = tuple[int, int]  # rows, columns

WHOLE: Grid = (1, 1)
OVERLAP = 0.2  # of a tile with its neighbours, as a share of its side: people up to this height are whole in one
LONG_TILE_PX, SHORT_TILE_PX = 640, 540  # sides of tiles that common detectors shrink little
MOST_TILES = 4  # along a side
MERGE_IOU = 0.55
INSIDE = 0.7  # a box that lies in a better one with this share is a part of the same person
BORDER_PX = 3  # a box this near an inner border of its tile may be cut off


def grid_for(height: int, width: int) -> Grid:
    """Return rows and columns of the tiles for frames of a size, at least two of each.

    >>> grid_for(720, 1280), grid_for(1080, 1920), grid_for(1920, 1080)
    ((2, 2), (2, 3), (3, 2))
    """
    sides = (LONG_TILE_PX, SHORT_TILE_PX) if height > width else (SHORT_TILE_PX, LONG_TILE_PX)
    rows, columns = (
        min(max(-(-side // tile), 2), MOST_TILES) for side, tile in zip((height, width), sides, strict=True)
    )
    return rows, columns


def tiles_of(height: int, width: int, grid: Grid) -> list[Tile]:
    """Return the tiles of a frame, row by row; they cover it, and neighbours overlap by a fifth of their side."""
    return [
        (left, top, right, bottom) for top, bottom in _spans(height, grid[0]) for left, right in _spans(width, grid[1])
    ]


def detect_in_tiles(detector: Detector, frames: Sequence[NDArray[np.uint8]], grids: Sequence[Grid]) -> list[Detections]:
    """Return the people in each frame, found in the whole of it and, unless its grid is 1 x 1, in its tiles."""
    tiles = [
        [] if grid == WHOLE else tiles_of(frame.shape[0], frame.shape[1], grid)
        for frame, grid in zip(frames, grids, strict=True)
    ]
    parts = [
        np.ascontiguousarray(frame[top:bottom, left:right])
        for frame, cut in zip(frames, tiles, strict=True)
        for left, top, right, bottom in cut
    ]
    found = iter(detector.detect([*frames, *parts]))
    whole = [next(found) for _ in frames]
    return [
        merged(people, [(tile, next(found)) for tile in cut], frame.shape[1], frame.shape[0]) if cut else people
        for people, cut, frame in zip(whole, tiles, frames, strict=True)
    ]


def merged(whole: Detections, parts: Sequence[tuple[Tile, Detections]], width: int, height: int) -> Detections:
    """Return the boxes of a frame and of its tiles, best first, each person once.

    A box cut off by an inner border of its tile counts less than any that is not: the neighbouring tile, or the whole
    frame, has all of it.
    """
    shifted = [(whole.boxes, whole.scores, np.zeros(len(whole), np.bool_))]
    for tile, people in parts:
        left, top, *_ = tile
        shifted.append(
            (people.boxes + np.array([left, top] * 2, np.float32), people.scores, _cut_off(tile, people, width, height))
        )
    boxes, scores, cut = (np.concatenate(column) for column in zip(*shifted, strict=True))
    order = np.lexsort((-scores, cut))
    kept = _once(Detections(boxes[order], scores[order]))
    return suppress(kept, MERGE_IOU)


def _once(found: Detections) -> Detections:
    """Drop every box that lies in, or largely equals, an earlier one."""
    common = intersections(found.boxes, found.boxes)
    size = areas(found.boxes)
    union = size[:, None] + size[None] - common
    same = (common > INSIDE * np.minimum(size[:, None], size[None])) & (
        (common > MERGE_IOU * union) | (size[None] < size[:, None])
    )
    keep = np.ones(len(found), np.bool_)
    for i in range(len(found)):
        if keep[i]:
            keep[i + 1 :] &= ~same[i, i + 1 :]
    return found[keep]


def _cut_off(tile: Tile, people: Detections, width: int, height: int) -> NDArray[np.bool_]:
    left, top, right, bottom = tile
    inner = np.array([left > 0, top > 0, right < width, bottom < height])
    sides = np.array([0, 0, right - left, bottom - top], np.float32)
    near = np.abs(people.boxes - sides) <= BORDER_PX
    return np.asarray((near & inner).any(axis=1), np.bool_)


def _spans(length: int, count: int) -> list[tuple[int, int]]:
    side = min(round(length / (count - (count - 1) * OVERLAP)), length) if count > 1 else length
    starts = np.linspace(0, length - side, count).round().astype(int).tolist()
    return [(start, start + side) for start in starts]
