"""Rows of numbers from text: columns separated by commas, semicolons, tabs or spaces; with their lines, for errors.

Blank lines and comments (`#`, `%`, `//`) are skipped, and so is a header that names the columns in their usual order.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gallery.errors import ScoreError
from gallery.score.formats import other_format
from wire.errors import TextError
from wire.text import read_lines

COLUMNS = ("frame", "id", "left", "top", "width", "height", "confidence", "column 8", "column 9", "column 10")
MISSING = -1  # value of columns that a row does not have
FEWEST, MOST = 7, 10
_COMMENTS = ("#", "%", "//")
_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_PLAIN = re.compile(f"{_NUMBER}(?:, *{_NUMBER})*")
_SYNONYMS = (  # of the columns that a header must have, in this order
    {"frame", "frames", "frameid", "frameno", "framenumber", "framenum", "frameindex", "fn", "fr", "t"},
    {"id", "ids", "trackid", "trackerid", "objectid", "objid", "targetid", "personid", "pid", "identity", "tid"},
    {"left", "x", "x1", "xmin", "bbleft", "bboxleft", "boxleft", "bbx", "bboxx", "tlx", "l", "xtl"},
    {"top", "y", "y1", "ymin", "bbtop", "bboxtop", "boxtop", "bby", "bboxy", "tly", "t", "ytl"},
    {"width", "w", "bbwidth", "bboxwidth", "boxwidth", "bbw", "bboxw"},
    {"height", "h", "bbheight", "bboxheight", "boxheight", "bbh", "bboxh"},
    {"confidence", "conf", "score", "detscore", "prob", "consider", "considered", "considerentry", "active", "flag"},
    {"class", "cls", "classid", "objectclass", "category", "categoryid", "label", "type", "x", "wx", "worldx", "x3d"},
    {"visibility", "vis", "visible", "visibilityratio", "y", "wy", "worldy", "y3d"},
    {"z", "wz", "worldz", "z3d"},
)
_EXPECTED = f"convert it to MOTChallenge text, {','.join(COLUMNS[:FEWEST])}"
_UNUSED = {"", "unused", "none", "na", "nan"}  # names of columns behind the confidence that hold nothing


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The numbers of a file.

    Attributes:
        path: The file.
        lines: `(n,)` line number of each row, from 1.
        rows: `(n, 10)`; missing columns are MISSING.
        widths: `(n,)` number of columns of each row.
    """

    path: Path
    lines: NDArray[np.int64]
    rows: NDArray[np.float64]
    widths: NDArray[np.int64]

    def refused(self, row: int, why: str) -> ScoreError:
        """Return the error of a row, with file and line."""
        return ScoreError(f"{self.path}:{self.lines[row]}: {why}")


def read_table(path: Path, report: Callable[[str], None]) -> Table:
    """Return the numbers of a file.

    Args:
        path: The file.
        report: Called with a message if a header was skipped.

    Raises:
        ScoreError: The file cannot be read, or a line is not a row of 7 or more numbers; the message names the line.
    """
    try:
        lines = read_lines(path)
    except TextError as error:
        raise ScoreError(str(error)) from error
    except OSError as error:
        raise ScoreError(f"{path} cannot be read: {error.strerror}") from error
    return _plain_table(path, lines) or _any_table(path, lines, report)


def _plain_table(path: Path, lines: Sequence[str]) -> Table | None:
    """Read numbers with commas alone, as most files are, ten times as fast; None for any other file."""
    if not lines or not all(map(_PLAIN.fullmatch, lines)):
        return None
    try:
        rows = np.loadtxt(lines, delimiter=",", ndmin=2)
    except ValueError:  # rows of different lengths
        return None
    count, width = rows.shape
    if not FEWEST <= width <= MOST:
        return None
    rows = np.pad(rows, ((0, 0), (0, MOST - width)), constant_values=MISSING)
    return Table(path, np.arange(1, count + 1), rows, np.full(count, width))


def _any_table(path: Path, lines: Sequence[str], report: Callable[[str], None]) -> Table:
    numbers: list[int] = []
    rows: list[list[float]] = []
    widths: list[int] = []
    headed = False
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith(_COMMENTS):
            continue
        fields = _fields(text)
        if not rows and not headed and _is_header(fields):
            _require_usual_order(path, number, text, fields)
            report(f"{path}:{number}: skipped the header")
            headed = True
            continue
        values = _values(path, number, text, fields)
        numbers.append(number)
        rows.append(values + [float(MISSING)] * (MOST - len(values)))
        widths.append(len(values))
    return Table(path, np.array(numbers, np.int64), np.array(rows).reshape(-1, MOST), np.array(widths, np.int64))


def _fields(line: str) -> list[str]:
    """Split a line into columns; semicolons are tried first, as decimal commas occur between them."""
    for separator in ";,\t":
        if separator in line:
            fields = [field.strip(' \t"') for field in line.split(separator)]
            while fields and not fields[-1]:  # a spreadsheet makes all rows as wide as the widest
                fields.pop()
            return fields
    return line.split()


def _values(path: Path, number: int, text: str, fields: Sequence[str]) -> list[float]:
    """Return up to ten numbers; further columns, which some programs add, are ignored."""
    values = _numbers(text, fields[:MOST])
    if (values is None or len(values) < FEWEST) and (name := other_format(text, fields)):
        raise ScoreError(f"{path}:{number}: this looks like {name}; {_EXPECTED}")
    if values is None:
        values = [_one_number(path, number, name, field) for name, field in zip(COLUMNS, fields, strict=False)]
    if len(values) < FEWEST:
        raise ScoreError(
            f"{path}:{number}: expected at least {FEWEST} columns ({','.join(COLUMNS[:FEWEST])}), got {len(values)}"
        )
    return values


def _one_number(path: Path, number: int, name: str, field: str) -> float:
    if not field:
        raise ScoreError(f"{path}:{number}: {name} is empty")
    if (values := _numbers(field, [field])) is None:
        raise ScoreError(f"{path}:{number}: could not convert {name} {field!r} to a number{_hint(field)}")
    return values[0]


def _numbers(text: str, fields: Sequence[str]) -> list[float] | None:
    """Parse numbers; None if one is invalid, including `1_000` and non-ASCII digits, which Python would accept."""
    if "_" in text or not text.isascii():
        return None
    try:
        return [float(field) for field in fields]
    except ValueError:
        return None


def _hint(field: str) -> str:
    return ": write decimals with a point" if re.fullmatch(r"[+-]?\d+,\d+", field) else ""


def _is_header(fields: Sequence[str]) -> bool:
    """Return whether every column is a name: neither a number nor starting like one."""
    return all(_numbers(field, [field]) is None and not re.match(r"[-+.]?[0-9]", field) for field in fields)


def _require_usual_order(path: Path, number: int, text: str, fields: Sequence[str]) -> None:
    if name := other_format(text, fields):
        raise ScoreError(f"{path}:{number}: this looks like {name}; {_EXPECTED}")
    names = [re.sub(r"[^a-z0-9]", "", field.lower()) for field in fields]
    wrong = [
        field
        for field, name, known in zip(fields, names, _SYNONYMS, strict=False)
        if name not in known and not (name in _UNUSED and known in _SYNONYMS[FEWEST:])
    ]
    if len(names) >= FEWEST and wrong and wrong[0] not in fields[: FEWEST - 1]:
        raise ScoreError(
            f"{path}:{number}: column {fields.index(wrong[0]) + 1} is {wrong[0][:80]!r}, but must be the confidence "
            "(7), the class or a world coordinate (8), or the visibility (9): rearrange the columns, or leave it out"
        )
    if wrong or len(names) < FEWEST - 1:
        raise ScoreError(
            f"{path}:{number}: {','.join(fields)[:80]!r} is neither a row of numbers nor a header for the columns "
            f"{','.join(COLUMNS[:FEWEST])}: rearrange the columns, or move the file elsewhere if it holds no tracks"
        )
