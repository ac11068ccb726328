"""Draw where the bundled detector still fails: held-out generated frames, missed people dashed, false boxes solid.

    python -m training.detector --folder runs/detector ...
    python docs/images/detector_failures.py runs/detector/held-out

Everybody in the picture is generated.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from reid_worker.detectors.detection import iou
from reid_worker.detectors.yolox import YoloxDetector
from training.detector.__main__ import MIN_HEIGHT_PX, REPORT_SCORE, WEIGHTS
from training.detector.pool import FramePool
from training.detector.score import IGNORE_IOU, MATCH_IOU, Truth, truth_of

TARGET = Path(__file__).with_name("detector-failures.jpg")
COLUMNS, ROWS, TILE = 4, 3, (400, 226)
MISSED, FALSE = (255, 214, 0), (230, 50, 40)
Box = tuple[float, float, float, float]


def failures(detector: YoloxDetector, truth: Truth) -> tuple[list[Box], list[Box]]:
    """Return the boxes of people who were missed, and those on nobody."""
    found = detector.detect([truth.frame])[0]
    found = found[found.scores >= REPORT_SCORE]
    overlaps = iou(found.boxes, truth.boxes)
    missed = truth.boxes[truth.counted & (overlaps.max(0, initial=0.0) < MATCH_IOU)]
    false = found.boxes[overlaps.max(1, initial=0.0) < IGNORE_IOU]
    return [tuple(box) for box in missed.tolist()], [tuple(box) for box in false.tolist()]


def worst(detector: YoloxDetector, pool: FramePool) -> Iterator[Image.Image]:
    """Yield the frames with most failures, one of each camera, drawn."""
    seen: dict[int, tuple[int, Truth, list[Box], list[Box]]] = {}
    for number in range(len(pool)):
        truth = truth_of(pool[number], MIN_HEIGHT_PX)
        missed, false = failures(detector, truth)
        camera, count = number // 10, len(missed) + len(false)
        if truth.frame.shape[0] < truth.frame.shape[1] and count > seen.get(camera, (0,))[0]:
            seen[camera] = (count, truth, missed, false)
    for _, truth, missed, false in sorted(seen.values(), key=lambda one: -one[0]):
        yield drawn(truth.frame, missed, false)


def drawn(frame: NDArray[np.uint8], missed: list[Box], false: list[Box]) -> Image.Image:
    """Return a frame, BGR, as a tile with its failures marked."""
    image = Image.fromarray(cv2.resize(frame, TILE, interpolation=cv2.INTER_AREA)[..., ::-1])
    scale = np.tile((TILE[0] / frame.shape[1], TILE[1] / frame.shape[0]), 2)
    draw = ImageDraw.Draw(image)
    for box in missed:
        left, top, right, bottom = (np.array(box) * scale).tolist()
        for along in range(int(top), int(bottom), 8):
            draw.line((left, along, left, min(bottom, along + 4)), MISSED, 2)
            draw.line((right, along, right, min(bottom, along + 4)), MISSED, 2)
        for along in range(int(left), int(right), 8):
            draw.line((along, top, min(right, along + 4), top), MISSED, 2)
            draw.line((along, bottom, min(right, along + 4), bottom), MISSED, 2)
    for box in false:
        draw.rectangle((np.array(box) * scale).tolist(), outline=FALSE, width=2)
    return image


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("frames", type=Path, help="folder of held-out frames")
    given = parser.parse_args()
    sheet = Image.new("RGB", (COLUMNS * TILE[0], ROWS * TILE[1]))
    tiles = worst(YoloxDetector(WEIGHTS, min_score=REPORT_SCORE, threads=1), FramePool(given.frames))
    for place, tile in zip(range(COLUMNS * ROWS), tiles, strict=False):
        sheet.paste(tile, (place % COLUMNS * TILE[0], place // COLUMNS * TILE[1]))
    sheet.save(TARGET, quality=82)


if __name__ == "__main__":
    main()
