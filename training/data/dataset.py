"""What a data set's folder says: who, seen by which camera, in which files. No pixel is read here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

JUNK = -1  # a box that shows nobody in particular: neither right nor wrong in a ranking
DISTRACTOR = -2  # somebody who is nobody's match: always wrong in a ranking


class DataSetError(Exception):
    """A data set cannot be used; the message names the folder or file and what was expected of it."""


class BrokenImageError(DataSetError):
    """An image cannot be read; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class ImageFiles(Sequence[Path]):
    """Image files of one folder, as names: three million `Path`s would take half a minute and a gigabyte."""

    folder: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> Path: ...
    @overload
    def __getitem__(self, place: slice) -> "ImageFiles": ...
    def __getitem__(self, place: int | slice) -> "Path | ImageFiles":
        if isinstance(place, slice):
            return ImageFiles(self.folder, self.names[place])
        return Path(self.folder, self.names[place])

    def __iter__(self) -> Iterator[Path]:
        return (Path(self.folder, name) for name in self.names)


@dataclass(frozen=True, slots=True)
class LabelledTracklet:
    """One person followed by one camera; an image is a tracklet of one.

    Attributes:
        paths: Image files in order of time, at least one: a tuple, or `ImageFiles` where there are many.
        identity: The data set's own number, 0 or more, or JUNK or DISTRACTOR.
        camera: The data set's own number, 0 or more.
    """

    paths: Sequence[Path]
    identity: int
    camera: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """The three parts of a data set as its authors cut it.

    Attributes:
        name: As published, with the version where there are several: `MSMT17_V2`. A set has a published name only
            where its counts are the published ones; any other is named after its folder.
        train: To learn from: neither junk nor distractors.
        query: To search with.
        gallery: To search in; may hold junk and distractors, and the queries themselves: the rule that an item of the
            query's identity and camera does not count leaves them out.
        skipped: What in the folder was left out, a sentence each.
    """

    name: str
    train: tuple[LabelledTracklet, ...]
    query: tuple[LabelledTracklet, ...]
    gallery: tuple[LabelledTracklet, ...]
    skipped: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """Return the number of images of all parts; one that is in two parts counts twice."""
        return sum(len(one.paths) for part in (self.train, self.query, self.gallery) for one in part)
