"""Tries a detector on a generated picture of three people before it is used: one that finds nobody is named.

A file may load, run and find nobody: it expects other colours or values than its layout tells, people are not its first
class, or it was never trained. Cameras would stay empty without a word.
"""

from pathlib import Path

import cv2
import numpy as np

from reid_worker.detectors.detection import Detector, iou

PICTURE = Path(__file__).with_name("people.jpg")  # of a generated site, 640 x 360 px
PEOPLE = np.array([[270, 66, 332, 190], [90, 120, 164, 288], [397, 64, 494, 248]], np.float32)  # xyxy px
SAME_BOX = 0.5  # of intersection and union
BLIND = (
    "detector {name} finds none of the three people in a picture that it was tried on, so cameras may stay empty: "
    "its file may expect other colours or values, have people in another class than the first, or be untrained; "
    "check it, or take another detector (docs/models.md)"
)


def complaint(detector: Detector) -> str:
    """Return what is wrong with a detector that finds none of the people; empty if it finds somebody."""
    picture = np.asarray(cv2.imread(str(PICTURE)), np.uint8)
    (found,) = detector.detect([picture])
    return "" if (iou(PEOPLE, found.boxes) > SAME_BOX).any() else BLIND.format(name=detector.name)
