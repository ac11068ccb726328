"""Tracklets whose crops are image files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.crops import Tracklets
from training.data.dataset import DISTRACTOR, DataSetError, ImageFiles, LabelledTracklet
from training.data.files import FileTracklets, labels_from_zero


def _write(path: Path, red: int, size: tuple[int, int] = (8, 16), **options: object) -> Path:
    Image.new("RGB", size, (red, 10, 240)).save(path, **options)  # type: ignore[arg-type]
    return path


def _tracklet(paths: list[Path], identity: int = 0, camera: int = 0) -> LabelledTracklet:
    return LabelledTracklet(ImageFiles(str(paths[0].parent), tuple(path.name for path in paths)), identity, camera)


def test_frames_are_read_as_rgb_by_their_places_and_may_differ_in_size(tmp_path: Path) -> None:
    paths = [_write(tmp_path / f"{n}.png", red=50 * n, size=(8 + n, 16)) for n in range(4)]
    crops = FileTracklets([_tracklet(paths)]).read(0, np.array([3, 1]))
    assert [crop.shape for crop in crops] == [(16, 11, 3), (16, 9, 3)]
    assert [tuple(crop[0, 0]) for crop in crops] == [(150, 10, 240), (50, 10, 240)]
    assert all(crop.dtype == np.uint8 and crop.flags.writeable for crop in crops)


def test_an_image_that_went_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"gone\.jpg no longer exists"):
        FileTracklets([_tracklet([tmp_path / "gone.jpg"])]).read(0, np.array([0]))


def test_training_labels_start_at_0_without_gaps(tmp_path: Path) -> None:
    people = [_tracklet([tmp_path / "a.jpg"] * n, identity, camera) for n, identity, camera in ((1, 40, 2), (3, 7, 1))]
    people.append(_tracklet([tmp_path / "b.jpg"], 40, 1))
    learnt = FileTracklets.for_training(people)
    assert learnt.identities.tolist() == [1, 0, 1]
    assert learnt.cameras.tolist() == [2, 1, 1]
    assert learnt.lengths.tolist() == [1, 3, 1]
    assert FileTracklets(people).identities.tolist() == [40, 7, 40]


def test_worker_processes_read_them_too(tmp_path: Path) -> None:
    people: Tracklets = FileTracklets([_tracklet([_write(tmp_path / "a.png", red=5)])])
    assert pickle.loads(pickle.dumps(people)).read(0, np.array([0]))[0][0, 0, 0] == 5


@pytest.mark.parametrize("identities", [[], [3, DISTRACTOR]], ids=["nobody", "a distractor"])
def test_junk_and_distractors_cannot_be_trained_on(identities: list[int], tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="nothing to train on"):
        labels_from_zero([_tracklet([tmp_path / "a.jpg"], identity) for identity in identities])
