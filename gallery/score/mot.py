"""MOTChallenge text: one box per line, `frame,id,left,top,width,height,confidence` and columns that depend on the set.

    MOT15           ...,confidence,x,y,z            world coordinates or -1: not read
    MOT16 to MOT20  ...,consider,class,visibility   class 1 is a pedestrian, 2 to 13 are not
    results         ...,confidence,-1,-1,-1

Commas, semicolons, tabs and spaces separate columns; blank lines and comments (`#`, `%`, `//`) are skipped. Any
other line is rejected with its file and line number: a wrong number must never become a score.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gallery.score.rows import COLUMNS, MISSING, MOST, Table, read_table

PERSON = 1
NO_CLASS = MISSING
NEUTRAL_CLASSES = (2, 7, 8, 12)  # person on a vehicle, static person, distractor, reflection: as in TrackEval
_CLASSES = 13
_LARGEST = 2.0**53  # beyond this, float64 does not represent every integer
_LARGEST_PX = 1e7


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Rows of one MOTChallenge file.

    Attributes:
        frames: `(n,)` int64, as the file counts them, from 0 or 1.
        ids: `(n,)` int64, 0 or more.
        boxes: `(n, 4)` float64: left, top, width, height in px.
        counted: `(n,)` bool; as ground truth, these rows are people who must be found.
        classes: `(n,)` int64, MOTChallenge's classes 1 to 13 or NO_CLASS; None where no row has one.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    counted: NDArray[np.bool_]
    classes: NDArray[np.int64] | None = None

    def chosen(self, rows: NDArray[np.bool_]) -> "Boxes":
        """Return the rows selected by a mask."""
        classes = None if self.classes is None else self.classes[rows]
        return Boxes(self.frames[rows], self.ids[rows], self.boxes[rows], self.counted[rows], classes)

    @property
    def people(self) -> NDArray[np.bool_]:
        """Return `(n,)` which rows have the class of people, or no class."""
        return self._of((PERSON, NO_CLASS))

    @property
    def neutral(self) -> NDArray[np.bool_]:
        """Return `(n,)` which rows of ground truth make a matching result neither right nor wrong.

        Among rows with a class, these are the classes that resemble people, as in TrackEval; among rows without one,
        those that are not counted.
        """
        return self._of(NEUTRAL_CLASSES) | (self._of((NO_CLASS,)) & ~self.counted)

    def _of(self, classes: Sequence[int]) -> NDArray[np.bool_]:
        own = np.full(len(self.ids), NO_CLASS) if self.classes is None else self.classes
        return np.asarray(np.isin(own, classes), np.bool_)


NO_BOXES = Boxes(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 4)), np.empty(0, np.bool_))


def read_boxes(path: Path, report: Callable[[str], None] = lambda _: None) -> Boxes:
    """Return the rows of a MOTChallenge file.

    Args:
        path: The file.
        report: Called with a message if a header was skipped.

    Raises:
        ScoreError: The file cannot be read, a line is not a row of numbers in the usual order and range, or an id
            appears twice in a frame; the message names file and line.
    """
    table = read_table(path, report)
    _refuse_wrong_numbers(table)
    _refuse_repeated(table)
    classes = _classes(table)
    counted = table.rows[:, 6] != 0
    if classes is not None:
        counted &= np.isin(classes, (PERSON, NO_CLASS))
    frames, ids = table.rows[:, 0].astype(np.int64), table.rows[:, 1].astype(np.int64)
    return Boxes(frames, ids, table.rows[:, 2:6], counted, classes)


def _refuse_wrong_numbers(table: Table) -> None:
    """Reject the first row with a number that is not finite or out of range."""
    rows, faults = table.rows, []
    for column, name in enumerate(COLUMNS):
        values = rows[:, column]
        faults += [
            (~np.isfinite(values), column, f"{name} is {{}}, which is not a finite number"),
            (np.abs(values) > _LARGEST, column, f"{name} is {{}}, which is too large"),
        ]
        if name in {"frame", "id"}:
            faults += [
                (values != np.floor(values), column, f"{name} is {{}}, which is not a whole number"),
                (values < 0, column, f"{name} is {{}}, but must not be negative{_NEGATIVE[name]}"),
            ]
        if name in {"left", "top", "width", "height"}:
            faults.append((np.abs(values) > _LARGEST_PX, column, f"{name} is {{}}, more than any picture has pixels"))
        if name in {"width", "height"}:
            faults.append((values <= 0, column, f"{name} is {{}}, but must be more than 0"))
    found = [(int(np.argmax(mask)), column, why) for mask, column, why in faults if mask.any()]
    if found:
        row, column, why = min(found, key=lambda fault: fault[:2])
        raise table.refused(row, why.format(f"{rows[row, column]:.12g}"))


_NEGATIVE = {"frame": "", "id": ": rows without an identity are detections, not tracks"}


def _refuse_repeated(table: Table) -> None:
    keys = table.rows[:, :2]
    order = np.lexsort((np.arange(len(keys)), keys[:, 1], keys[:, 0]))
    same = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
    if same.any():
        place = int(np.argmin(np.where(same, table.lines[order[1:]], np.iinfo(np.int64).max)))
        frame, identity = keys[order[place]].astype(np.int64)
        first = table.lines[order[place]]
        raise table.refused(
            int(order[place + 1]), f"id {identity} appears twice in frame {frame}, first in line {first}"
        )


def _classes(table: Table) -> NDArray[np.int64] | None:
    """Return the class of each row, or None where column 8 is something else.

    A file of ten columns is MOT15's, whose columns 8 to 10 are world coordinates or -1, unless column 8 holds
    only classes and column 9 only visibilities. Some programs write zeros throughout for "none".
    """
    values = table.rows[:, 7]
    if not np.array_equal(values, np.floor(values)) or np.isin(values, (0, NO_CLASS)).all():
        return None
    known = (values == NO_CLASS) | ((values >= PERSON) & (values <= _CLASSES))
    visibility = table.rows[:, 8]
    visible = (visibility == NO_CLASS) | ((visibility >= 0) & (visibility <= 1))
    if table.widths.max() >= MOST and not (known & visible).all():
        return None
    if not known.all():
        row = int(np.argmin(known))
        raise table.refused(
            row,
            f"class {values[row]:.0f} is not one of MOTChallenge's: 1 is a person, 2 to {_CLASSES} are not; write 1 for"
            f" people, or {NO_CLASS} for no class",
        )
    return values.astype(np.int64)
