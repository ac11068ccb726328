"""IDF1 across cameras, from MOTChallenge text with one file per camera and one number per person. Pure, except for
reading the two folders.

E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCV 2016 workshops,
section 3: one assignment of result numbers to true people over all cameras and frames at once, that maximises true
positives. A person with a different number in each camera therefore only counts in one of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gallery.errors import ScoreError
from gallery.score.first_frame import FirstFrame, aligned
from gallery.score.mot import NO_BOXES, Boxes, read_boxes
from gallery.score.overlap import frame_pairs, overlap
from gallery.score.sequences import find_sequences, paired

SAME_BOX = 0.5  # intersection over union from which two boxes match; the standard threshold
_FIND_OUT = FirstFrame()


@dataclass(frozen=True, slots=True)
class IdentityScore:
    """Counts of boxes, and the measures derived from them, as fractions.

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
        overall: With one assignment of numbers over all cameras; the main score.
        cameras: Each camera separately, with its own assignment.
        people: Result number assigned to each true person, where there is one.
        numbers: Number of distinct numbers in the results.
        remarks: What was skipped, missing or adjusted, one sentence each.
    """

    overall: IdentityScore
    cameras: Mapping[str, IdentityScore]
    people: Mapping[int, int]
    numbers: int
    remarks: tuple[str, ...] = ()

    @property
    def separate(self) -> IdentityScore:
        """Return the sum over cameras, each with its own assignment; TrackEval calls it COMBINED."""
        scores = self.cameras.values()
        return IdentityScore(
            sum(one.true_positives for one in scores),
            sum(one.false_positives for one in scores),
            sum(one.false_negatives for one in scores),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """Number of matching boxes of each true person and result number, and number of boxes of each."""

    people: Counter[int] = field(default_factory=Counter)
    numbers: Counter[int] = field(default_factory=Counter)
    shared: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, other: "_Matches") -> None:
        self.people.update(other.people)
        self.numbers.update(other.numbers)
        self.shared.update(other.shared)


def score_folder(truth: Path, results: Path, first: FirstFrame = _FIND_OUT) -> ScoreTable:
    """Score the results of every camera against its truth; a camera without results counts as having found nobody.

    Args:
        truth: Folder in one of the layouts of `gallery.score.sequences`, or one file.
        results: The same.
        first: Number of the first frame on both sides.

    Raises:
        ScoreError: A side is missing or malformed, the truth has nobody to find, or there are results without truth.
    """
    remarks: list[str] = []
    pairs = paired(find_sequences(truth), find_sequences(results, may_be_empty=True), remarks.append)
    true = {name: _truth(path, remarks) for name, (path, _) in pairs.items()}
    found = {name: _tracks(path, remarks) for name, (_, path) in pairs.items() if path is not None}
    if not any(boxes.counted.any() for boxes in true.values()):
        raise ScoreError(f"{truth}: no row counts as a person, so there is nothing to score{_why_nobody(true)}")
    found = aligned(true, found, first, remarks.append)
    table = score_site(true, found)
    return ScoreTable(table.overall, table.cameras, table.people, table.numbers, tuple(remarks))


def score_site(truth: Mapping[str, Boxes], results: Mapping[str, Boxes]) -> ScoreTable:
    """Score the results of cameras against their truth; cameras without results count as having found nobody."""
    matches = {camera: _match(boxes, results.get(camera, NO_BOXES)) for camera, boxes in truth.items()}
    together = _Matches()
    for match in matches.values():
        together.add(match)
    overall, people = _assign(together)
    cameras = {camera: _assign(found)[0] for camera, found in matches.items()}
    return ScoreTable(overall, cameras, people, len(together.numbers))


def _truth(path: Path, remarks: list[str]) -> Boxes:
    return read_boxes(path, remarks.append)


def _tracks(path: Path, remarks: list[str]) -> Boxes:
    boxes = read_boxes(path, remarks.append)
    if others := int((~boxes.people).sum()):
        remarks.append(f"{path}: {others} boxes of classes other than people (column 8) were left out")
    return boxes.chosen(boxes.people)


def _why_nobody(truth: Mapping[str, Boxes]) -> str:
    rows = sum(len(boxes.ids) for boxes in truth.values())
    if not rows:
        return ": its files are empty"
    return f": all {rows} rows have a confidence of 0 in column 7, or a class other than 1 in column 8"


def _match(truth: Boxes, results: Boxes) -> _Matches:
    people: Counter[int] = Counter(truth.ids[truth.counted].tolist())
    numbers: Counter[int] = Counter()
    shared: Counter[tuple[int, int]] = Counter()
    neutral = truth.neutral
    for true, found in frame_pairs(truth.frames, results.frames):
        overlaps = overlap(truth.boxes[true], results.boxes[found])
        kept = ~_neutral(overlaps, neutral[true])
        ids, overlaps = results.ids[found][kept], overlaps[:, kept][truth.counted[true]]
        numbers.update(ids.tolist())
        rows, columns = np.nonzero(overlaps >= SAME_BOX)
        whose = truth.ids[true][truth.counted[true]]
        shared.update(zip(whose[rows].tolist(), ids[columns].tolist(), strict=True))
    return _Matches(people, numbers, shared)


def _neutral(overlaps: NDArray[np.float64], neutral: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `(m,)` which results of a frame are neither right nor wrong.

    As in TrackEval, these are the results that are assigned to neutral rows when all rows of the truth are assigned
    with maximum total overlap.

    Args:
        overlaps: `(n, m)` intersection over union of truth and results.
        neutral: `(n,)` which rows of the truth are neutral.
    """
    ignored = np.zeros(overlaps.shape[1], np.bool_)
    if neutral.any():
        possible = np.where(overlaps >= SAME_BOX, overlaps, 0.0)
        rows, columns = linear_sum_assignment(possible, maximize=True)
        ignored[columns[neutral[rows] & (possible[rows, columns] > 0)]] = True
    return ignored


def _assign(matches: _Matches) -> tuple[IdentityScore, dict[int, int]]:
    """Return the score of the assignment that maximises true positives, and that assignment."""
    people, numbers = sorted(matches.people), sorted(matches.numbers)
    row, column = _places(people), _places(numbers)
    table = np.zeros((len(people), len(numbers)), np.int64)
    for (person, number), count in matches.shared.items():
        table[row[person], column[number]] = count
    rows, columns = linear_sum_assignment(table, maximize=True)
    right = int(table[rows, columns].sum())
    score = IdentityScore(right, matches.numbers.total() - right, matches.people.total() - right)
    return score, {people[i]: numbers[j] for i, j in zip(rows, columns, strict=True) if table[i, j] > 0}


def _places(names: Iterable[int]) -> dict[int, int]:
    return {name: place for place, name in enumerate(names)}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
