"""How many people a detector finds, and how many of its boxes are people, on labelled frames."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections, Detector, iou
from training.detector.examples import MIN_VISIBLE
from training.detector.frames import LabelledFrame, boxes_of

Floats = NDArray[np.float32]

MATCH_IOU = 0.5
IGNORE_IOU = 0.3  # a box on somebody not counted is neither right nor wrong


@dataclass(frozen=True, slots=True)
class Score:
    """What a detector is worth at one threshold, and over all of them.

    Attributes:
        recall: Of the `people` counted, the share found at IoU 0.5.
        precision: Of the boxes, the share that are people.
        average_precision: Area under precision over recall, at every recall point (PASCAL VOC since 2010).
        ms: Milliseconds a frame.
    """

    recall: float
    precision: float
    average_precision: float
    people: int
    ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A frame, `(h, w, 3)` uint8 BGR, the boxes in it, `(n, 4)` float32 xyxy, and which of them count, `(n,)`."""

    frame: NDArray[np.uint8]
    boxes: Floats
    counted: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Boxes that were right or wrong, of any number of frames; those on people who do not count are left out.

    Attributes:
        scores: `(n,)` float64.
        right: `(n,)` bool.
    """

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]


def score_detector(detector: Detector, truths: Iterable[Truth], min_score: float) -> Score:
    """Score a detector at `min_score`; for the average precision to mean something it must report lower ones too."""
    verdicts, people, frames, seconds = [], 0, 0, 0.0
    for truth in truths:
        start = time.perf_counter()
        found = detector.detect([truth.frame])[0]
        seconds += time.perf_counter() - start
        verdicts.append(match(found, truth.boxes, truth.counted))
        people, frames = people + int(truth.counted.sum()), frames + 1
    every = joined(verdicts)
    sure = every.scores >= min_score
    right = int((every.right & sure).sum())
    return Score(
        right / max(1, people),
        right / max(1, int(sure.sum())),
        average_precision(every, people),
        people,
        1000 * seconds / max(1, frames),
    )


def labelled(folder: Path, every: int) -> Iterator[Truth]:
    """Yield every `every`-th frame of `folder/*.mp4`, with its boxes of `folder/gt/*.txt` (MOTChallenge text).

    Raises:
        FileNotFoundError: When the folder holds no labelled video.
    """
    names = sorted(path.stem for path in (folder / "gt").glob("*.txt"))
    if not names:
        raise FileNotFoundError(f"{folder}: no labels in {folder / 'gt'}")
    for name in names:
        rows = np.loadtxt(folder / "gt" / f"{name}.txt", delimiter=",", ndmin=2)
        for number, frame in frames_of(folder / f"{name}.mp4", every):
            mine = rows[rows[:, 0] == number] if len(rows) else np.zeros((0, 10))
            boxes = np.concatenate([mine[:, 2:4], mine[:, 2:4] + mine[:, 4:6]], 1).astype(np.float32)
            yield Truth(frame, boxes, mine[:, 6] > 0)


def pseudo_labelled(video: Path, referee: Detector, sure: float, every: int) -> Iterator[Truth]:
    """Yield every `every`-th frame of a video without labels, with another detector's boxes in their place.

    Its boxes of a score of `sure` or more count; the weaker ones are neither right nor wrong.
    """
    for _, frame in frames_of(video, every):
        found = referee.detect([frame])[0]
        yield Truth(frame, found.boxes, found.scores >= sure)


def frames_of(video: Path, every: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield every `every`-th frame of a video with its number from 1 on, `(h, w, 3)` uint8 BGR."""
    capture = cv2.VideoCapture(str(video))
    number = 0
    while True:
        read, frame = capture.read()
        if not read:
            return
        number += 1
        if number % every == 0:
            yield number, np.asarray(frame, np.uint8)


def truth_of(frame: LabelledFrame, min_height_px: float = 0.0) -> Truth:
    """Return a rendered frame as truth; who is mostly hidden, or less than `min_height_px` high, does not count."""
    boxes, seen = boxes_of(frame.owners, len(frame.whole))
    counted = (seen >= MIN_VISIBLE * frame.whole) & (boxes[:, 3] - boxes[:, 1] >= min_height_px)
    shown = seen > 0
    return Truth(np.ascontiguousarray(frame.image[..., ::-1]), boxes[shown], counted[shown])


def match(found: Detections, boxes: Floats, counted: NDArray[np.bool_]) -> Verdicts:
    """Return which detections are right and which are wrong; each person is found once, by the best first."""
    overlaps = iou(found.boxes, boxes)
    taken = np.zeros(len(boxes), bool)
    scores, right = [], []
    for score, row in zip(found.scores.tolist(), overlaps, strict=True):
        open_ = np.where(counted & ~taken, row, -1.0)
        if len(open_) and open_.max() >= MATCH_IOU:
            taken[int(open_.argmax())] = True
            scores.append(score)
            right.append(True)
        elif not (row[~counted] >= IGNORE_IOU).any():
            scores.append(score)
            right.append(False)
    return Verdicts(np.array(scores, np.float64), np.array(right, np.bool_))


def joined(verdicts: list[Verdicts]) -> Verdicts:
    """Return the verdicts of many frames as one."""
    if not verdicts:
        return Verdicts(np.empty(0), np.empty(0, np.bool_))
    return Verdicts(np.concatenate([v.scores for v in verdicts]), np.concatenate([v.right for v in verdicts]))


def average_precision(verdicts: Verdicts, people: int) -> float:
    """Return the area under the best precision at each recall or a higher one, 0..1.

    >>> average_precision(Verdicts(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])), 2)
    0.8333333333333333
    """
    right = verdicts.right[np.argsort(-verdicts.scores, kind="stable")]
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[right].sum() / max(1, people))
