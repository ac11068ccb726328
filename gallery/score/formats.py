"""Recognise rows of other formats in which tracks are kept, to say what a file is instead of MOTChallenge text."""

import re
from collections.abc import Sequence

_KITTI_COLUMNS = (17, 18)  # with a score
_MOTS = re.compile(r"\d+ \d+ \d+ \d+ \d+ \S+")
_YOLO_COLUMNS = (5, 6)  # with a track


def other_format(text: str, fields: Sequence[str]) -> str:
    """Return the name of the format that a line looks like; empty if it is none of the known ones.

    >>> other_format('{"images": []', ['{"images": []']), other_format("1,1,0,0", ["1", "1", "0", "0"])
    ('JSON', '')
    """
    if text.startswith(("{", "[")):
        return "JSON"
    if text.startswith("<"):
        return "XML"
    if len(fields) in _KITTI_COLUMNS and fields[2].isalpha():
        return "KITTI's tracking labels"
    if _MOTS.fullmatch(text) and not fields[-1].isdecimal():
        return "MOTS text, whose rows are masks"
    if len(fields) in _YOLO_COLUMNS and re.fullmatch(r"\d+( [01]?\.\d+){4}( \d+)?", text):
        return "YOLO's labels, in fractions of the picture"
    return ""
