"""Market1501 (Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015), and folders in its naming.

    bounding_box_train/0002_c1s1_000451_03.jpg    identity 2, camera 1
    query/                                        one image an identity and camera
    bounding_box_test/-1_c1s1_000401_03.jpg       -1 is junk, 0000 somebody who is nobody's match

The 500 000 distractors, hand-drawn boxes and features that come with it are not read.
"""

import re
from pathlib import Path

from training.data.dataset import DISTRACTOR, JUNK, DataSet, DataSetError, ImageFiles, LabelledTracklet
from training.data.folder import image_names
from training.data.published import Part, Published, concluded

MARKET1501 = Published(
    "Market1501",
    train=Part(751, None, 12_936),
    query=Part(750, None, 3_368),
    gallery=Part(750, None, 19_732),
    cameras=6,
)

_NAME = re.compile(r"(-1|\d{4,})_c(\d+)\D.*")


def load_market(folder: Path, *, checked: bool = True) -> DataSet:
    """Read a folder in Market1501's naming; one whose name has `market` and `1501` must have the published counts.

    Raises:
        DataSetError: A part is missing or empty, a name is in another naming, or a count is wrong.
    """
    train = [item for item in _part(folder / "bounding_box_train") if item.identity >= 0]
    parts = DataSet(folder.name, tuple(train), _part(folder / "query"), _part(folder / "bounding_box_test"))
    claimed = checked and re.match("market.*1501", folder.resolve().name, re.IGNORECASE)
    return concluded(folder, parts, MARKET1501, claim="the folder's name" if claimed else None)


def parse_market(name: str) -> tuple[int, int] | None:
    """Return identity and camera of an image name, or None where it is in another naming.

    >>> parse_market("0002_c1s1_000451_03.jpg"), parse_market("-1_c6s4_001877_01.jpg"), parse_market("holiday.jpg")
    ((2, 1), (-1, 6), None)
    """
    if (found := _NAME.fullmatch(name)) is None:
        return None
    return {-1: JUNK, 0: DISTRACTOR}.get(int(found[1]), int(found[1])), int(found[2])


def _part(folder: Path) -> tuple[LabelledTracklet, ...]:
    items = []
    for name in image_names(folder):
        if (parsed := parse_market(name)) is None:
            raise DataSetError(f"{folder / name} is not in Market1501's naming, as 0002_c1s1_000451_03.jpg is")
        items.append(LabelledTracklet(ImageFiles(str(folder), (name,)), *parsed))
    return tuple(items)
