"""Market1501 (Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015), and folders in its naming.

    bounding_box_train/0002_c1s1_000451_03.jpg    identity 2, camera 1
    query/                                        one image an identity and camera
    bounding_box_test/-1_c1s1_000401_03.jpg       -1 is junk, 0000 somebody who is nobody's match

The 500 000 distractors, hand-drawn boxes and features that come with it are not read.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.data.dataset import DISTRACTOR, JUNK, DataSet, DataSetError, ImageFiles, LabelledTracklet
from training.data.folder import contents, image_names
from training.data.published import Part, Published, concluded, usable
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
    """Read a folder in Market1501's naming; one whose name has `market` and `1501` must have the published counts.

    Where 0000 is searched with, it is a person like any other: some number their own people from 0.

    Args:
        folder: What the parts lie in.
        checked: Whether such a name must keep its promise.
        learning: Whether there must be something to learn from.

    Raises:
        DataSetError: A part is missing or empty, no name in it is in this naming, no query has a match, or a count is
            wrong.
    """
    skipped = Skipped()
    query, gallery = _part(folder / "query", "query", skipped), _part(folder / "bounding_box_test", "gallery", skipped)
    if any(item.identity == DISTRACTOR for item in query):
        query, gallery = _from_zero(query), _from_zero(gallery)
    if not learning and not _has_images(folder / "bounding_box_train"):
        return usable(folder, DataSet(folder.name, (), query, gallery, skipped.remarks()), learning=False)
    everybody = _part(folder / "bounding_box_train", "train", skipped)
    train = tuple(item for item in everybody if item.identity >= 0)
    nobody = (item.paths[0].name for item in everybody if item.identity < 0)
    skipped.add("train", "images of junk (-1) and distractors (0000), from whom nothing can be learnt", nobody)
    parts = DataSet(folder.name, train, query, gallery, skipped.remarks())
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
        folder: Where they are.
        part: What the folder is part of, for `skipped`.
        skipped: Told of files that are not images, and of images in another naming.

    Raises:
        DataSetError: There is no such folder, or no image in this naming.
    """
    names = image_names(folder, part, skipped)
    found = [(name, *parsed) for name in names if (parsed := parse_market(name)) is not None]
    if not found:
        raise DataSetError(f"{contents(folder)}, but images named like {EXAMPLE} are expected")
    skipped.add(part, f"images that are not named like {EXAMPLE}", (n for n in names if parse_market(n) is None))
    return found
