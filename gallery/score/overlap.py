"""Overlap of boxes, and boxes of two sides paired by frame."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the `(n, m)` intersection over union, in [0, 1], of `(n, 4)` and `(m, 4)` left, top, width, height.

    >>> overlap(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 2.0, 2.0]])).round(3).tolist()
    [[0.333]]
    """
    first = np.maximum(one[:, None, :2], other[None, :, :2])
    last = np.minimum(one[:, None, :2] + one[:, None, 2:], other[None, :, :2] + other[None, :, 2:])
    shared = np.clip(last - first, 0, None).prod(axis=2)
    union = one[:, None, 2:].prod(axis=2) + other[None, :, 2:].prod(axis=2) - shared
    ratio: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def frame_pairs(one: NDArray[np.int64], other: NDArray[np.int64]) -> Iterator[tuple[Rows, Rows]]:
    """Yield the rows of both sides for each frame in either, in the order of frames.

    Args:
        one, other: `(n,)` and `(m,)` frame number of each row.
    """
    frames = np.union1d(one, other)
    yield from zip(_rows(one, frames), _rows(other, frames), strict=True)


def _rows(of: NDArray[np.int64], frames: NDArray[np.int64]) -> list[Rows]:
    order = np.argsort(of, kind="stable")
    return np.split(order, np.searchsorted(of[order], frames[1:])) if len(frames) else []
