"""Very wide lenses: what bends straight lines, and shrinks people towards the border of the picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.detector.frames import NOBODY, LabelledFrame, boxes_of


def barrel_distorted(frame: LabelledFrame, strength: float) -> LabelledFrame:
    """Return a frame as a lens with barrel distortion shows it; the corners stay where they are.

    What is shown at radius r, in half diagonals, was at `r (1 + k r²) / (1 + k)`: the middle grows, the border shrinks
    (Brown's radial model with one coefficient). The people's whole areas follow the lens at the middle of their boxes.

    Args:
        frame: Any frame.
        strength: k, 0 (none) to 1 (a cheap fisheye).
    """
    height, width = frame.owners.shape
    middle, half = np.array((width / 2, height / 2)), np.hypot(width, height) / 2
    y, x = np.mgrid[:height, :width]
    out = np.stack((x + 0.5, y + 0.5), -1) - middle
    square = (out**2).sum(-1, keepdims=True) / half**2
    source = (out * (1 + strength * square) / (1 + strength) + middle - 0.5).astype(np.float32)
    image = cv2.remap(frame.image, source, None, cv2.INTER_LINEAR)
    owners = cv2.remap(
        frame.owners, source, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=NOBODY
    )
    bent_owners = np.asarray(owners, np.uint8)
    boxes, _ = boxes_of(bent_owners, len(frame.whole))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 - middle
    return LabelledFrame(
        np.asarray(image, np.uint8), bent_owners, frame.whole * _growth((centres**2).sum(1) / half**2, strength)
    )


def _growth(square: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """Return by how much the lens enlarges areas at squared radii: one over along times across."""
    along, across = (1 + 3 * strength * square) / (1 + strength), (1 + strength * square) / (1 + strength)
    return np.asarray(1 / (along * across), np.float64)
