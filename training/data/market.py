"""Market1501 (Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015), and folders in its naming.

    bounding_box_train/0002_c1s1_000451_03.jpg    identity 2, camera 1
    query/                                        one image per identity and camera
    bounding_box_test/-1_c1s1_000401_03.jpg       -1 is junk, 0000 a distractor

The 500 000 distractors, hand-drawn boxes and features that come with it are not read.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.data.dataset import DISTRACTOR, JUNK, DataSet, DataSetError, ImageFiles, LabelledTracklet
from training.data.folder import contents, image_names
from training.data.published import Part, Published, require_usable, verified
from training.data.skipped import Skipped

MARKET1501 = Published(
    "Market1501",
    train=Part(751, None, 12_936),
    query=Part(750, None, 3_368),
    gallery=Part(750, None, 19_732),
    cameras=6,
)

EXAMPLE = "0002_c1s1_000451_03.jpg"
_NAME = re.compile(r"(-1|[0-9]{1,18})_[cC]([0-9]{1,9})[^0-9].*", re.DOTALL)


def load_market(folder: Path, *, checked: bool = True, learning: bool = True) -> DataSet:
    """Read a folder in Market1501's naming; if its name has `market` and `1501`, it must have the published counts.

    If 0000 is among the queries, it is treated as a regular person: some people number identities from 0.

    Args:
        folder: Parent folder of the parts.
        checked: Whether to enforce the published counts for such a name.
        learning: Whether there must be a training set.

    Raises:
        DataSetError: A part is missing or empty, or has no image in this naming, no query has a match, or a count is
            wrong.
    """
    skipped = Skipped()
    query, gallery = _part(folder / "query", "query", skipped), _part(folder / "bounding_box_test", "gallery", skipped)
    if any(item.identity == DISTRACTOR for item in query):
        query, gallery = _from_zero(query), _from_zero(gallery)
    if not learning and not _has_images(folder / "bounding_box_train"):
        return require_usable(folder, DataSet(folder.name, (), query, gallery, skipped.remarks()), learning=False)
    everybody = _part(folder / "bounding_box_train", "train", skipped)
    train = tuple(item for item in everybody if item.identity >= 0)
    nobody = (item.paths[0].name for item in everybody if item.identity < 0)
    skipped.add("train", "images of junk (-1) and distractors (0000), which cannot be trained on", nobody)
    parts = DataSet(folder.name, train, query, gallery, skipped.remarks())
    claimed = checked and re.match("market.*1501", folder.resolve().name, re.IGNORECASE)
    return verified(folder, parts, MARKET1501, claim="the folder's name" if claimed else None)


def parse_market(name: str) -> tuple[int, int] | None:
    """Parse identity and camera from an image name; return None for other naming schemes.

    >>> parse_market("0002_c1s1_000451_03.jpg"), parse_market("-1_c6s4_001877_01.jpg"), parse_market("holiday.jpg")
    ((2, 1), (-1, 6), None)
    """
    if (found := _NAME.fullmatch(name)) is None:
        return None
    return {-1: JUNK, 0: DISTRACTOR}.get(int(found[1]), int(found[1])), int(found[2])


def _has_images(folder: Path) -> bool:
    return folder.is_dir() and bool(image_names(folder))


def _from_zero(items: Sequence[LabelledTracklet]) -> tuple[LabelledTracklet, ...]:
    return tuple(replace(item, identity=0) if item.identity == DISTRACTOR else item for item in items)


def _part(folder: Path, part: str, skipped: Skipped) -> tuple[LabelledTracklet, ...]:
    return tuple(
        LabelledTracklet(ImageFiles(str(folder), (name,)), identity, camera)
        for name, identity, camera in market_images(folder, part, skipped)
    )


def market_images(folder: Path, part: str, skipped: Skipped) -> list[tuple[str, int, int]]:
    """Return name, identity and camera of every image in a folder.

    Args:
        folder: Folder to read.
        part: Part of the data set the folder belongs to, for `skipped`.
        skipped: Collects files that are not images, and images with other names.

    Raises:
        DataSetError: The folder does not exist, or has no image in this naming.
    """
    names = image_names(folder, part, skipped)
    found = [(name, *parsed) for name in names if (parsed := parse_market(name)) is not None]
    if not found:
        raise DataSetError(f"{contents(folder)}, expected images named like {EXAMPLE}")
    skipped.add(part, f"images that are not named like {EXAMPLE}", (n for n in names if parse_market(n) is None))
    return found
