"""Where people were, as `climbtrack run` and a store tell it, and how two such answers differ. Pure but for reading."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_worker.detectors.detection import iou

SAME_IOU = 0.5  # two versions place the box of one person a little differently
TWICE_IOU = 0.8  # two people are not that close

Row = tuple[str, int, str]  # camera, frame, box
People = dict[str, list[Row]]


def people_of(folder: Path, suffix: str = "") -> People:
    """Return where each person was; `suffix` is what the names of the cameras end with and is left out."""
    people: People = defaultdict(list)
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text().splitlines():
            frame, identity, *rest = line.split(",")
            people[identity].append((path.stem.removesuffix(suffix), int(frame), ",".join(rest[:4])))
    return dict(people)


def compared(one: People, other: People) -> Counter[str]:
    """Return how many people differ, and how many rows of the first the second lacks, or has more or twice."""
    mine, theirs = ([row for rows in people.values() for row in rows] for people in (one, other))
    changed = {frozenset(rows) for rows in one.values()} ^ {frozenset(rows) for rows in other.values()}
    return Counter(
        people_changed=len(changed),
        rows_lost=len(set(mine) - set(theirs)),
        rows_added=len(set(theirs) - set(mine)),
        rows_twice=len(theirs) - len(set(theirs)),
    )


def upgraded(before: People, after: People, found: People) -> Counter[str]:
    """Return what an upgrade lost of the rows that both versions find by themselves, and what it counted twice."""
    old, new, now = (_by_frame(people) for people in (before, after, found))
    both = {frame: boxes[_found(boxes, new.get(frame))] for frame, boxes in old.items()}
    return Counter(
        rows_of_both=sum(map(len, both.values())),
        rows_lost=sum(int(np.count_nonzero(~_found(boxes, now.get(frame)))) for frame, boxes in both.items()),
        rows_twice=sum(map(_twice, now.values())),
    )


def _by_frame(people: People) -> dict[tuple[str, int], NDArray[np.float32]]:
    """Return the boxes of each frame of each camera, `(n, 4)` xyxy in pixels."""
    frames: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    for rows in people.values():
        for camera, frame, box in rows:
            x, y, width, height = (float(word) for word in box.split(","))
            frames[camera, frame].append([x, y, x + width, y + height])
    return {frame: np.array(boxes, np.float32) for frame, boxes in frames.items()}


def _found(boxes: NDArray[np.float32], among: NDArray[np.float32] | None) -> NDArray[np.bool_]:
    """Return which boxes are among others."""
    if among is None or not len(boxes):
        return np.zeros(len(boxes), np.bool_)
    found: NDArray[np.bool_] = iou(boxes, among).max(axis=1, initial=0) >= SAME_IOU
    return found


def _twice(boxes: NDArray[np.float32]) -> int:
    """Return how many pairs of boxes are of one person."""
    return int(np.count_nonzero(np.triu(iou(boxes, boxes) >= TWICE_IOU, 1)))
