"""Which detection continues which track: assignments of rows (tracks) to columns (detections). Pure functions."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Pairs = list[tuple[int, int]]


def best_pairs(values: NDArray[np.float64], allowed: NDArray[np.bool_]) -> Pairs:
    """Return the allowed pairs with the largest sum of values; a pair that is worth nothing is none.

    As many pairs as possible would be wrong: whoever is hidden behind somebody else would be given what is left over.

    >>> best_pairs(np.array([[0.9, 0.8], [0.7, 0.1]]), np.array([[True, True], [True, False]]))
    [(0, 1), (1, 0)]
    >>> best_pairs(np.array([[0.9, -0.1]]), np.array([[False, True]]))
    []
    """
    worth = np.where(allowed, np.maximum(values, 0.0), 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if worth[r, c] > 0]


def clear_pairs(overlaps: NDArray[np.float64], margin: float) -> Pairs:
    """Return the pairs that overlap each other by at least `margin` more than either overlaps anything else.

    >>> clear_pairs(np.array([[0.9, 0.0, 0.2], [0.1, 0.6, 0.5]]), margin=0.4)
    [(0, 0)]
    """
    if not overlaps.size:
        return []
    pairs = []
    for row, column in enumerate(overlaps.argmax(axis=1).tolist()):
        best = overlaps[row, column]
        others = np.append(np.delete(overlaps[row], column), np.delete(overlaps[:, column], row))
        if best - others.max(initial=0.0) >= margin:
            pairs.append((row, column))
    return pairs


def widened(boxes: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return boxes `(n, 4)` with each side moved outwards by a share of the box's size (Yang et al., C-BIoU, 2023)."""
    by = (boxes[:, 2:] - boxes[:, :2]) * np.float32(share)
    return np.concatenate((boxes[:, :2] - by, boxes[:, 2:] + by), axis=1)


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distance of the centres of every pair of boxes, `(n, m)`, in heights of the first."""
    centres_a, centres_b = (a[:, :2] + a[:, 2:]) / 2, (b[:, :2] + b[:, 2:]) / 2
    heights = np.maximum(a[:, 3] - a[:, 1], 1.0)
    apart = np.linalg.norm(centres_a[:, None] - centres_b[None], axis=2)
    return np.asarray(apart / heights[:, None], np.float64)
