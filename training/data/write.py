"""Write data sets in Market1501's and MARS's naming, which this project's and other loaders read.

Images are written to `NAME.partial`, which is renamed to `NAME` once complete: a folder `NAME` is never half-written.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DISTRACTOR, JUNK, DataSetError

Part = Literal["train", "query", "gallery"]

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]
_MARKET_FOLDERS: dict[Part, str] = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}


class MarketWriter:
    """Write images as `bounding_box_train`, `query` and `bounding_box_test`, named `0001_c1s1_000001_01.jpg`.

    Raises:
        DataSetError: The folder exists already, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._partial = _begin(folder, tuple(_MARKET_FOLDERS.values()))
        self._tracklets = 0

    def add(self, images: Sequence[NDArray[np.uint8]], identity: int, camera: int, part: Part) -> None:
        """Write a tracklet's images, each as a separate item.

        Args:
            images: RGB `(H, W, 3)`, in chronological order.
            identity: 1 or more, or JUNK or DISTRACTOR (not for training).
            camera: 1 or more.
            part: Part of the data set.
        """
        _check(images, identity, camera, part)
        self._tracklets += 1
        who = "-1" if identity == JUNK else f"{max(identity, 0):04d}"
        for number, image in enumerate(images, start=1):
            name = f"{who}_c{camera}s1_{self._tracklets:06d}_{number:02d}.jpg"
            _write(self._partial / _MARKET_FOLDERS[part] / name, image)

    def finish(self) -> Path:
        """Rename the folder to its final name and return it."""
        self._partial.rename(self._folder)
        return self._folder


class MarsWriter:
    """Write tracklets as `bbox_train`, `bbox_test` and the lists and tables of `info`, images `0001C1T0001F001.jpg`.

    As in MARS, the gallery includes the queries, and a table lists them.

    Raises:
        DataSetError: The folder exists already, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._partial = _begin(folder, ("bbox_train", "bbox_test", "info"))
        self._names: dict[str, list[str]] = {"train": [], "test": []}
        self._rows: dict[str, list[tuple[int, int, int, int]]] = {"train": [], "test": []}
        self._queries: list[int] = []  # 1-based, as in MATLAB
        self._of_person: dict[str, int] = {}

    def add(self, images: Sequence[NDArray[np.uint8]], identity: int, camera: int, part: Part) -> None:
        """Write one tracklet.

        Args:
            images: RGB `(H, W, 3)`, in chronological order.
            identity: 1 or more, or JUNK or DISTRACTOR (not for training).
            camera: 1 or more.
            part: Part of the data set; a query is also in the gallery.
        """
        _check(images, identity, camera, part)
        who = "00-1" if identity == JUNK else f"{max(identity, 0):04d}"
        number = self._of_person[who] = self._of_person.get(who, 0) + 1
        half = "train" if part == "train" else "test"
        person = self._partial / f"bbox_{half}" / who
        person.mkdir(exist_ok=True)
        names = [f"{who}C{camera}T{number:04d}F{frame:03d}.jpg" for frame in range(1, len(images) + 1)]
        for name, image in zip(names, images, strict=True):
            _write(person / name, image)
        first = len(self._names[half]) + 1
        self._names[half] += names
        self._rows[half].append((first, len(self._names[half]), -1 if identity == JUNK else max(identity, 0), camera))
        if part == "query":
            self._queries.append(len(self._rows[half]))

    def finish(self) -> Path:
        """Write the lists and tables, rename the folder to its final name and return it."""
        from scipy.io import savemat

        info = self._partial / "info"
        for half in ("train", "test"):
            (info / f"{half}_name.txt").write_text("".join(f"{name}\n" for name in self._names[half]))
            rows = np.array(self._rows[half], np.float64).reshape(-1, 4)
            savemat(info / f"tracks_{half}_info.mat", {f"track_{half}_info": rows})
        savemat(info / "query_IDX.mat", {"query_IDX": np.array([self._queries], np.float64)})
        self._partial.rename(self._folder)
        return self._folder


def _begin(folder: Path, parts: Sequence[str]) -> Path:
    """Return the empty folder to write to, deleting what an interrupted run left."""
    if folder.exists():
        raise DataSetError(f"{folder} exists already: choose another folder, or remove it first")
    partial = folder.with_name(folder.name + ".partial")
    try:
        if partial.exists():
            shutil.rmtree(partial)
        for part in parts:
            (partial / part).mkdir(parents=True)
    except OSError as error:
        raise DataSetError(f"{partial} cannot be written: {error.strerror}") from error
    return partial


def _check(images: Sequence[NDArray[np.uint8]], identity: int, camera: int, part: Part) -> None:
    if identity < 1 and (identity not in {JUNK, DISTRACTOR} or part != "gallery"):
        raise ValueError(f"identity {identity} in {part}: must be 1 or more, or JUNK or DISTRACTOR in the gallery")
    if camera < 1 or not images:
        raise ValueError(
            f"camera {camera} with {len(images)} images: cameras are numbered from 1, and a tracklet needs an image"
        )


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _QUALITY)
    if not done:
        raise DataSetError(f"{path.name} cannot be written as JPEG")
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise DataSetError(f"{path} cannot be written: {error.strerror}") from error
