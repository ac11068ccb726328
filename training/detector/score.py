"""How many people a detector finds, and how many of its boxes are people, on labelled videos."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections, Detector, iou
from reid_worker.detectors.yolox import YoloxDetector

Floats = NDArray[np.float32]

MATCH_IOU = 0.5
IGNORE_IOU = 0.3  # a box on somebody not counted is neither right nor wrong


@dataclass(frozen=True, slots=True)
class Score:
    """Recall and precision at IoU 0.5, over `people` counted boxes."""

    recall: float
    precision: float
    people: int


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A frame, `(h, w, 3)` uint8 BGR, the boxes in it, `(n, 4)` float32 xyxy, and which of them count, `(n,)`."""

    frame: NDArray[np.uint8]
    boxes: Floats
    counted: NDArray[np.bool_]


def score_folder(model: Path, folder: Path, min_score: float, every: int = 10) -> Score:
    """Run a model on every `every`-th frame of `folder/*.mp4` against `folder/gt/*.txt` (MOTChallenge text).

    Raises:
        FileNotFoundError: When the folder holds no labelled video.
    """
    detector = YoloxDetector(model, min_score=min_score, nms_iou=0.55, threads=1)
    return score_detector(detector, folder, every)


def score_detector(detector: Detector, folder: Path, every: int = 10) -> Score:
    """Score any detector on a folder of labelled videos."""
    right = wrong = people = 0
    for truth in labelled(folder, every):
        found = detector.detect([truth.frame])[0]
        hits, misses = match(found, truth.boxes, truth.counted)
        right, wrong, people = right + hits, wrong + misses, people + int(truth.counted.sum())
    return Score(right / max(1, people), right / max(1, right + wrong), people)


def labelled(folder: Path, every: int) -> Iterator[Truth]:
    """Yield every `every`-th frame of all videos in a folder, with its boxes."""
    names = sorted(path.stem for path in (folder / "gt").glob("*.txt"))
    if not names:
        raise FileNotFoundError(f"{folder}: no labels in {folder / 'gt'}")
    for name in names:
        rows = np.loadtxt(folder / "gt" / f"{name}.txt", delimiter=",", ndmin=2)
        video = cv2.VideoCapture(str(folder / f"{name}.mp4"))
        number = 0
        while True:
            read, frame = video.read()
            if not read:
                break
            number += 1
            if number % every == 0:
                mine = rows[rows[:, 0] == number] if len(rows) else np.zeros((0, 10))
                boxes = np.concatenate([mine[:, 2:4], mine[:, 2:4] + mine[:, 4:6]], 1).astype(np.float32)
                yield Truth(frame, boxes, mine[:, 6] > 0)


def match(found: Detections, boxes: Floats, counted: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many detections are right and how many are wrong; each person is found once, by the best first."""
    overlaps = iou(found.boxes, boxes)
    taken = np.zeros(len(boxes), bool)
    right = wrong = 0
    for row in overlaps:
        open_ = np.where(counted & ~taken, row, -1.0)
        if len(open_) and open_.max() >= MATCH_IOU:
            taken[int(open_.argmax())] = True
            right += 1
        elif not (row[~counted] >= IGNORE_IOU).any():
            wrong += 1
    return right, wrong
