"""A detector without a model file: OpenCV's histogram of oriented gradients (Dalal and Triggs, CVPR 2005)."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections, suppress

MAX_WIDTH = 640  # px; larger frames make it slower than a network and no better
NMS_IOU = 0.5


class HogDetector:
    """Detects upright, fully visible people at least 128 px high after shrinking; slow and error-prone."""

    name = "hog"

    def __init__(self) -> None:
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return the people in each frame."""
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: NDArray[np.uint8]) -> Detections:
        scale = min(1.0, MAX_WIDTH / frame.shape[1])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        if small.shape[0] < 128 or small.shape[1] < 64:  # the detector's window
            return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))
        found, margins = self._hog.detectMultiScale(small, winStride=(8, 8), padding=(8, 8), scale=1.05)
        rects = np.asarray(found, np.float32).reshape(-1, 4)
        inset = rects[:, 2:] * np.array((0.15, 0.05), np.float32)  # its windows have a margin around the person
        boxes = np.concatenate((rects[:, :2] + inset, rects[:, :2] + rects[:, 2:] - inset), axis=1) / scale
        limits = np.array((frame.shape[1], frame.shape[0]) * 2, np.float32)
        scores = 1 / (1 + np.exp(-2 * np.asarray(margins, np.float32).reshape(-1)))  # distance to a plane -> (0.5, 1)
        return suppress(Detections(np.clip(boxes, 0, limits), scores.astype(np.float32)), NMS_IOU)
