"""The detector interface, and geometry shared by all detectors. Boxes are xyxy px of the frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """People detected in one frame, best first.

    Attributes:
        boxes: `(n, 4)` float32, inside the frame.
        scores: `(n,)` float32 in [0, 1].
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.scores)
        if self.boxes.shape != (n, 4) or self.scores.shape != (n,):
            raise ValueError(f"boxes must be (n, 4) and scores (n,), got {self.boxes.shape} and {self.scores.shape}")

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Detections":
        return Detections(self.boxes[keep], self.scores[keep])


class Detector(Protocol):
    """Detects people. Equal frames give equal boxes, however they are batched."""

    name: str

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return the people in each frame `(h, w, 3)` uint8 BGR; frames may differ in size."""


def areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the area of each box `(n, 4)`, px², 0 for an inverted box."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def intersections(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the area of intersection of every pair of boxes, `(n, m)`, px²."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float32)


def iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intersection over union of every pair of boxes, `(n, m)` in [0, 1]; 0 for empty boxes.

    >>> box = np.array([[0, 0, 2, 2]], np.float32)
    >>> iou(box, np.array([[0, 1, 2, 3], [2, 2, 4, 4]], np.float32)).round(3).tolist()
    [[0.3330000042915344, 0.0]]
    """
    common = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None, :] - common
    return np.asarray(common / np.maximum(union, 1e-9), np.float32)


def suppress(found: Detections, threshold: float) -> Detections:
    """Keep the best of every group of boxes that overlap by more than `threshold` IoU (greedy NMS), best first."""
    ordered = found[np.argsort(-found.scores, kind="stable")]
    overlaps = iou(ordered.boxes, ordered.boxes) > threshold
    keep = np.ones(len(ordered), np.bool_)
    for i in range(len(ordered)):
        if keep[i]:
            keep[i + 1 :] &= ~overlaps[i, i + 1 :]
    return ordered[keep]
