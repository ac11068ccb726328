"""What the person detector is trained on: generated frames, changed a little each time, and which cells must answer."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reid_worker.detectors.yolox import PADDING, STRIDES, Grid
from training.detector.frames import LabelledFrame

Floats = NDArray[np.float32]

# Heights in pixels that each grid answers for; they overlap, so that a person between two sizes is learnt by both.
HEIGHTS = ((10.0, 64.0), (44.0, 140.0), (100.0, 600.0))
MIN_LEFT = 0.4  # of a person's box that must stay in the picture for the person to count


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One training picture: `(3, h, w)` float32 BGR 0-255, and its `(cells, 5)` float32 targets."""

    image: Floats
    target: Floats


def example(rng: Generator, frame: LabelledFrame, grid: Grid, size: tuple[int, int]) -> Example:
    """Zoom, shift, mirror and recolour a frame, and say what each cell should answer."""
    height, width = size
    scale = min(height / frame.image.shape[0], width / frame.image.shape[1]) * float(np.exp(rng.uniform(-0.35, 0.45)))
    shift = [float(rng.uniform(min(0.0, room), max(0.0, room))) for room in
             (width - frame.image.shape[1] * scale, height - frame.image.shape[0] * scale)]  # fmt: skip
    move = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    smooth = cv2.GaussianBlur(frame.image, (0, 0), 0.45 / scale) if scale < 0.8 else frame.image
    image = cv2.warpAffine(smooth, move, (width, height), flags=cv2.INTER_LINEAR, borderValue=(PADDING,) * 3)
    boxes = frame.boxes * np.float32(scale) + np.array(shift * 2, np.float32)
    clipped = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
    left = np.prod(clipped[:, 2:] - clipped[:, :2], 1) / np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], 1), 1e-6)
    counted = frame.counted & (left > MIN_LEFT)
    if rng.random() < 0.5:
        image = image[:, ::-1]
        clipped = clipped[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32) + np.array(
            [width, 0, width, 0], np.float32
        )
    shown = left > 0.02
    return Example(_recoloured(rng, image[..., ::-1]), targets(clipped[shown], counted[shown], grid))


def _recoloured(rng: Generator, image: NDArray[np.uint8]) -> Floats:
    """Vary brightness, contrast and tint, and add noise; returns `(3, h, w)`."""
    gain = np.exp(rng.normal(0, 0.22) + rng.normal(0, 0.07, 3))
    value = (image.astype(np.float32) - 100) * np.float32(np.exp(rng.normal(0, 0.15))) + 100 + rng.normal(0, 8)
    value = value * gain.astype(np.float32)
    if rng.random() < 0.3:
        value += rng.standard_normal(value.shape, np.float32) * np.float32(rng.uniform(1, 8))
    return np.ascontiguousarray(np.clip(value, 0, 255).transpose(2, 0, 1), np.float32)


def targets(boxes: Floats, counted: NDArray[np.bool_], grid: Grid) -> Floats:
    """Return `(cells, 5)` float32: 1 person, 0 nobody or -1 not counted; then the person's box in pixels.

    The cells within 1.5 strides of a person's centre answer for them (FCOS, Tian et al. 2019, centre sampling); where
    two people meet, the smaller box wins, because it is in front or would be lost.
    """
    out = np.zeros((len(grid.cells), 5), np.float32)
    centres = (grid.cells + 0.5) * grid.strides
    stride = grid.strides[:, 0]
    order = np.argsort(-(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), kind="stable")
    for box, counts in zip(boxes[order], counted[order], strict=True):
        inside = (centres > box[:2]).all(1) & (centres < box[2:]).all(1)
        if not counts:
            out[inside & (out[:, 0] == 0), 0] = -1
            continue
        height = box[3] - box[1]
        near = (np.abs(centres - (box[:2] + box[2:]) / 2) < 1.5 * grid.strides).all(1) & inside
        fits = np.zeros(len(centres), bool)
        for s, (low, high) in zip(STRIDES, HEIGHTS, strict=True):
            fits |= (stride == s) & (low <= height < high)
        out[near & fits, 0] = 1
        out[near & fits, 1:] = box
    return out
