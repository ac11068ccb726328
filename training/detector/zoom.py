"""Part of a frame, or a frame with something around it, at the size of a training picture."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reid_worker.detectors.yolox import PADDING
from training.detector.frames import NOBODY, LabelledFrame

Image = NDArray[np.uint8]
Backdrop = Callable[[int, int], Image]  # of a height and a width


def randomly_zoomed(
    rng: Generator, frame: LabelledFrame, height: int, width: int, zoom: float, backdrop: Backdrop
) -> LabelledFrame:
    """Return a frame shifted, mirrored, a little turned; `zoom` 1 shows all of it, or fills the picture with it."""
    ratios = height / frame.image.shape[0], width / frame.image.shape[1]
    fills = rng.random() < 0.7  # a frame upright on a picture that lies would leave most of it empty
    scale = (max(ratios) if fills else min(ratios)) * zoom
    room = (width - frame.image.shape[1] * scale, height - frame.image.shape[0] * scale)
    shift = [float(rng.uniform(min(0.0, free), max(0.0, free))) for free in room]
    wide = float(np.exp(rng.normal(0, 0.06)))
    move = np.array([[scale * wide, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    if rng.random() < 0.3:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 4)), 1.0)
        move = turn @ np.vstack([move, (0, 0, 1)])
    smooth = frame.image
    if scale < 0.8 and rng.random() < 0.6:  # else as coarse as a detector's own resizing
        smooth = np.asarray(cv2.GaussianBlur(frame.image, (0, 0), 0.45 / scale), np.uint8)
    image = _warped(rng, smooth, move, (height, width), backdrop)
    owners = cv2.warpAffine(frame.owners, move, (width, height), flags=cv2.INTER_NEAREST, borderValue=NOBODY)
    if rng.random() < 0.5:
        image, owners = image[:, ::-1], owners[:, ::-1]
    whole = frame.whole * (scale * scale * wide)
    return LabelledFrame(np.ascontiguousarray(image), np.ascontiguousarray(owners, np.uint8), whole)


def _warped(
    rng: Generator, image: Image, move: NDArray[np.float64], size: tuple[int, int], backdrop: Backdrop
) -> Image:
    """Move an image; what is beyond it is letterbox grey, one colour, or a backdrop."""
    height, width = size
    kind = rng.random()
    empty = (PADDING,) * 3 if kind < 0.4 else tuple(rng.uniform(0, 255, 3).tolist())
    out = cv2.warpAffine(image, move, (width, height), flags=cv2.INTER_LINEAR, borderValue=empty)
    if kind < 0.6:
        return np.asarray(out, np.uint8)
    inside = cv2.warpAffine(
        np.full(image.shape[:2], 255, np.uint8), move, (width, height), flags=cv2.INTER_NEAREST, borderValue=0
    )
    return out if inside.all() else np.where(inside[..., None] > 0, out, backdrop(height, width)).astype(np.uint8)
