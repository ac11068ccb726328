"""How well identities hold over cameras: IDF1 over MOTChallenge text, one file a camera, one number a person. Pure
but for reading the two folders.

E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCV 2016 workshops,
section 3: one assignment of result numbers to true people over all cameras and frames at once, with the most true
positives. So a person who gets another number in every camera counts in one of them only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gallery.errors import ScoreError

SAME_BOX = 0.5  # intersection over union from which two boxes are one; the field's threshold


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Rows of one MOTChallenge file.

    Attributes:
        frames: `(n,)` int64, from 1.
        ids: `(n,)` int64.
        boxes: `(n, 4)` float64: left, top, width, height in px.
        counted: `(n,)` bool; ground truth with confidence 0 is a region where a result is neither right nor wrong.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    counted: NDArray[np.bool_]

    def chosen(self, rows: NDArray[np.bool_]) -> "Boxes":
        """Return the rows of a mask."""
        return Boxes(self.frames[rows], self.ids[rows], self.boxes[rows], self.counted[rows])


@dataclass(frozen=True, slots=True)
class IdentityScore:
    """Counts of boxes, and the measures made of them, as fractions.

    Attributes:
        true_positives, false_positives, false_negatives: IDTP, IDFP, IDFN.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def idf1(self) -> float:
        """Return 2 IDTP / (2 IDTP + IDFP + IDFN)."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)

    @property
    def idp(self) -> float:
        """Return IDTP / (IDTP + IDFP)."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def idr(self) -> float:
        """Return IDTP / (IDTP + IDFN)."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores of a site.

    Attributes:
        overall: One assignment of numbers over all cameras: the one that counts.
        cameras: Every camera by itself, with an assignment of its own.
        people: Result number assigned to each true person, for those that have one.
        numbers: How many numbers the results use.
    """

    overall: IdentityScore
    cameras: Mapping[str, IdentityScore]
    people: Mapping[int, int]
    numbers: int


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """How often each true person's box lay on each number's box, and how many boxes each has."""

    people: Mapping[int, int]
    numbers: Mapping[int, int]
    shared: Mapping[tuple[int, int], int]


def score_folder(truth: Path, results: Path) -> ScoreTable:
    """Score `results/CAMERA.txt` against `truth/CAMERA.txt`; a camera without results has found nobody.

    Raises:
        ScoreError: A folder or the truth is missing, a line is no row, a number stands twice in a frame, or there are
            results of a camera without truth.
    """
    for folder in (truth, results):
        if not folder.is_dir():
            raise ScoreError(f"{folder} is no folder")
    cameras = {path.stem: read_boxes(path) for path in sorted(truth.glob("*.txt"))}
    found = {path.stem: read_boxes(path) for path in sorted(results.glob("*.txt"))}
    if not cameras:
        raise ScoreError(f"{truth} holds no CAMERA.txt")
    if unknown := sorted(set(found) - set(cameras)):
        raise ScoreError(f"{results}: there is no truth about {', '.join(unknown)}")
    return score_site(cameras, found)


def score_site(truth: Mapping[str, Boxes], results: Mapping[str, Boxes]) -> ScoreTable:
    """Score the results of cameras against their truth; cameras without results have found nobody."""
    nobody = _boxes(np.empty((0, 7)))
    matches = {camera: _match(boxes, results.get(camera, nobody)) for camera, boxes in truth.items()}
    together = _sum(list(matches.values()))
    overall, people = _assign(together)
    cameras = {camera: _assign(found)[0] for camera, found in matches.items()}
    return ScoreTable(overall, cameras, people, len(together.numbers))


def read_boxes(path: Path) -> Boxes:
    """Return the rows of a file: `frame,id,left,top,width,height,conf,…`; empty lines are skipped.

    Raises:
        ScoreError: A line has fewer than seven numbers, or a number stands twice in a frame.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = [float(value) for value in line.split(",")[:7]]
        except ValueError as error:
            raise ScoreError(f"{path}:{number}: {error}") from error
        if len(row) < 7:
            raise ScoreError(f"{path}:{number}: expected at least 7 numbers, got {len(row)}")
        rows.append(row)
    boxes = _boxes(np.array(rows).reshape(-1, 7))
    keys = np.stack([boxes.frames, boxes.ids], axis=1)
    unique, counts = np.unique(keys, axis=0, return_counts=True)
    if (counts > 1).any():
        frame, identity = unique[counts > 1][0]
        raise ScoreError(f"{path}: {identity} stands {counts.max()} times in frame {frame}")
    return boxes


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the `(n, m)` intersection over union, in [0, 1], of `(n, 4)` and `(m, 4)` left, top, width, height.

    >>> overlap(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 2.0, 2.0]])).round(3).tolist()
    [[0.333]]
    """
    first = np.maximum(one[:, None, :2], other[None, :, :2])
    last = np.minimum(one[:, None, :2] + one[:, None, 2:], other[None, :, :2] + other[None, :, 2:])
    shared = np.clip(last - first, 0, None).prod(axis=2)
    union = one[:, None, 2:].prod(axis=2) + other[None, :, 2:].prod(axis=2) - shared
    ratio: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def _boxes(rows: NDArray[np.float64]) -> Boxes:
    return Boxes(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:6], rows[:, 6] != 0)


def _match(truth: Boxes, results: Boxes) -> _Matches:
    shared: dict[tuple[int, int], int] = {}
    numbers: dict[int, int] = {}
    for frame in np.unique(np.concatenate([truth.frames, results.frames])):
        true, found = truth.chosen(truth.frames == frame), results.chosen(results.frames == frame)
        found = found.chosen(~_ignored(true, found))
        true = true.chosen(true.counted)
        for number in found.ids:
            numbers[int(number)] = numbers.get(int(number), 0) + 1
        for i, j in zip(*np.nonzero(overlap(true.boxes, found.boxes) >= SAME_BOX), strict=True):
            pair = (int(true.ids[i]), int(found.ids[j]))
            shared[pair] = shared.get(pair, 0) + 1
    people, counts = np.unique(truth.ids[truth.counted], return_counts=True)
    return _Matches(dict(zip(people.tolist(), counts.tolist(), strict=True)), numbers, shared)


def _ignored(truth: Boxes, found: Boxes) -> NDArray[np.bool_]:
    """Return which results of a frame lie on a region that is not counted, and better than on anybody counted."""
    on_region = overlap(truth.boxes[~truth.counted], found.boxes).max(axis=0, initial=0.0)
    on_person = overlap(truth.boxes[truth.counted], found.boxes).max(axis=0, initial=0.0)
    ignored: NDArray[np.bool_] = (on_region >= SAME_BOX) & (on_region > on_person)
    return ignored


def _sum(matches: list[_Matches]) -> _Matches:
    people: dict[int, int] = {}
    numbers: dict[int, int] = {}
    shared: dict[tuple[int, int], int] = {}
    for match in matches:
        for total, part in ((people, match.people), (numbers, match.numbers)):
            for key, count in part.items():
                total[key] = total.get(key, 0) + count
        for pair, count in match.shared.items():
            shared[pair] = shared.get(pair, 0) + count
    return _Matches(people, numbers, shared)


def _assign(matches: _Matches) -> tuple[IdentityScore, dict[int, int]]:
    """Return the score of the assignment with the most true positives, and that assignment."""
    people, numbers = sorted(matches.people), sorted(matches.numbers)
    table = np.array([[matches.shared.get((person, number), 0) for number in numbers] for person in people])
    table = table.reshape(len(people), len(numbers))
    rows, columns = linear_sum_assignment(table, maximize=True)
    right = int(table[rows, columns].sum())
    score = IdentityScore(right, sum(matches.numbers.values()) - right, sum(matches.people.values()) - right)
    return score, {people[i]: numbers[j] for i, j in zip(rows, columns, strict=True) if table[i, j] > 0}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
