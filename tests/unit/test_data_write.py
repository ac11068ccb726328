"""Folders in Market1501's and MARS's naming, as everybody's loaders expect them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import loadmat

from training.data.dataset import DISTRACTOR, JUNK, DataSetError
from training.data.write import MarketWriter, MarsWriter


def _image(red: int) -> NDArray[np.uint8]:
    return np.full((32, 16, 3), (red, 20, 90), np.uint8)


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_market_names_say_identity_camera_and_part(tmp_path: Path) -> None:
    writer = MarketWriter(tmp_path / "made")
    writer.add([_image(1), _image(2)], 7, 2, "train")
    writer.add([_image(3)], 12345, 11, "query")
    writer.add([_image(4)], JUNK, 1, "gallery")
    writer.add([_image(5)], DISTRACTOR, 1, "gallery")
    assert _files(writer.finish()) == [
        "bounding_box_test/-1_c1s1_000003_01.jpg",
        "bounding_box_test/0000_c1s1_000004_01.jpg",
        "bounding_box_train/0007_c2s1_000001_01.jpg",
        "bounding_box_train/0007_c2s1_000001_02.jpg",
        "query/12345_c11s1_000002_01.jpg",
    ]


def test_mars_tables_count_as_matlab_does(tmp_path: Path) -> None:
    writer = MarsWriter(tmp_path / "made")
    writer.add([_image(1), _image(2)], 7, 2, "train")
    writer.add([_image(3)], JUNK, 1, "gallery")
    writer.add([_image(4), _image(5), _image(6)], 9, 3, "query")
    info = writer.finish() / "info"
    assert (info / "test_name.txt").read_text().split() == [
        "00-1C1T0001F001.jpg",
        "0009C3T0001F001.jpg",
        "0009C3T0001F002.jpg",
        "0009C3T0001F003.jpg",
    ]
    assert loadmat(info / "tracks_train_info.mat")["track_train_info"].tolist() == [[1, 2, 7, 2]]
    assert loadmat(info / "tracks_test_info.mat")["track_test_info"].tolist() == [[1, 1, -1, 1], [2, 4, 9, 3]]
    assert loadmat(info / "query_IDX.mat")["query_IDX"].tolist() == [[2]]


def test_a_written_image_has_the_colours_that_were_given(tmp_path: Path) -> None:
    writer = MarketWriter(tmp_path / "made")
    writer.add([_image(200)], 1, 1, "train")
    path = next((writer.finish() / "bounding_box_train").iterdir())
    blue, green, red = np.asarray(cv2.imread(str(path))).mean((0, 1))
    assert abs(red - 200) < 5
    assert abs(green - 20) < 5
    assert abs(blue - 90) < 5


@pytest.mark.parametrize("writer", [MarketWriter, MarsWriter])
def test_a_folder_gets_its_name_only_when_complete(
    writer: type[MarketWriter] | type[MarsWriter], tmp_path: Path
) -> None:
    killed = writer(tmp_path / "made")
    killed.add([_image(1)], 1, 1, "train")
    assert not (tmp_path / "made").exists()
    again = writer(tmp_path / "made")
    again.add([_image(1)], 2, 1, "train")
    images = [path.name[:4] for path in again.finish().rglob("*.jpg")]
    assert images == ["0002"]
    with pytest.raises(DataSetError, match="exists already"):
        writer(tmp_path / "made")


@pytest.mark.parametrize(
    ("identity", "camera", "part", "why"),
    [
        pytest.param(0, 1, "train", "identity 0", id="nought means somebody unknown"),
        pytest.param(JUNK, 1, "train", "identity -1", id="junk teaches nothing"),
        pytest.param(DISTRACTOR, 1, "query", "identity -2", id="nobody searches for a distractor"),
        pytest.param(1, 0, "train", "camera 0", id="cameras begin with 1"),
    ],
)
def test_labels_that_the_naming_cannot_express_are_rejected(
    identity: int, camera: int, part: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=why):
        MarsWriter(tmp_path / "made").add([_image(1)], identity, camera, part)  # type: ignore[arg-type]
