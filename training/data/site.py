"""Tracklets collected on somebody's own site: nobody said who they show.

Four forms of a folder are read:

    tracklets.jsonl         a JSON object a line: {"folder": "door/17", "camera": "door", "first_ns": 1, "last_ns": 2};
                            with "identity": 3 where somebody did say who it is, to judge by and never to learn from
    CAMERA/TRACKLET/*.jpg   names that are whole numbers are capture times, ns since the Unix epoch
    bbox_train              MARS's naming, the identities in it are not looked at
    bounding_box_train      Market1501's naming, every image a tracklet of its own

Times matter: two people whom one camera sees at the same time are certainly not the same person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import msgspec

from training.data.dataset import DataSetError, ImageFiles
from training.data.folder import folder_names, image_names, read_lines
from training.data.market import parse_market
from training.data.mars import parse_mars

INDEX = "tracklets.jsonl"


@dataclass(frozen=True, slots=True)
class Collected:
    """One person followed by one camera.

    Attributes:
        paths: Image files in order of time, at least one.
        camera: Place of the camera in `Site.cameras`.
        span_ns: Capture times of the first and the last moment, None where they are not known.
        identity: Who somebody says it is, 0 or more; None where nobody did.
    """

    paths: Sequence[Path]
    camera: int
    span_ns: tuple[int, int] | None = None
    identity: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """What was collected, and the names of the cameras."""

    cameras: tuple[str, ...]
    tracklets: tuple[Collected, ...]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    folder: str
    camera: str
    first_ns: int | None = None
    last_ns: int | None = None
    identity: int | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A tracklet with the name of its camera."""

    camera: str
    folder: Path
    names: tuple[str, ...]
    span_ns: tuple[int, int] | None = None
    identity: int | None = None


def read_site(folder: Path) -> Site:
    """Read a folder in one of the four forms; no image is opened.

    Raises:
        DataSetError: It is in none of them, holds no tracklet, or a line of the index is wrong; the message says which.
    """
    if not folder.is_dir():
        raise DataSetError(f"{folder} is no folder")
    if (folder / INDEX).exists():
        found = [_indexed(folder, line, number) for number, line in enumerate(read_lines(folder / INDEX), start=1)]
    elif (folder / "bbox_train").is_dir():
        found = _mars(folder / "bbox_train")
    elif (folder / "bounding_box_train").is_dir():
        found = _market(folder / "bounding_box_train")
    else:
        found = _tree(folder)
    if not found:
        raise DataSetError(
            f"{folder} holds no tracklets: CAMERA/TRACKLET/*.jpg, {INDEX}, bbox_train or bounding_box_train is expected"
        )
    cameras = sorted({one.camera for one in found})
    place = {name: number for number, name in enumerate(cameras)}
    return Site(
        tuple(cameras),
        tuple(
            Collected(ImageFiles(str(one.folder), one.names), place[one.camera], one.span_ns, one.identity)
            for one in found
        ),
    )


def _indexed(folder: Path, text: str, number: int) -> _Found:
    where = f"{folder / INDEX}, line {number}"
    try:
        line = msgspec.json.decode(text, type=_Line)
    except msgspec.MsgspecError as error:
        raise DataSetError(f"{where}: {error}") from error
    if (line.first_ns is None) != (line.last_ns is None) or (line.identity is not None and line.identity < 0):
        raise DataSetError(f"{where}: first_ns and last_ns go together, identity is 0 or more")
    names = tuple(image_names(folder / line.folder))
    if not names:
        raise DataSetError(f"{where}: {folder / line.folder} has no images")
    span = None if line.first_ns is None or line.last_ns is None else (line.first_ns, line.last_ns)
    if span and span[1] < span[0]:
        raise DataSetError(f"{where}: it ends before it begins")
    return _Found(line.camera, folder / line.folder, names, span, line.identity)


def _tree(folder: Path) -> list[_Found]:
    found = []
    for camera in folder_names(folder):
        for tracklet in folder_names(folder / camera):
            names = image_names(folder / camera / tracklet)
            if not names:
                continue
            times = [Path(name).stem for name in names]
            timed = all(time.isdecimal() for time in times)
            if timed:
                names.sort(key=lambda name: int(Path(name).stem))
            span = (min(map(int, times)), max(map(int, times))) if timed else None
            found.append(_Found(camera, folder / camera / tracklet, tuple(names), span))
    return found


def _mars(folder: Path) -> list[_Found]:
    found = []
    for person in folder_names(folder):
        for prefix, group in groupby(image_names(folder / person), lambda name: name.rpartition("F")[0]):
            names = tuple(group)
            if (parsed := parse_mars(prefix + "F")) is None:
                raise DataSetError(f"{folder / person / names[0]} is not in MARS's naming, as 0001C1T0001F001.jpg is")
            found.append(_Found(f"{parsed[1]:03d}", folder / person, names))
    return found


def _market(folder: Path) -> list[_Found]:
    found = []
    for name in image_names(folder):
        if (parsed := parse_market(name)) is None:
            raise DataSetError(f"{folder / name} is not in Market1501's naming, as 0002_c1s1_000451_03.jpg is")
        found.append(_Found(f"{parsed[1]:03d}", folder, (name,)))
    return found
