"""iLIDS-VID (Wang et al., Person Re-Identification by Video Ranking, ECCV 2014).

    i-LIDS-VID/sequences/{cam1,cam2}/person001/cam1_person001_00317.png
    train-test people splits/train_test_splits_ilidsvid.mat     ls_set: ten splits of the 300 people, as 1-based
                                                                indices into the sorted list of folders

The first half of a split is for testing, the second for training; queries are from camera 1, the gallery from camera 2.
Figures are means over the ten splits.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSet, DataSetError, ImageFiles, LabelledTracklet, SplitError
from training.data.folder import folder_names, image_names, read_table
from training.data.published import Part, Published, verified
from training.data.skipped import Skipped

SPLITS = 10
ILIDS_VID = Published(
    "iLIDS-VID",
    train=Part(150, 300, None),
    query=Part(150, 150, None),
    gallery=Part(150, 150, None),
    cameras=2,
    images=42_460,
)


def load_ilids(folder: Path, *, split: int = 0, checked: bool = True) -> DataSet:
    """Read one of the splits of iLIDS-VID, numbered from 0.

    Raises:
        DataSetError: A folder, the splits or their variable is missing, the cameras do not show the same people, a
            split does not match them, or a count differs from the published one.
    """
    sequences = folder / "i-LIDS-VID" / "sequences"
    people = folder_names(sequences / "cam1")
    if people != (others := folder_names(sequences / "cam2")):
        alone = sorted(set(people) ^ set(others))
        raise DataSetError(f"{sequences}: {', '.join(alone[:3])} and others ({len(alone)}) are in only one camera")
    learn, judge = _split(folder, split, len(people))
    skipped = Skipped()
    cameras = {
        camera: [_tracklet(sequences / f"cam{camera}" / who, camera, skipped) for who in people] for camera in (1, 2)
    }
    parts = DataSet(
        folder.name,
        tuple(cameras[camera][place] for place in learn for camera in (1, 2)),
        tuple(cameras[1][place] for place in judge),
        tuple(cameras[2][place] for place in judge),
        skipped.remarks(),
    )
    return verified(folder, parts, ILIDS_VID, claim="its layout" if checked else None)


def _split(folder: Path, split: int, people: int) -> tuple[list[int], list[int]]:
    """Return the indices of the people for training and for testing."""
    path = folder / "train-test people splits" / "train_test_splits_ilidsvid.mat"
    table: NDArray[np.int64] = read_table(path, "ls_set")
    if not 0 <= split < len(table):
        raise SplitError(f"{path} has splits 0 to {len(table) - 1}, not {split}")
    places = table[split] - 1
    if sorted(places.tolist()) != list(range(people)):
        raise DataSetError(f"{path}: split {split} does not list each of the {people} people exactly once")
    half = people // 2
    return sorted(places[half:].tolist()), sorted(places[:half].tolist())


def _tracklet(folder: Path, camera: int, skipped: Skipped) -> LabelledTracklet:
    names = image_names(folder, f"cam{camera}", skipped)
    number = folder.name.removeprefix("person")
    if not names or not number.isdecimal():
        raise DataSetError(f"{folder} is not a folder like person001 with images in it: copy the data set again")
    return LabelledTracklet(ImageFiles(str(folder), tuple(names)), int(number), camera)
