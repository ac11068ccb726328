"""Overlap of boxes, and boxes of two sides brought together by frame."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

EPS = float(np.finfo(np.float64).eps)  # TrackEval's tolerance wherever it compares an overlap with a bound
_LARGEST_BATCH = 1 << 19  # pairs of boxes compared at once; 4 MB an array


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the `(..., n, m)` intersection over union, in [0, 1], of `(..., n, 4)` and `(..., m, 4)` boxes.

    Boxes are left, top, width, height. Areas are those between corners, as in TrackEval, so that equal boxes overlap
    by exactly 1. A box without area overlaps nothing.

    >>> overlap(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 2.0, 2.0]])).round(3).tolist()
    [[0.333]]
    """
    first, second = _corners(one)[..., :, None, :], _corners(other)[..., None, :, :]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.maximum(sides[..., 0], 0) * np.maximum(sides[..., 1], 0)
    areas = _area(first), _area(second)
    union = areas[0] + areas[1] - shared
    real = (areas[0] > EPS) & (areas[1] > EPS) & (union > EPS)
    ratio: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=real)
    return ratio


def batches(one: NDArray[np.int64], other: NDArray[np.int64]) -> Iterator[tuple[Rows, Rows]]:
    """Yield the `(k, n)` and `(k, m)` rows of k frames that have n boxes on one side and m on the other, n, m > 0.

    Frames of one shape come together so that they are computed at once. Each frame comes once, and within it the rows
    of a side keep their order; frames that only one side has are left out.

    Args:
        one, other: `(n,)` and `(m,)` frame number of each row.
    """
    sides = [_starts(side) for side in (one, other)]
    _, first, second = np.intersect1d(sides[0][0], sides[1][0], assume_unique=True, return_indices=True)
    shapes = np.stack([sides[0][2][first], sides[1][2][second]], axis=1)
    for shape in np.unique(shapes, axis=0):
        alike = np.flatnonzero((shapes == shape).all(axis=1))
        for part in np.array_split(alike, -(-len(alike) * int(shape.prod()) // _LARGEST_BATCH)):
            yield _rows(sides[0], first[part]), _rows(sides[1], second[part])


_Side = tuple[Rows, Rows, Rows, Rows]  # frames, where each starts, how many rows it has, rows by frame


def _starts(frames: NDArray[np.int64]) -> _Side:
    order = np.argsort(frames, kind="stable")
    values, starts, counts = np.unique(frames[order], return_index=True, return_counts=True)
    return values, starts, counts, order


def _rows(side: _Side, frames: Rows) -> Rows:
    _, starts, counts, order = side
    return order[starts[frames][:, None] + np.arange(counts[frames[0]])]


def _corners(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def _area(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = corners[..., 2:] - corners[..., :2]
    return np.asarray(sides[..., 0] * sides[..., 1])
