"""MARS (Zheng et al., MARS: A Video Benchmark for Large-Scale Person Re-identification, ECCV 2016), and its naming.

    bbox_train/0001/0001C1T0001F001.jpg      identity 1, camera 1, tracklet 1, frame 1
    bbox_test/00-1/00-1C1T0001F001.jpg       00-1 is junk, 0000 a distractor
    info/train_name.txt, test_name.txt       image names, tracklet after tracklet
    info/tracks_train_info.mat               track_train_info: first and last line, identity, camera of each tracklet
    info/tracks_test_info.mat                track_test_info: the same for the 12 180 gallery tracklets
    info/query_IDX.mat                       query_IDX: which of those are the 1 980 queries; all indices are 1-based

Like the authors, we use all of track_test_info as the gallery, including the queries: the same-camera rule excludes the
query itself, which is the only query of its identity and camera. Removing all queries from the gallery, as some loaders
do, leaves 140 of them without any match.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DISTRACTOR, JUNK, DataSet, DataSetError, ImageFiles, LabelledTracklet
from training.data.folder import plain_path, read_lines, read_table, require_images
from training.data.published import Part, Published, verified

MARS = Published(
    "MARS",
    train=Part(625, 8_298, 509_914),
    query=Part(626, 1_980, None),
    gallery=Part(634, 12_180, 681_089),  # published as 636, which counts junk and distractors as one identity each
    cameras=6,
    images=1_191_003,
)

_IDENTITIES = {-1: JUNK, 0: DISTRACTOR}
_NAME = re.compile(r"(00-1|[0-9]{4,18})C([0-9]{1,9})T[0-9]+F")


def load_mars(folder: Path, *, checked: bool = True) -> DataSet:
    """Read a folder in MARS's naming; if it is called `MARS`, it must have the published counts.

    Raises:
        DataSetError: A list, a table, its variable or an image is missing, a table does not match its list, a name
            follows another naming, or a count is wrong.
    """
    info = folder / "info"
    train = [item for item in _part(folder, "train") if item.identity >= 0]
    test = _part(folder, "test")
    places = read_table(info / "query_IDX.mat", "query_IDX").ravel()
    if places.min() < 1 or places.max() > len(test):
        raise DataSetError(f"{info / 'query_IDX.mat'} names tracklets {places.min()} to {places.max()} of {len(test)}")
    parts = DataSet(folder.name, tuple(train), tuple(test[place - 1] for place in places), test)
    claimed = checked and folder.resolve().name.lower() == "mars"
    return verified(folder, parts, MARS, claim="the folder's name" if claimed else None)


def parse_mars(name: str) -> tuple[int, int] | None:
    """Parse identity and camera from an image name; return None for other naming schemes.

    >>> parse_mars("0001C1T0001F001.jpg"), parse_mars("00-1C6T0001F001.jpg"), parse_mars("holiday.jpg")
    ((1, 1), (-1, 6), None)
    """
    if (found := _NAME.match(name)) is None:
        return None
    number = -1 if found[1] == "00-1" else int(found[1])
    return _IDENTITIES.get(number, number), int(found[2])


def _part(folder: Path, half: str) -> tuple[LabelledTracklet, ...]:
    names_path = folder / "info" / f"{half}_name.txt"
    table_path = folder / "info" / f"tracks_{half}_info.mat"
    names = [plain_path(line.text).rpartition("/")[2] for line in read_lines(names_path)]
    table = read_table(table_path, f"track_{half}_info")
    _require_fit(table, names, table_path, names_path)
    root = folder / f"bbox_{half}"
    people: dict[str, str] = {}  # one shared string per folder, however many tracklets it has
    items, listed = [], []
    for first, last, identity, camera in table.tolist():
        files = tuple(names[first - 1 : last])
        who, seen = _prefix(files), (_IDENTITIES.get(identity, identity), camera)
        if parse_mars(who) != seen:
            raise DataSetError(
                f"{names_path}: lines {first} to {last} ({files[0]} to {files[-1]}) are not one tracklet of identity "
                f"{identity} and camera {camera}, as {table_path.name} says"
            )
        person = who.partition("C")[0]
        items.append(LabelledTracklet(ImageFiles(people.setdefault(person, str(root / person)), files), *seen))
        listed.append((person, files))
    require_images(root, listed, source=names_path.name)
    return tuple(items)


def _prefix(files: tuple[str, ...]) -> str:
    """Return the common prefix of a tracklet's names up to the frame, or an empty string if they have none."""
    prefix = files[0].partition("F")[0] + "F"
    return prefix if all(name.startswith(prefix) for name in files) else ""


def _require_fit(table: NDArray[np.int64], names: list[str], table_path: Path, names_path: Path) -> None:
    if table.shape[1] != 4:
        raise DataSetError(f"{table_path}: {table.shape} numbers, expected 4 per tracklet")
    wrong = (table[:, 0] < 1) | (table[:, 1] < table[:, 0]) | (table[:, 1] > len(names))
    if wrong.any():
        first, last = table[wrong][0, :2]
        raise DataSetError(
            f"{table_path}: a tracklet spans lines {first} to {last} of {names_path.name}, which has {len(names)}"
        )
