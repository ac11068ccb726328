"""Unlabelled tracklets collected on a site.

Four folder formats are supported:

    tracklets.jsonl         JSON Lines: {"folder": "door/17", "camera": "door", "first_ns": 1, "last_ns": 2};
                            an optional "identity": 3 is used for evaluation, never for training
    CAMERA/TRACKLET/*.jpg   integer names are capture times, ns since the Unix epoch
    bbox_train              MARS's naming; the identities in it are ignored
    bounding_box_train      Market1501's naming; every image is a separate tracklet

Times matter: two tracklets of one camera that overlap in time certainly show different people.
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
_TIME = re.compile(r"[0-9]{1,19}")  # nanoseconds since 1970 have 19 digits
_SIGNS = (INDEX, "bbox_train", "bounding_box_train")


@dataclass(frozen=True, slots=True)
class Collected:
    """One person followed by one camera.

    Attributes:
        paths: Image files in chronological order, at least one.
        camera: Index of the camera in `Site.cameras`.
        span_ns: First and last capture time; None if unknown.
        identity: Label, 0 or more; None if unlabelled.
    """

    paths: Sequence[Path]
    camera: int
    span_ns: tuple[int, int] | None = None
    identity: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Collected tracklets, camera names, and one sentence per kind of skipped file."""

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
class _CameraTracklet:
    """A tracklet with the name of its camera."""

    camera: str
    folder: Path
    names: tuple[str, ...]
    span_ns: tuple[int, int] | None = None
    identity: int | None = None


def read_site(folder: Path) -> Site:
    """Read a folder in one of the four formats; images are not opened.

    Raises:
        DataSetError: The folder has another format, contains no tracklet, or a line of the index is invalid.
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
                f"{folder} holds no tracklets: expected CAMERA/TRACKLET/*.jpg, {INDEX}, bbox_train or "
                f"bounding_box_train, but {contents(folder)}{elsewhere}"
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


def _listed(folder: Path) -> list[_CameraTracklet]:
    """Return the tracklets listed in the index."""
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
        raise DataSetError(f"{where}: first_ns and last_ns must be given together, and identity must be 0 or more")
    if one.first_ns is not None and one.last_ns is not None and one.last_ns < one.first_ns:
        raise DataSetError(f"{where}: last_ns is before first_ns")
    return msgspec.structs.replace(one, folder=plain_path(one.folder))


def _indexed(folder: Path, line: Line, one: _Line) -> _CameraTracklet:
    names = tuple(image_names(folder / one.folder))
    if not names:
        raise DataSetError(f"{folder / INDEX}, line {line.number}: {folder / one.folder} has no images")
    span = None if one.first_ns is None or one.last_ns is None else (one.first_ns, one.last_ns)
    return _CameraTracklet(one.camera, folder / one.folder, names, span, one.identity)


def _tree(folder: Path, skipped: Skipped) -> list[_CameraTracklet]:
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


def _timed(camera: str, folder: Path, names: list[str]) -> _CameraTracklet:
    """Return a tracklet in chronological order if its file names are times, else in order of the names."""
    if not all(_TIME.fullmatch(Path(name).stem) for name in names):
        return _CameraTracklet(camera, folder, tuple(names))
    ordered = sorted(names, key=lambda name: int(Path(name).stem))
    return _CameraTracklet(camera, folder, tuple(ordered), (int(Path(ordered[0]).stem), int(Path(ordered[-1]).stem)))


def _mars(folder: Path, skipped: Skipped) -> list[_CameraTracklet]:
    found = []
    strange: list[str] = []
    for person in folder_names(folder):
        names = image_names(folder / person, folder.name, skipped)
        for prefix, group in groupby(names, lambda name: name.rpartition("F")[0]):
            files = tuple(group)
            if (parsed := parse_mars(prefix + "F")) is None:
                strange += files
                continue
            found.append(_CameraTracklet(f"{parsed[1]:03d}", folder / person, files))
    skipped.add(folder.name, "images that are not named like 0001C1T0001F001.jpg", strange)
    return found


def _market(folder: Path, skipped: Skipped) -> list[_CameraTracklet]:
    return [
        _CameraTracklet(f"{camera:03d}", folder, (name,))
        for name, _, camera in market_images(folder, folder.name, skipped)
    ]


def _elsewhere(folder: Path) -> str:
    """Return a hint if the tracklets seem to be one level above or below the folder."""
    for outer in folder.resolve().parents[:2]:
        if any((outer / sign).exists() for sign in _SIGNS):
            return f". It looks like a part of {outer}: use that folder"
    deeper = [name for name in folder_names(folder) if any((folder / name / sign).exists() for sign in _SIGNS)]
    return f". They seem to be one folder deeper, in {folder / deeper[0]}" if deeper else ""
