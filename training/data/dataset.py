"""What a data set's folder says: who, seen by which camera, in which files. No pixel is read here."""

from dataclasses import dataclass
from pathlib import Path

JUNK = -1  # a box that shows nobody in particular: neither right nor wrong in a ranking
DISTRACTOR = -2  # somebody who is nobody's match: always wrong in a ranking


class DataSetError(Exception):
    """A data set cannot be used; the message names the folder or file and what was expected of it."""


@dataclass(frozen=True, slots=True)
class LabelledTracklet:
    """One person followed by one camera; an image is a tracklet of one.

    Attributes:
        paths: Image files in order of time, at least one.
        identity: The data set's own number, 0 or more, or JUNK or DISTRACTOR.
        camera: The data set's own number, 0 or more.
    """

    paths: tuple[Path, ...]
    identity: int
    camera: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """The three parts of a data set as its authors cut it.

    Attributes:
        name: As published, with the version where there are several: `MSMT17_V2`.
        train: To learn from: neither junk nor distractors.
        query: To search with.
        gallery: To search in; may hold junk and distractors.
    """

    name: str
    train: tuple[LabelledTracklet, ...]
    query: tuple[LabelledTracklet, ...]
    gallery: tuple[LabelledTracklet, ...]
