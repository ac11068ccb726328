"""Data structures for data sets: identity, camera and files of each tracklet. Images are not opened here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

JUNK = -1  # a box that shows no particular person: ignored in rankings
DISTRACTOR = -2  # a person who matches no query: always wrong in rankings


class DataSetError(Exception):
    """Raised when a data set cannot be used; the message names the folder or file and what was expected."""


class SplitError(DataSetError):
    """Raised when a data set has no split of this number; nothing is wrong with its folder."""


class BrokenImageError(DataSetError):
    """Raised when an image cannot be read; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class ImageFiles(Sequence[Path]):
    """Image files of one folder, stored as names: three million `Path`s would take half a minute and a gigabyte."""

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
        paths: Image files in chronological order, at least one: a tuple, or `ImageFiles` if there are many.
        identity: The data set's number, 0 or more, or JUNK or DISTRACTOR.
        camera: The data set's number, 0 or more.
    """

    paths: Sequence[Path]
    identity: int
    camera: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """The three parts of a data set, as split by its authors.

    Attributes:
        name: Published name, with the version if there are several: `MSMT17_V2`. A data set has its published name
            only if its counts are the published ones; otherwise it is named after its folder.
        train: Training set, without junk or distractors.
        query: Query set.
        gallery: Gallery; may hold junk and distractors, and the queries themselves, which are excluded because items
            with the query's identity and camera are ignored.
        skipped: What was skipped in the folder, one sentence per kind.
    """

    name: str
    train: tuple[LabelledTracklet, ...]
    query: tuple[LabelledTracklet, ...]
    gallery: tuple[LabelledTracklet, ...]
    skipped: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """Return the number of images in all parts; an image in two parts is counted twice."""
        return sum(len(one.paths) for part in (self.train, self.query, self.gallery) for one in part)
