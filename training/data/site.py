"""Tracklets collected on somebody's own site: nobody said who they show.

Four forms of a folder are read:

    tracklets.jsonl         a JSON object a line: {"folder": "door/17", "camera": "door", "first_ns": 1, "last_ns": 2};
                            with "identity": 3 where somebody did say who it is, to judge by and never to learn from
    CAMERA/TRACKLET/*.jpg   names that are whole numbers are capture times, ns since the Unix epoch
    bbox_train              MARS's naming, the identities in it are not looked at
    bounding_box_train      Market1501's naming, every image a tracklet of its own

Times matter: two people whom one camera sees at the same time are certainly not the same person.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import msgspec

from training.data.dataset import DataSetError, ImageFiles
from training.data.folder import (
    Line,
    contents,
    folder_names,
    image_names,
    plain_path,
    read_lines,
    require_folder,
)
from training.data.market import market_images
from training.data.mars import parse_mars
from training.data.skipped import Skipped, listing

INDEX = "tracklets.jsonl"
_TIME = re.compile(r"[0-9]{1,18}")
_SIGNS = (INDEX, "bbox_train", "bounding_box_train")


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
    """What was collected, the names of the cameras, and what was left out, a sentence each."""

    cameras: tuple[str, ...]
    tracklets: tuple[Collected, ...]
    remarks: tuple[str, ...] = ()


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
    require_folder(folder)
    skipped = Skipped()
    if (folder / INDEX).exists():
        found = _listed(folder)
    elif (folder / "bbox_train").is_dir():
        found = _mars(folder / "bbox_train", skipped)
    elif (folder / "bounding_box_train").is_dir():
        found = _market(folder / "bounding_box_train", skipped)
    else:
        elsewhere = _elsewhere(folder)
        found = [] if elsewhere else _tree(folder, skipped)
        if not found:
            raise DataSetError(
                f"{folder} holds no tracklets: CAMERA/TRACKLET/*.jpg, {INDEX}, bbox_train or bounding_box_train is "
                f"expected, but {contents(folder)}{elsewhere}"
            )
    cameras = sorted({one.camera for one in found})
    place = {name: number for number, name in enumerate(cameras)}
    return Site(
        tuple(cameras),
        tuple(
            Collected(ImageFiles(str(one.folder), one.names), place[one.camera], one.span_ns, one.identity)
            for one in found
        ),
        skipped.remarks(),
    )


def _listed(folder: Path) -> list[_Found]:
    """Return the tracklets that the index names."""
    lines = [(line, _parsed(folder, line)) for line in read_lines(folder / INDEX)]
    missing = [(line.number, one.folder) for line, one in lines if not (folder / one.folder).is_dir()]
    if missing:
        number, first = missing[0]
        raise DataSetError(
            f"{folder / INDEX}, line {number}: {folder / first} cannot be read; {len(missing)} of the {len(lines)} "
            f"folders named there are missing ({listing(name for _, name in missing)}): copy them again, or remove "
            "their lines"
        )
    return [_indexed(folder, line, one) for line, one in lines]


def _parsed(folder: Path, line: Line) -> _Line:
    where = f"{folder / INDEX}, line {line.number}"
    try:
        one = msgspec.json.decode(line.text, type=_Line)
    except msgspec.MsgspecError as error:
        raise DataSetError(f"{where}: {error}") from error
    if (one.first_ns is None) != (one.last_ns is None) or (one.identity is not None and one.identity < 0):
        raise DataSetError(f"{where}: first_ns and last_ns go together, identity is 0 or more")
    if one.first_ns is not None and one.last_ns is not None and one.last_ns < one.first_ns:
        raise DataSetError(f"{where}: it ends before it begins")
    return msgspec.structs.replace(one, folder=plain_path(one.folder))


def _indexed(folder: Path, line: Line, one: _Line) -> _Found:
    names = tuple(image_names(folder / one.folder))
    if not names:
        raise DataSetError(f"{folder / INDEX}, line {line.number}: {folder / one.folder} has no images")
    span = None if one.first_ns is None or one.last_ns is None else (one.first_ns, one.last_ns)
    return _Found(one.camera, folder / one.folder, names, span, one.identity)


def _tree(folder: Path, skipped: Skipped) -> list[_Found]:
    found = []
    skipped.add(folder.name, "images outside a tracklet's folder", image_names(folder, folder.name, skipped))
    for camera in folder_names(folder):
        skipped.add(camera, "images outside a tracklet's folder", image_names(folder / camera, camera, skipped))
        empty = []
        for tracklet in folder_names(folder / camera):
            names = image_names(folder / camera / tracklet, camera, skipped)
            if not names:
                empty.append(tracklet)
                continue
            found.append(_timed(camera, folder / camera / tracklet, names))
        skipped.add(camera, "tracklets without images", empty)
    return found


def _timed(camera: str, folder: Path, names: list[str]) -> _Found:
    """Return a tracklet in order of time where its names tell it, else in order of the names."""
    if not all(_TIME.fullmatch(Path(name).stem) for name in names):
        return _Found(camera, folder, tuple(names))
    ordered = sorted(names, key=lambda name: int(Path(name).stem))
    return _Found(camera, folder, tuple(ordered), (int(Path(ordered[0]).stem), int(Path(ordered[-1]).stem)))


def _mars(folder: Path, skipped: Skipped) -> list[_Found]:
    found = []
    strange: list[str] = []
    for person in folder_names(folder):
        names = image_names(folder / person, folder.name, skipped)
        for prefix, group in groupby(names, lambda name: name.rpartition("F")[0]):
            files = tuple(group)
            if (parsed := parse_mars(prefix + "F")) is None:
                strange += files
                continue
            found.append(_Found(f"{parsed[1]:03d}", folder / person, files))
    skipped.add(folder.name, "images that are not named like 0001C1T0001F001.jpg", strange)
    return found


def _market(folder: Path, skipped: Skipped) -> list[_Found]:
    return [_Found(f"{camera:03d}", folder, (name,)) for name, _, camera in market_images(folder, folder.name, skipped)]


def _elsewhere(folder: Path) -> str:
    """Return where the tracklets seem to be, if around the folder."""
    for outer in folder.resolve().parents[:2]:
        if any((outer / sign).exists() for sign in _SIGNS):
            return f". It looks like a part of {outer}: give that"
    deeper = [name for name in folder_names(folder) if any((folder / name / sign).exists() for sign in _SIGNS)]
    return f". They seem to be one folder deeper, in {folder / deeper[0]}" if deeper else ""
