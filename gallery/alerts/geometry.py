"""Feet in pictures: inside of polygons, and across lines. Pure."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gallery.zones.rule import Direction
from wire.areas import Polygon

EDGE = 1e-6  # feet at the border of the picture are just inside of it, as are zones that are drawn up to there


def feet_of(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float64]:
    """Return where boxes stand, `(n, 2)` in fractions of the picture: the middles of their lower edges.

    Args:
        boxes: `(n, 4)` xyxy px.
        width, height: Size of the picture in px; 0 if unknown, which makes the result NaN.
    """
    if not width or not height:
        return np.full((len(boxes), 2), np.nan)
    middles = (boxes[:, 0].astype(np.float64) + boxes[:, 2]) / 2
    points = np.stack([middles / width, boxes[:, 3].astype(np.float64) / height], axis=1)
    return np.clip(points, EDGE, 1 - EDGE)


def inside(polygon: Polygon, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of n points a polygon covers, `(n,)`, as `wire.areas.covers` decides; NaN is outside."""
    x, y = points[:, 0], points[:, 1]
    corners = np.asarray(polygon, np.float64)
    found = np.zeros(len(points), np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 != y2:
            with np.errstate(over="ignore", invalid="ignore"):  # of points that a very short edge is not beside
                left = x < x1 + (y - y1) * (x2 - x1) / (y2 - y1)
            found ^= ((y1 > y) != (y2 > y)) & left
    return found


def crossings(line: Polygon, points: NDArray[np.float64], direction: Direction) -> NDArray[np.bool_]:
    """Return which of the n - 1 steps between n points cross a line in a direction, `(n - 1,)`.

    A point on the line counts as to its right.
    """
    begin, end = points[:-1], points[1:]
    found = np.zeros(max(len(points) - 1, 0), np.bool_)
    corners = np.asarray(line, np.float64)
    for number, (a, b) in enumerate(pairwise(corners)):
        along = b - a
        before, after = _side(a, along, begin), _side(a, along, end)
        forward, backward = (before < 0) & (after >= 0), (before >= 0) & (after < 0)
        wanted = {"forward": forward, "backward": backward, "both": forward | backward}[direction]
        apart = np.where(wanted, before - after, 1.0)
        met = begin + (before / apart)[:, None] * (end - begin)
        share = (met - a) @ along / (along @ along)
        last = number == len(corners) - 2  # a bend belongs to the piece that begins there
        found |= wanted & (share >= 0) & ((share <= 1) if last else (share < 1))
    return found


def _side(start: NDArray[np.float64], along: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return on which side of a line points are: positive to its right, as the picture's rows grow downwards."""
    relative = points - start
    return np.asarray(along[0] * relative[:, 1] - along[1] * relative[:, 0])
