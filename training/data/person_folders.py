"""Custom pictures with one folder per person.

    PERSON/*.jpg                   single pictures; the camera is in the name (c2, cam2, camera-2) or unknown
    PERSON/CAMERA/*.jpg            a tracklet: the pictures of a person from one camera
    PERSON/CAMERA/TRACKLET/*.jpg   several tracklets

These folders are in DIR; or in DIR/train, and in DIR/query and DIR/gallery, or in DIR/test or DIR/val. Without a test
part, training holds out every fourth person, and evaluation uses everyone. Each picture from an unknown camera is
treated as a separate camera, so that such pictures can match each other. A person called -1 is junk.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.dataset import JUNK, DataSet, DataSetError, ImageFiles, LabelledTracklet
from training.data.folder import contents, folder_names, image_names
from training.data.published import require_usable
from training.data.skipped import Skipped

_JUNK = "-1"
_HELD_OUT = 4  # one in this many people is held out
_JUDGED = (("query", "gallery"), ("test", "test"), ("val", "val"))
_PARTS = {"train", "query", "gallery", "test", "val", "bounding_box_train", "bounding_box_test"}
_IN_NAME = re.compile(r"(?:^|[^a-z0-9])(?:camera|cam|c)[-_ ]?([0-9]{1,9})|^(?:-1|[0-9]+)c([0-9]{1,9})t[0-9]+")
_CAMERA = re.compile(r"(?:camera|cam|c)?[-_ ]?([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class _Seen:
    """Pictures of a person from one camera.

    Attributes:
        person: Name of the person's folder, composed (NFC): two systems may write an umlaut in two ways.
        camera: Name of the camera's folder, composed as well, or its number in the picture's name; None if unknown.
        files: The pictures.
        in_name: Whether the camera was read from the picture's name.
    """

    person: str
    camera: str | None
    files: ImageFiles
    in_name: bool = False


def load_person_folders(folder: Path, *, learning: bool = True) -> DataSet:
    """Read pictures stored in one folder per person.

    Args:
        folder: Folder that contains the people's folders, or the parts with these.
        learning: Whether there must be a training set; otherwise everyone may be used for evaluation.

    Raises:
        DataSetError: There are no such folders, or no person has a matching picture from another camera.
    """
    skipped = Skipped()
    inside = set(folder_names(folder))
    judged = next((names for names in _JUDGED if inside.issuperset(names)), None)
    seen: dict[str, list[_Seen]] = {}
    if "train" in inside:
        seen["train"] = _people(folder / "train", "train", skipped)
    elif judged is None:
        seen["train"] = _people(folder, "people", skipped)
    for name in judged or ():
        seen[name] = _people(folder / name, name, skipped)
    labelled = _labelled(seen)
    train = _people_only(labelled.get("train", ()))
    if judged is not None:
        query, gallery = _people_only(labelled[judged[0]]), labelled[judged[1]]
    elif learning:
        train, query = _held_out(train)
        gallery = query
    else:
        train, query, gallery = (), train, labelled["train"]
    return require_usable(folder, DataSet(folder.name, train, query, gallery, skipped.remarks()), learning=learning)


def are_person_folders(folder: Path) -> bool:
    """Return whether a folder contains folders of pictures, but no pictures directly."""
    inside = folder_names(folder)
    if not inside or not _PARTS.isdisjoint(inside) or image_names(folder):
        return False
    return bool(image_names(folder / inside[0]))


def _people(folder: Path, part: str, skipped: Skipped) -> list[_Seen]:
    skipped.add(part, "images outside a person's folder", image_names(folder, part, skipped))
    found: list[_Seen] = []
    empty = []
    for person in folder_names(folder):
        of_person = [*_pictures(folder / person, part, skipped), *_sequences(folder / person, part, skipped)]
        found += of_person
        if not of_person:
            empty.append(person)
    skipped.add(part, "people without images", empty)
    if not found:
        raise DataSetError(f"{contents(folder)}, expected one folder of images per person")
    return found


def _pictures(folder: Path, part: str, skipped: Skipped) -> list[_Seen]:
    names = image_names(folder, part, skipped)
    files = ((name, ImageFiles(str(folder), (name,))) for name in names)
    return [_Seen(_composed(folder.name), _camera_in(name), one, in_name=True) for name, one in files]


def _sequences(folder: Path, part: str, skipped: Skipped) -> list[_Seen]:
    found = []
    for camera in folder_names(folder):
        tracklets = [folder / camera / tracklet for tracklet in folder_names(folder / camera)]
        files = (ImageFiles(str(p), tuple(image_names(p, part, skipped))) for p in [folder / camera, *tracklets])
        found += [_Seen(_composed(folder.name), _composed(camera), one) for one in files if len(one)]
    return found


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _camera_in(name: str) -> str | None:
    found = _IN_NAME.search(name.lower())
    return None if found is None else found[1] or found[2]


def _labelled(seen: dict[str, list[_Seen]]) -> dict[str, tuple[LabelledTracklet, ...]]:
    """Return the parts with numbers in place of names, consistent across all parts."""
    everything = [one for part in seen.values() for one in part]
    people = _people_numbers({one.person for one in everything} - {_JUNK}) | {_JUNK: JUNK}
    # A camera in only some of the names is a coincidence, such as c4 in 9c41-c4e0.jpg
    told = all(one.camera is not None for one in everything)
    names = {one.camera for one in everything if one.camera is not None and (told or not one.in_name)}
    cameras = _camera_numbers(names)
    first = max(cameras.values(), default=-1) + 1
    unknown: Counter[str] = Counter()
    labelled: dict[str, list[LabelledTracklet]] = defaultdict(list)
    for part, items in seen.items():
        for one in items:
            if one.camera in cameras and (told or not one.in_name):
                camera = cameras[one.camera]
            else:
                camera = first + unknown[one.person]
                unknown[one.person] += 1
            labelled[part].append(LabelledTracklet(one.files, people[one.person], camera))
    return {part: tuple(items) for part, items in labelled.items()}


def _people_numbers(names: Iterable[str]) -> dict[str, int]:
    """Return the number of each person: their folder names if these are distinct numbers, else their indices."""
    ordered = sorted(names)
    own = {name: int(name) for name in ordered if re.fullmatch("[0-9]{1,18}", name)}
    if len(set(own.values())) == len(ordered):
        return own
    return {name: place for place, name in enumerate(ordered)}


def _camera_numbers(names: Iterable[str]) -> dict[str, int]:
    """Return the number of each camera: the one in its name if every name has one, else its index."""
    ordered = sorted(names)
    found = [_CAMERA.fullmatch(name.lower()) for name in ordered]
    own = {name: int(match[1]) for name, match in zip(ordered, found, strict=True) if match is not None}
    return own if len(own) == len(ordered) else {name: place for place, name in enumerate(ordered)}


def _people_only(items: Sequence[LabelledTracklet]) -> tuple[LabelledTracklet, ...]:
    return tuple(one for one in items if one.identity != JUNK)


def _held_out(
    items: Sequence[LabelledTracklet],
) -> tuple[tuple[LabelledTracklet, ...], tuple[LabelledTracklet, ...]]:
    """Split off people for evaluation: every fourth of those seen by several cameras, at least two."""
    cameras: dict[int, set[int]] = defaultdict(set)
    for one in items:
        cameras[one.identity].add(one.camera)
    found_again = [who for who in sorted(cameras) if len(cameras[who]) > 1]
    judged = set(found_again[::_HELD_OUT] if len(found_again) > _HELD_OUT else found_again[:2])
    return (
        tuple(one for one in items if one.identity not in judged),
        tuple(one for one in items if one.identity in judged),
    )
